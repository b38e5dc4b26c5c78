# make alone lists the targets. The comment behind ## is the help text.
SHELL := /bin/sh
GO ?= go
WANT := 1.26

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One line for those whose Go is missing or too old, as Debian 12's own is.
go:
	@v=$$($(GO) env GOVERSION 2>/dev/null | sed 's/^go//'); \
	if [ -z "$$v" ] || [ "$$(printf '%s\n%s\n' $(WANT) "$$v" | sort -V | head -1)" != $(WANT) ]; then \
	  echo "wnode needs Go $(WANT) or later, found $${v:-none}: get it from https://go.dev/dl/ and put it first in PATH" >&2; exit 1; fi

build: go ## build bin/wnode and the example guests
	@$(GO) build -trimpath -ldflags='-s -w' -o bin/wnode ./cmd/wnode
	@$(MAKE) -s -C wasm-examples GO='$(GO)'

demo: build ## two nodes, a module only one of them knows, its words at your terminal
	@tests/demo.sh bin/wnode

test: build ## run all tests
	$(GO) test ./...

# -short leaves out repetitions of work that one goroutine does alone.
race: build ## run all tests under the race detector
	$(GO) test -race -short -timeout 20m ./...

lint: go ## gofmt, vet, staticcheck
	@un=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$un" ]; then echo "not gofmt'd: $$un" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd sdk/go && GOOS=wasip1 GOARCH=wasm $(GO) vet ./...

fuzz: go ## fuzz every decoder for FUZZTIME (10s) each
	@tests/fuzz.sh

bench: build ## measure, as ratios and figures
	bin/wnode bench

soak: build ## the long proofs in full
	WNODE_SOAK=1 $(GO) test -count=1 -timeout 60m ./...

guests: ## rebuild the committed C and hand-written guests (needs clang, lld, wasi-libc, wabt)
	$(MAKE) -C wasm-examples rebuild

sdk: go ## build the guests that test the libraries (needs what sdk/*/README.md say)
	@$(MAKE) -s -C tests/sdk/guests GO='$(GO)' all

clean: ## remove what was built
	rm -rf bin
	$(MAKE) -s -C wasm-examples clean
	$(MAKE) -s -C tests/sdk/guests clean

.PHONY: help go build demo test race lint fuzz bench soak guests sdk clean

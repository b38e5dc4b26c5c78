package guest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// bombs are modules that take long to compile, and where their refusal says so.
func bombs() map[string][]byte {
	wide := func(n int) [][]byte {
		return [][]byte{void(), code(uleb(n), repeat(n, typeI32), uleb(n), repeat(n, typeI32))}
	}
	several := &bomb{} // none is too much by itself
	for range 40 {
		several.function(1000, each(100, func(i int) []byte {
			l := uleb(i)
			return code(opLocalGet, l, opIf, typeVoid, opLocalGet, l, opLocalSet, uleb(i+100))
		}), repeat(100, opEnd))
	}
	return map[string][]byte{
		"ifs within each other, many locals":   nestedLocals(opIf, 2000, 500),
		"loops within each other, many locals": nestedLocals(opLoop, 1000, 200),
		"loops after each other":               blocksLocals(4000, 10),
		"stores":                               new(bomb).function(1, repeat(100_000, opI32Const, 0, opI32Const, 3, opI32Store, 2, 0)).module(),
		"br_table":                             new(bomb).function(1, opBlock, typeVoid, opLocalGet, 0, opBrTable, uleb(100_000), repeat(100_000, 0), 0, opEnd).module(),
		"operands":                             new(bomb).function(0, repeat(60_000, opI32Const, 1), repeat(60_000, opDrop)).module(),
		"wide loops": (&bomb{types: wide(1000)}).function(1, repeat(1000, opI32Const, 1),
			repeat(1000, opLoop, 1, opLocalGet, 0, opBrIf, 0, opEnd), repeat(1000, opDrop)).module(),
		"many functions, each below the limit": several.module(),
	}
}

// Bombs are refused at once, with place, figures and remedy in one line.
func TestBombsRefused(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			_, err := admit(b)
			var why engine.Reason
			if !errors.As(err, &why) || why.Word != engine.ModuleInvalid {
				t.Fatalf("got %v", err)
			}
			for _, part := range []string{"code section, offset 0x", "function", "to compile", ": split the "} {
				if !strings.Contains(why.Detail, part) || strings.Contains(why.Detail, "\n") {
					t.Errorf("no %q in %q", part, why.Detail)
				}
			}
		})
	}
}

// What a section or a function may have is admitted, one more is not.
func TestLimits(t *testing.T) {
	many := func(n int, f func(*bomb)) []byte {
		b := &bomb{}
		b.function(0)
		for range n {
			f(b)
		}
		return b.module()
	}
	for _, c := range []struct {
		name     string
		most     int
		with     func(n int) []byte
		contains string
	}{
		{"types", maxTypes, func(n int) []byte { return many(n, func(b *bomb) { b.types = append(b.types, void()) }) },
			"type section, offset 0xc: the section has 20001 entries, the limit is 20000: split the module"},
		{"functions", maxFunctions, func(n int) []byte { return many(n-1, func(b *bomb) { b.function(0) }) },
			"function section, offset 0x12: the section has 200001 entries"},
		{"globals", maxGlobals, func(n int) []byte { return many(n, func(b *bomb) { b.globals++ }) }, "global section"},
		{"exports", maxExports, func(n int) []byte { return many(n-1, func(b *bomb) { b.exports = append(b.exports, "x") }) }, "export section"},
		{"data", maxSegments, func(n int) []byte {
			b := &bomb{extra: code(11, uleb(len(uleb(n))+3*n), uleb(n), repeat(n, 1, 1, 0))}
			return b.function(0).module()
		}, "data section"},
		{"parameters", maxWidth, func(n int) []byte {
			return (&bomb{types: [][]byte{void(), code(uleb(n), repeat(n, typeI32), 0)}}).function(0).module()
		}, "a type has 1001 parameters or results, the limit is 1000: pass them in memory"},
		{"locals", maxLocals, func(n int) []byte { return new(bomb).function(n).module() },
			"function 0 has 50001 locals, the limit is 50000: split the function"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := admit(c.with(c.most)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			if _, err := admit(c.with(c.most + 1)); err == nil || !strings.Contains(err.Error(), c.contains) {
				t.Errorf("above it: %v", err)
			}
		})
	}
	if _, err := admit(make([]byte, maxModule+1)); err == nil || !strings.Contains(err.Error(), "the limit is 64 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

// realModules calls f for what toolchains and the tests of wazero make.
func realModules(t testing.TB, f func(path string, b []byte)) {
	t.Helper()
	guesttest.Corpus(t, f)
	f("program.wasm", guesttest.BuildGo(t, "testdata/program"))
}

// No real program is refused for what it costs, and whatever wazero takes can
// be read here. br_table.0.wasm has a table of 24,000 targets.
func TestRealAdmitted(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	n := 0
	realModules(t, func(path string, b []byte) {
		m, err := wasmfile.Parse(b)
		if err != nil {
			return
		}
		n++
		if err := checkSections(m); err != nil && !strings.Contains(path, "spectest") {
			t.Errorf("%s: %v", path, err)
		}
		err = checkBodies(m, b)
		if err == nil {
			return
		}
		if _, werr := rt.CompileModule(ctx, b); werr == nil {
			t.Errorf("%s: %v", path, err)
		}
	})
	if n < 120 {
		t.Errorf("%d modules", n)
	}
}

// TestCompileCost measures what bodyCost estimates. It is run by hand: the
// figures depend on the machine.
func TestCompileCost(t *testing.T) {
	if os.Getenv("WNODE_COMPILE_COST") == "" {
		t.Skip("a measurement: WNODE_COMPILE_COST=1 go test -v -run CompileCost ./engine/guest")
	}
	ctx := context.Background()
	measure := func(name string, b []byte) {
		m, err := wasmfile.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		var estimate time.Duration
		if err := m.Bodies(b, func(f wasmfile.Body) error { estimate += bodyCost(f); return nil }); err != nil {
			return
		}
		rt := wazero.NewRuntime(ctx)
		defer rt.Close(ctx)
		begin := time.Now()
		if _, err := rt.CompileModule(ctx, b); err != nil {
			return
		}
		if took := time.Since(begin); took > 5*time.Millisecond {
			t.Logf("%-50s %8d bytes: %8.3f s, estimated %8.3f, %5.1f times", name, len(b), took.Seconds(), estimate.Seconds(), float64(estimate)/float64(took))
		}
	}
	realModules(t, func(path string, b []byte) { measure(filepath.Base(path), b) })
	for name, b := range bombs() {
		measure(name, b)
	}
	for _, p := range [][2]int{{100, 10}, {100, 50}, {100, 200}, {300, 10}, {300, 50}, {1000, 10}} {
		measure("loops after each other", blocksLocals(p[0], p[1]))
		for name, op := range map[string]int{"blocks": opBlock, "ifs": opIf, "loops": opLoop} {
			measure(name+" within each other", nestedLocals(op, p[0], p[1]))
		}
	}
}

package guest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
)

// goLibrary has exports that show what of Go's randomness a snapshot freezes.
const goLibrary = `package main

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"os"
)

var words = map[string]int64{"one": 1, "two": 2, "three": 3}

//go:wasmexport sum
func sum(n int64) (s int64) {
	for _, v := range words {
		s += v * n
	}
	words["one"]++ // which no other process sees
	return s
}

//go:wasmexport secret
func secret() int64 {
	var b [8]byte
	crand.Read(b[:])
	return int64(binary.LittleEndian.Uint64(b[:]))
}

//go:wasmexport chance
func chance() int64 { return rand.Int64() }

//go:wasmexport env
func env() int64 { return int64(len(os.Getenv("NAME"))) }

//go:wasmexport say
func say() { os.Stdout.WriteString("hello\n") }

func main() {}
`

// buildGo builds a library from its source.
func buildGo(t *testing.T, source string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": source, "go.mod": "module lib\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return guesttest.BuildGo(t, dir, "-buildmode=c-shared")
}

// A library written in Go begins with a snapshot, and prints what it prints
// without. math/rand goes on from the same state in each process: that is what
// --fresh is for. crypto/rand never does.
func TestGoLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go library")
	}
	n := newNode(t, "")
	module := buildGo(t, goLibrary)
	sum := func(s *engine.Spec) { s.Args = []string{"7"} }
	named := func(s *engine.Spec) { s.Env = []string{"NAME=kate"} }
	for range 2 {
		for _, c := range []struct {
			entry  string
			change func(*engine.Spec)
			want   string
		}{{"sum", sum, "42\n"}, {"env", named, "4\n"}, {"env", nil, "0\n"}, {"say", nil, "hello\n"}} {
			for _, again := range []func(*engine.Spec){c.change, func(s *engine.Spec) {
				s.Fresh = true
				if c.change != nil {
					c.change(s)
				}
			}} {
				if out, down := n.do(module, c.entry, again); out != c.want || down.Reason.Word != engine.Normal {
					t.Errorf("%s: %q, %v; want %q", c.entry, out, down.Reason, c.want)
				}
			}
		}
	}
	if n.runner.Snapshots() != 1 {
		t.Fatalf("%d snapshots", n.runner.Snapshots())
	}
	for _, c := range []struct {
		entry  string
		change func(*engine.Spec)
		same   bool
	}{{"secret", nil, false}, {"chance", nil, true}, {"chance", fresh, false}, {"secret", fresh, false}} {
		one, _ := n.do(module, c.entry, c.change)
		two, _ := n.do(module, c.entry, c.change)
		if one == "" || (one == two) != c.same {
			t.Errorf("%s, fresh %v: %q and %q", c.entry, c.change != nil, one, two)
		}
	}
}

// A Go library that reads random bytes for itself as it begins shares them with
// nobody.
func TestGoLibrarySecret(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go library")
	}
	n := newNode(t, "")
	module := buildGo(t, `package main

import (
	"crypto/rand"
	"encoding/binary"
)

var key = func() [8]byte { var b [8]byte; rand.Read(b[:]); return b }()

//go:wasmexport show
func show() int64 { return int64(binary.LittleEndian.Uint64(key[:])) }

func main() {}
`)
	one, _ := n.do(module, "show", nil)
	two, _ := n.do(module, "show", nil)
	if one == "" || one == two || n.runner.Snapshots() != 0 {
		t.Errorf("%q and %q, %d snapshots", one, two, n.runner.Snapshots())
	}
}

// Package sdk holds the tests of the guest libraries: that each covers the whole
// ABI, and that guests of all languages say the same, among themselves and to each
// other.
package sdk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// language is one that there is a library for.
type language struct {
	name   string
	source string                         // of the library, from here
	parse  func(source string) []function // its imports
	needs  func() error                   // nil if its toolchain is here
}

var languages = []language{
	{"c", "../../sdk/c/wnode.h", parseC, has("clang", "/usr/include/wasm32-wasi/stdio.h")},
	{"go", "../../sdk/go/imports.go", parseGo, goGuests},
	{"rust", "../../sdk/rust/wnode.rs", parseRust, has("/usr/bin/rustc", "/usr/lib/rustlib/wasm32-wasi/lib")},
	{"assemblyscript", "../../sdk/assemblyscript/assembly/host.ts", parseAS, has("node", "../../sdk/assemblyscript/node_modules/.bin/asc")},
}

// goGuests is the check for Go. Under the race detector wazero's compiler is so slow
// that a guest in Go takes longer than the 10 s that a node gives it.
func goGuests() error {
	if race {
		return errors.New("guests in Go take too long to compile under the race detector")
	}
	return has("go")()
}

// has returns a check that there are programs, or files if they have a slash.
func has(names ...string) func() error {
	return func() error {
		for _, name := range names {
			var err error
			if strings.Contains(name, "/") {
				_, err = os.Stat(name)
			} else {
				_, err = exec.LookPath(name)
			}
			if err != nil {
				return fmt.Errorf("there is no %s: %w", name, err)
			}
		}
		return nil
	}
}

// build builds the guests of a language and returns its scenario guest and its
// counter. It skips the test if the toolchain is missing.
func build(t *testing.T, l language) (scenario, counter []byte) {
	t.Helper()
	if err := l.needs(); err != nil {
		t.Skipf("%s: %v", l.name, err)
	}
	if out, err := exec.Command("make", "-s", "-C", "guests", l.name).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", l.name, err, out)
	}
	read := func(what string) []byte {
		b, err := os.ReadFile(filepath.Join("guests", "out", l.name+"-"+what+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return read("scenario"), read("counter")
}

// look looks at all sources of the guests, so that the go command runs the tests
// again when one has changed.
func look(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"guests", "testdata", "../../sdk", "../../wasm-examples/counter"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".cache" || d.Name() == "out") {
				return fs.SkipDir
			}
			if err == nil && !d.IsDir() {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

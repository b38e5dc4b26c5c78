package guesttest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// WazeroDir is where the sources of wazero are.
func WazeroDir(t testing.TB) string { return moduleDir(t, "github.com/tetratelabs/wazero") }

// Examples is the directory of the example guests.
func Examples(t testing.TB) string {
	return filepath.Join(moduleDir(t, "github.com/wnode-project/wnode"), "wasm-examples")
}

func moduleDir(t testing.TB, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// Corpus calls f with every module of wazero's own tests, and of the examples as
// far as they are built.
func Corpus(t testing.TB, f func(path string, wasm []byte)) {
	t.Helper()
	for _, root := range []string{WazeroDir(t), Examples(t)} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".wasm" {
				return err
			}
			b, err := os.ReadFile(path)
			if err == nil {
				f(path, b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Sane reports whether wazero can be asked about a module: it allocates for as
// many segments as a section says to have, and panics at types that are not
// there. Nodes see to both before they compile.
func Sane(wasm []byte) bool {
	m, err := wasmfile.Parse(wasm)
	if err != nil {
		return false
	}
	for _, s := range m.Sections {
		if (s.Name == "element" || s.Name == "data") && s.Count > s.Size {
			return false
		}
	}
	return true
}

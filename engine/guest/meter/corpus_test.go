package meter_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// wazeroDir is where the sources of wazero are.
func wazeroDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// corpus returns the modules of wazero's own tests, and the examples.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, root := range []string{wazeroDir(t), "../../../wasm-examples"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".wasm" {
				return err
			}
			b, err := os.ReadFile(path)
			if rel, e := filepath.Rel(root, path); e == nil {
				all[rel] = b
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What is valid stays valid.
func TestValid(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	n := 0
	for name, b := range corpus(t) {
		if _, err := wasmfile.Parse(b); err != nil || strings.Contains(name, "typed-function-references") {
			continue // a proposal that wazero parses
		}
		code, err := rt.CompileModule(ctx, b)
		if err != nil {
			continue
		}
		code.Close(ctx)
		out, _, err := meter.Rewrite(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n++
		if code, err = rt.CompileModule(ctx, out); err != nil {
			t.Errorf("%s: rewritten: %v", name, err)
			continue
		}
		code.Close(ctx)
	}
	if n < 2000 {
		t.Errorf("only %d modules", n)
	}
}

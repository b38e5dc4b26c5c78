package guest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// wazero takes the cache that is put into it: code is found again by the next
// runtime, and what was changed on disk is compiled instead of run.
func TestCodeCache(t *testing.T) {
	if goruntime.GOARCH != "amd64" && goruntime.GOARCH != "arm64" {
		t.Skip("wazero has no compiler for", goruntime.GOARCH)
	}
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "cache")
	m := moduleData(blocksLocals(50, 3))
	for _, step := range []struct {
		name   string
		change func(b []byte) []byte
		has    bool
		hit    bool
	}{
		{name: "new"},
		{name: "kept", has: true, hit: true},
		{name: "changed", has: true, change: func(b []byte) []byte { b[len(b)/2]++; return b }},
		{name: "kept again", has: true, hit: true},
		{name: "cut", has: true, change: func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		var log bytes.Buffer
		if step.change != nil {
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%s: %v, %v", step.name, files, err)
			}
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], step.change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		disk, cache, err := openCodeCache(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCompilationCache(cache))
		if has := disk.Has(m.CID.KeyString()); has != step.has {
			t.Errorf("%s: it is there: %v", step.name, has)
		}
		hit, err := disk.Compile(m.CID.KeyString(), func() error {
			code, err := rt.CompileModule(ctx, m.Bytes)
			if err != nil {
				return err
			}
			inst, err := rt.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithStartFunctions())
			if err != nil {
				return err
			}
			return inst.Close(ctx)
		})
		if err != nil || hit != step.hit {
			t.Errorf("%s: from disk: %v, %v", step.name, hit, err)
		}
		if lines := strings.Count(log.String(), "\n"); (lines != 0) != (step.change != nil) || lines > 1 {
			t.Errorf("%s: log %q", step.name, log.String())
		}
		if err := rt.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := cache.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	}
}

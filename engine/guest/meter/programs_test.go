package meter_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	. "github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// TestPrograms runs whole programs in C, Go, Rust, Zig and TinyGo, and calls the
// exports of libraries with a few numbers: all print and answer the same, counted
// or not, in each tier.
func TestPrograms(t *testing.T) {
	ran := 0
	Corpus(t, func(name string, b []byte) {
		if strings.Contains(name, "spectest") {
			return // TestSpec
		}
		if testing.Short() && len(b)%8 != 0 {
			return
		}
		m, err := wasmfile.Parse(b)
		if err != nil {
			return
		}
		counted, _, err := meter.Rewrite(b)
		if err != nil {
			if !strings.Contains(err.Error(), "not supported") {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		// With a limit of fuel: what does not end by itself is left out.
		const fuel = 50_000_000
		want, ok := runProgram(t, newHost(t, wazero.NewRuntimeConfigCompiler(), budget{slice: 200_000, stack: 1 << 19, fuel: fuel}), m, counted)
		if !ok {
			return
		}
		ran++
		for _, tier := range tiers[1:] {
			if got, _ := runProgram(t, newHost(t, tier.config(), budget{slice: tier.slice, stack: 1 << 19, fuel: fuel}), m, counted); got != want {
				t.Errorf("%s: %s: %.300q\ncompiler: %.300q", name, tier.name, got, want)
			}
		}
		if got, _ := runProgram(t, newHost(t, wazero.NewRuntimeConfigCompiler(), budget{}), m, b); got != want {
			t.Errorf("%s: uncounted: %.300q\ncounted: %.300q", name, got, want)
		}
	})
	if ran < 30 && !testing.Short() {
		t.Errorf("only %d programs ran", ran)
	}
}

// runProgram returns all that can be seen of a run; false if it has no end, or
// wants another host.
func runProgram(t *testing.T, h *host, m *wasmfile.Module, b []byte) (string, bool) {
	ctx := context.Background()
	wasi_snapshot_preview1.MustInstantiate(ctx, h.Runtime)
	code, err := h.CompileModule(ctx, b)
	if err != nil {
		return "", false
	}
	var out bytes.Buffer
	inst, err := h.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithArgs("program", "a", "b c").WithEnv("K", "V").WithStdin(strings.NewReader("some input\n")).WithStdout(&out).WithStderr(&out))
	if err != nil {
		if strings.Contains(err.Error(), "module[") { // an import that is not there
			return "", false
		}
		return class(err), true
	}
	names := []string{"_start"}
	if m.Kind == wasmfile.Library {
		names = nil
		for _, e := range m.Exports {
			if e.Kind == wasmfile.Func {
				names = append(names, e.Name)
			}
		}
	}
	for _, name := range names {
		f := inst.ExportedFunction(name)
		args := make([]uint64, len(f.Definition().ParamTypes()))
		for i := range args {
			args[i] = uint64(5 * (i + 1))
		}
		res, err := f.Call(ctx, args...)
		for i, typ := range f.Definition().ResultTypes() {
			if i < len(res) {
				res[i] = plainValue(typ, res[i])
			}
		}
		fmt.Fprintln(&out, name, res, class(err))
		if err != nil && strings.Contains(err.Error(), errFuel.Error()) {
			return "", false
		}
	}
	return out.String(), true
}

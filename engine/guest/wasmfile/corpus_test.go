package wasmfile

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compareWithWazero checks what Parse says of a module against wazero, which
// decodes and validates. Parse may accept what wazero refuses, not the reverse.
func compareWithWazero(t *testing.T, name string, b []byte, m *Module, err error) {
	t.Helper()
	ctx := context.Background()
	features := api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
		experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer func() { _ = r.Close(ctx) }()
	compiled, werr := r.CompileModule(ctx, b)
	if werr != nil {
		return
	}
	if err != nil {
		// Tests of proposals whose types Parse refuses by name.
		proposal := strings.Contains(name, "/exception-handling/") || strings.Contains(name, "/typed-function-references/")
		if !proposal || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	imports := compiled.ImportedFunctions()
	i := 0
	for _, im := range m.Imports {
		if im.Kind != Func {
			continue
		}
		module, field, _ := imports[i].Import()
		if module != im.Module || field != im.Name || !same(im.Func, imports[i]) {
			t.Errorf("%s: import %d is %s.%s %v, here %+v", name, i, module, field, imports[i], im)
		}
		i++
	}
	if i != len(imports) {
		t.Errorf("%s: %d imports, here %d", name, len(imports), i)
	}
	exports := compiled.ExportedFunctions()
	n := 0
	for _, e := range m.Exports {
		if e.Kind != Func {
			continue
		}
		n++
		if def, ok := exports[e.Name]; !ok || !same(e.Func, def) {
			t.Errorf("%s: export %+v, wazero has %v", name, e, def)
		}
	}
	if n != len(exports) {
		t.Errorf("%s: %d exports, here %d", name, len(exports), n)
	}
	for _, mem := range compiled.ExportedMemories() {
		if m.Memory == nil || uint64(mem.Min()) != m.Memory.Min {
			t.Errorf("%s: memory %v, here %+v", name, mem, m.Memory)
		}
	}
}

func same(f FuncType, def api.FunctionDefinition) bool {
	return string(f.Params) == string(def.ParamTypes()) && string(f.Results) == string(def.ResultTypes())
}

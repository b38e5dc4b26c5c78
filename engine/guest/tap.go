package guest

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// tapped is a runtime whose host functions go through the journal of the run
// that calls them, if it has one. Functions are told apart by their number, so
// that the same host makes the same functions in each tapped runtime.
type tapped struct {
	wazero.Runtime
	functions int
}

func (t *tapped) NewHostModuleBuilder(name string) wazero.HostModuleBuilder {
	return &tappedModule{t.Runtime.NewHostModuleBuilder(name), t}
}

type tappedModule struct {
	wazero.HostModuleBuilder
	t *tapped
}

func (m *tappedModule) NewFunctionBuilder() wazero.HostFunctionBuilder {
	return &tappedFunction{m.HostModuleBuilder.NewFunctionBuilder(), m.t}
}

type tappedFunction struct {
	wazero.HostFunctionBuilder
	t *tapped
}

// WithGoModuleFunction implements wazero.HostFunctionBuilder.
func (f *tappedFunction) WithGoModuleFunction(fn api.GoModuleFunction, params, results []api.ValueType) wazero.HostFunctionBuilder {
	h := &hostFunction{number: f.t.functions, call: fn, params: params, results: len(results)}
	f.t.functions++
	return f.HostFunctionBuilder.WithGoModuleFunction(h, params, results)
}

// WithGoFunction and WithFunc would make functions that are called twice when a
// run changes its tier: see [HostModules].
func (f *tappedFunction) WithGoFunction(api.GoFunction, []api.ValueType, []api.ValueType) wazero.HostFunctionBuilder {
	panic("host functions are made with WithGoModuleFunction")
}

// WithFunc panics.
func (f *tappedFunction) WithFunc(any) wazero.HostFunctionBuilder {
	panic("host functions are made with WithGoModuleFunction")
}

type hostFunction struct {
	number  int
	call    api.GoModuleFunction
	params  []api.ValueType
	results int
}

// Call implements api.GoModuleFunction.
func (h *hostFunction) Call(ctx context.Context, mod api.Module, stack []uint64) {
	if s, ok := ctx.(*side); ok {
		s.call(h, mod, stack)
		return
	}
	h.call.Call(ctx, mod, stack)
}

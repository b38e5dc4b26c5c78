package guest

import (
	"fmt"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// pageSize is the unit of linear memory.
const pageSize = 64 << 10

// Check says whether a module can be admitted, without compiling it: it is a
// core module, imports only what hosts of this version offer, and its memory at
// the start fits the limit in bytes; 0 is DefaultMemory. It takes microseconds,
// so that a module is refused before it is sent anywhere. The error is an
// engine.Reason: module_invalid or memory. A module that passes may still be
// refused by the compiler.
func Check(b []byte, memoryLimit uint64) error {
	if why := admit(b, memoryLimit); why.Word != "" {
		return why
	}
	return nil
}

// admit returns why a module is not admitted; the zero Reason admits it.
func admit(b []byte, memoryLimit uint64) engine.Reason {
	if memoryLimit == 0 {
		memoryLimit = DefaultMemory
	}
	m, err := wasmfile.Parse(b)
	if err == nil {
		err = m.Missing(hostFunctions())
	}
	if err == nil {
		err = checkMemory(m)
	}
	if err != nil {
		return engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
	}
	if m.Memory != nil && m.Memory.Min > memoryLimit/pageSize {
		return engine.Reasonf(engine.Memory, "the module needs %s of memory from the start, its limit is %s: raise it with --memory",
			bytesText(m.Memory.Min*pageSize), bytesText(memoryLimit))
	}
	return engine.Reason{}
}

// checkMemory refuses the kinds of memory that wazero does not have.
func checkMemory(m *wasmfile.Module) error {
	switch {
	case m.Memories > 1:
		return fmt.Errorf("the module has %d memories: build it without the multi-memory proposal", m.Memories)
	case m.Memory == nil:
		return nil
	case m.Memory.Is64:
		return fmt.Errorf("the module has a 64-bit memory: build for wasm32")
	case m.Memory.Shared:
		return fmt.Errorf("the module has a shared memory: build it without threads")
	}
	return nil
}

// hostFunctions returns what finds a host function by its name.
func hostFunctions() func(module, name string) (wasmfile.FuncType, bool) {
	type key struct{ module, name string }
	all := map[key]wasmfile.FuncType{}
	for _, f := range abi.Functions() {
		all[key{f.Module, f.Name}] = wasmfile.FuncType{Params: f.Params, Results: f.Results}
	}
	return func(module, name string) (wasmfile.FuncType, bool) {
		f, ok := all[key{module, name}]
		return f, ok
	}
}

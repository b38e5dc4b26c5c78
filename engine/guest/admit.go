package guest

import (
	"fmt"
	"slices"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

const (
	// pageSize is the unit of linear memory.
	pageSize = 64 << 10
	// maxElements bounds the tables of a module, all together: wazero keeps 8
	// bytes for each on the node's own heap, which the memory limit does not
	// count, and takes up to 1<<27 in each of any number of tables.
	maxElements = 1_000_000
	// maxGrown bounds them once they grow: wazero copies a table to grow it, so
	// that the heap has to hold five times as much for a while.
	maxGrown = 100_000
)

// Check says whether a module can be admitted, without compiling it: it is a
// core module, imports only what hosts of this version offer, its tables at the
// start are of a sane size, and its memory at the start fits the limit in bytes;
// 0 is DefaultMemory. It takes 3 ms for a megabyte, so that a module is refused
// before it is sent anywhere. The error is an
// engine.Reason: module_invalid or memory. A module that passes may still be
// refused by the compiler.
func Check(b []byte, memoryLimit uint64) error {
	a, err := admit(b)
	if err != nil {
		return err
	}
	if memoryLimit == 0 {
		memoryLimit = DefaultMemory
	}
	return fits(a.memory, memoryLimit)
}

// admitted is what admission finds out about a module.
type admitted struct {
	memory uint64     // bytes from the start
	grants []abi.Func // it imports them, and a spec must grant them
}

// granted reports a function that the spec does not grant.
func (a *admitted) granted(s *engine.Spec) error {
	for _, f := range a.grants {
		if !slices.Contains(s.Grants, f.Grant) {
			return engine.Reasonf(engine.NotGranted, "the module imports %s.%s, which needs --grant %s", f.Module, f.Name, f.Grant)
		}
	}
	return nil
}

// admit checks all of a module that does not depend on the process that runs
// it.
func admit(b []byte) (a admitted, err error) {
	if len(b) > maxModule {
		return a, engine.Reasonf(engine.ModuleInvalid, "the module has %d bytes, the limit is %s: strip its debug information, or split it", len(b), engine.SizeText(maxModule))
	}
	m, err := wasmfile.Parse(b)
	if err == nil {
		err = m.Missing(hostFunctions())
	}
	if err == nil {
		err = checkMemory(m)
	}
	if err == nil {
		err = checkSections(m)
	}
	if err == nil {
		err = checkBodies(m, b)
	}
	if err == nil && m.Elements > maxElements {
		err = fmt.Errorf("the module's tables have %d elements from the start, the limit is %d", m.Elements, maxElements)
	}
	switch {
	case err != nil:
		return a, engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
	case m.Memory != nil:
		a.memory = m.Memory.Min * pageSize
	}
	for _, f := range abi.Functions() {
		if f.Grant != "" && slices.ContainsFunc(m.Imports, func(im wasmfile.Import) bool { return im.Module == f.Module && im.Name == f.Name }) {
			a.grants = append(a.grants, f)
		}
	}
	return a, nil
}

// fits reports a memory that is larger from the start than its limit.
func fits(memory, limit uint64) error {
	if memory <= limit {
		return nil
	}
	return engine.Reasonf(engine.Memory, "the module needs %s of memory from the start, its limit is %s: raise it with --memory",
		engine.SizeText(memory), engine.SizeText(limit))
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

package guest

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// instance is a module in memory. It runs one process after another, and holds
// nothing of a process: host functions find theirs through the context of the
// call. One goroutine uses it at a time.
type instance struct {
	of  *entry
	mod api.Module
	mem *memory // also of a module that has none

	counter api.Global          // of reductions
	globals []api.MutableGlobal // as of.initial.globals
	name    string              // of the function looked up last
	function

	// In the pool, whose lock guards the first two lines.
	older, newer *instance
	since        uint64 // age of the pool when it came
	kept         uint64 // about how many bytes of the node's memory it holds
}

// newInstance makes an instance in a runtime, for its first process. The error is
// as of wazero, or an engine.Reason.
func (t *runtime) newInstance(ctx context.Context, rt wazero.Runtime, e *entry, o owner, limit uint64) (*instance, error) {
	mem, err := newMemory(&t.spaces, e.initial, limit)
	if err != nil {
		t.pool.drain() // what it held may be enough
		if mem, err = newMemory(&t.spaces, e.initial, limit); err != nil {
			return nil, engine.Reasonf(engine.SystemLimit, "no memory for the process: %v", err)
		}
	}
	mem.owner = o
	mod, err := rt.InstantiateModule(withMemory(ctx, mem), e.code, t.config)
	if err != nil {
		mem.Free() // wazero does not
		return nil, err
	}
	inst := &instance{of: e, mod: mod, mem: mem, counter: mod.ExportedGlobal(meter.Export)}
	for _, g := range e.initial.globals {
		inst.globals = append(inst.globals, mod.ExportedGlobal(g.Name).(api.MutableGlobal))
	}
	if e.library.snapshot != nil && !inst.restore() {
		inst.close()
		return nil, engine.Reasonf(engine.SystemLimit, "no memory for the process")
	}
	return inst, nil
}

// withMemory returns the context to instantiate with. A side stays the outermost
// context of its calls, also of those of a start function.
func withMemory(ctx context.Context, mem *memory) context.Context {
	if s, ok := ctx.(*side); ok {
		s.Context = experimental.WithMemoryAllocator(s.Context, mem)
		return s
	}
	return experimental.WithMemoryAllocator(ctx, mem)
}

// reset makes an instance whose process has ended by itself as new, and reports
// whether it could. warm is as of memory.restore.
func (i *instance) reset(warm bool) bool {
	in := i.of.initial
	if !in.resettable || i.mod.IsClosed() {
		return false
	}
	const fixed = 24 << 10 // the stack of its function, its tables of functions and globals
	i.kept = fixed + i.mem.restore(warm)
	if !i.restore() {
		return false
	}
	if size, known := i.stackSize(); !known || size > keptStack {
		i.function = function{}
	}
	i.mem.owner = nil
	return true
}

// restore sets the size of the memory and the globals to what they are at the
// start.
func (i *instance) restore() bool {
	if !i.resize() {
		return false
	}
	for n, g := range i.globals {
		g.Set(i.of.initial.globals[n].Value)
	}
	return true
}

// resize makes the memory as large as it is at the start. wazero has no way to
// ask for that, but takes the buffer that it gets when a memory grows, whatever
// its size.
func (i *instance) resize() bool {
	least := i.of.initial.memory
	if i.mem.size == least {
		return true
	}
	i.mem.resize = true
	_, ok := i.mod.Memory().Grow(1)
	i.mem.resize = false
	return ok && uint64(i.mod.Memory().Size()) == least
}

func (i *instance) close() {
	_ = i.mod.Close(context.Background())
	i.mem.Free() // one that was closed while it ran is not freed by that
}

package guest

import (
	"context"
	"reflect"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// keptStack is the largest stack, in bytes, that a function keeps between runs:
// wazero grows it as the guest recurses and never shrinks it.
const keptStack = 64 << 10

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

// newInstance makes an instance for its first process. The error is as of wazero,
// or an engine.Reason.
func (t *runtime) newInstance(ctx context.Context, e *entry, p *engine.Process, limit uint64) (*instance, error) {
	mem, err := newMemory(&t.spaces, e.initial, limit)
	if err != nil {
		t.pool.drain() // what it held may be enough
		if mem, err = newMemory(&t.spaces, e.initial, limit); err != nil {
			return nil, engine.Reasonf(engine.SystemLimit, "no memory for the process: %v", err)
		}
	}
	mem.owner = p
	mod, err := t.rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, mem), e.code, t.config)
	if err != nil {
		mem.Free() // wazero does not
		return nil, err
	}
	inst := &instance{of: e, mod: mod, mem: mem, counter: mod.ExportedGlobal(meter.Export)}
	for _, g := range e.initial.globals {
		inst.globals = append(inst.globals, mod.ExportedGlobal(g.Name).(api.MutableGlobal))
	}
	return inst, nil
}

// function is an exported function; it has a stack of its own.
type function struct {
	f     api.Function
	stack reflect.Value // as wazero holds it; not valid if it holds it otherwise
}

// exportedFunction is as of api.Module, and keeps what it returned last for the
// next process: looking it up takes as long as a short run.
func (i *instance) exportedFunction(name string) api.Function {
	if i.f == nil || i.name != name {
		i.name, i.function = name, function{f: i.mod.ExportedFunction(name)}
		if v := reflect.ValueOf(i.f); v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
			i.stack = v.Elem().FieldByName("stack")
		}
	}
	return i.f
}

// stackSize returns how many bytes of stack the function holds, false if that
// is not known. wazero has no way to ask.
func (f *function) stackSize() (int, bool) {
	if f.f == nil {
		return 0, true
	}
	if f.stack.Kind() != reflect.Slice {
		return 0, false
	}
	return f.stack.Cap() * int(f.stack.Type().Elem().Size()), true
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
	if !i.shrink() {
		return false
	}
	for n, g := range i.globals {
		g.Set(in.globals[n].Value)
	}
	if size, known := i.stackSize(); !known || size > keptStack {
		i.function = function{}
	}
	i.mem.owner = nil
	return true
}

// shrink makes the memory as large as it is at the start. wazero has no way to
// ask for that, but takes the buffer that it gets when a memory grows, whatever
// its size.
func (i *instance) shrink() bool {
	least := i.of.initial.memory
	if i.mem.size == least {
		return true
	}
	i.mem.shrink = true
	_, ok := i.mod.Memory().Grow(1)
	i.mem.shrink = false
	return ok && uint64(i.mod.Memory().Size()) == least
}

func (i *instance) close() {
	_ = i.mod.Close(context.Background())
	i.mem.Free() // one that was closed while it ran is not freed by that
}

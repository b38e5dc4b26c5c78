package guest

import (
	"context"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

const (
	// slice is how many reductions a guest runs between two looks at the host:
	// 10 to 100 microseconds of usual code.
	slice = 200_000
	// DefaultStack is how many bytes a guest's nested calls may take, as the
	// meter estimates it, if its spec does not say; maxStack is the most that a
	// spec can allow: the compiler has no more.
	DefaultStack = 4 << 20
	maxStack     = 48 << 20
	// maxStaticStack is how much stack the calls of a module that are no
	// recursion may take, in words.
	maxStaticStack = 256 << 10
	// exitKilled is the exit code of an instance that is unwound. The engine
	// knows the process's reason and does not look at it.
	exitKilled = 137
)

// run is one process that runs a guest: what the host's side of the counting
// keeps. The goroutine of the process uses it, and nobody else. It is the
// context that the host functions' own is derived from.
type run struct {
	context.Context
	p     *engine.Process
	stack uint64 // bytes
	limit uint64 // reductions
	given uint64 // of them, so far
	began bool
}

type runKey struct{}

func newRun(p *engine.Process) *run {
	r := &run{Context: p.Context(), p: p, limit: p.Spec().Limits.Fuel, stack: min(p.Spec().Limits.Stack, maxStack)}
	if r.stack == 0 {
		r.stack = DefaultStack
	}
	if r.limit == 0 {
		r.limit = math.MaxUint64
	}
	return r
}

// Value makes the run findable under the contexts derived from it.
func (r *run) Value(key any) any {
	if _, ok := key.(runKey); ok {
		return r
	}
	return r.Context.Value(key)
}

// yield is called by a guest that has used up its slice or its stack, and
// returns its counter with the next one; or it unwinds the guest.
func (r *run) yield(c meter.Counter) meter.Counter {
	if !r.began {
		r.began = true
		c = c.Add(0, int32(r.stack/8))
	}
	if c.Depth() < 0 {
		r.p.Kill(engine.Reasonf(engine.Stack, "limit %s of nested calls", bytesText(r.stack)))
	}
	for c.Left() < 0 {
		more := min(slice, r.limit-r.given)
		if more == 0 {
			r.p.Kill(engine.Reasonf(engine.Fuel, "limit %d reductions", r.limit))
			break
		}
		r.given += more
		c = c.Add(int32(more), 0)
	}
	r.p.SetReductions(r.used(c))
	if r.p.Context().Err() != nil {
		panic(sys.NewExitError(exitKilled))
	}
	return c
}

// used returns the reductions that were counted when the counter is c.
func (r *run) used(c meter.Counter) uint64 {
	return uint64(max(0, min(int64(r.given)-int64(c.Left()), int64(min(r.limit, math.MaxInt64)))))
}

// finish returns all that an instance has used.
func (r *run) finish(inst api.Module) uint64 {
	n := r.used(meter.Counter(inst.ExportedGlobal(meter.Export).Get()))
	r.p.SetReductions(n)
	return n
}

// instantiateMeter adds the module that metered modules import to a runtime.
func instantiateMeter(ctx context.Context, rt wazero.Runtime) error {
	_, err := rt.NewHostModuleBuilder(meter.Module).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
			r := ctx.Value(runKey{}).(*run)
			stack[0] = uint64(r.yield(meter.Counter(stack[0])))
		}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(meter.Yield).Instantiate(ctx)
	return err
}

package guest

import (
	"context"
	"math"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/engine/guest/slots"
)

const (
	// A guest runs so many reductions between two looks at the host: 10 to 100
	// microseconds of usual code. It gets less when that took longer than
	// longSlice, as code that misses all caches can be a hundred times slower.
	maxSlice   = 200_000
	firstSlice = 20_000
	minSlice   = 2_000
	longSlice  = 300 * time.Microsecond
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
// context that the host functions' own is derived from, and done when the guest
// is to end. A process that runs in two tiers has one in each.
type run struct {
	context.Context
	p     *engine.Process
	side  *side // nil: there is one tier
	turn  *slots.Turn
	own   slots.Turn
	stack uint64 // bytes
	limit uint64 // reductions
	given uint64 // of them, so far
	began bool
	slice uint64    // the next one
	since time.Time // the last one
	count uint64    // reductions, when the guest was last seen
}

type runKey struct{}

// newRun returns a run that ends when ctx does, which is that of p or one
// derived from it.
func newRun(ctx context.Context, p *engine.Process, s *slots.Slots) *run {
	r := &run{Context: ctx, p: p, own: s.Turn(ctx), limit: p.Spec().Limits.Fuel, stack: min(p.Spec().Limits.Stack, maxStack)}
	if r.stack == 0 {
		r.stack = DefaultStack
	}
	r.turn = &r.own
	if r.limit == 0 {
		r.limit = math.MaxUint64
	}
	return r
}

// again returns a run of the same process, in the same slot, that has used
// nothing yet.
func (r *run) again() *run {
	return &run{Context: r.Context, p: r.p, turn: r.turn, stack: r.stack, limit: r.limit}
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
		r.slice = firstSlice
		c = c.Add(0, int32(r.stack/8))
	}
	if c.Depth() < 0 {
		r.kill(engine.Limit(engine.Stack, "%s of nested calls", engine.SizeText(r.stack)))
	}
	now := time.Now()
	if r.slice < maxSlice {
		r.slice *= 2
	}
	if now.Sub(r.since) > longSlice {
		r.slice = max(minSlice, r.slice/8)
	}
	for c.Left() < 0 {
		more := min(r.slice, r.limit-r.given)
		if more == 0 {
			r.kill(engine.Limit(engine.Fuel, "%d reductions", r.limit))
			break
		}
		r.given += more
		c = c.Add(int32(more), 0)
	}
	r.seen(c)
	r.turn.Yield()
	if r.Err() != nil || r.side != nil && !r.side.wanted() {
		panic(sys.NewExitError(exitKilled))
	}
	r.since = time.Now()
	return c
}

// seen notes the reductions that are counted when the counter is c.
func (r *run) seen(c meter.Counter) {
	used := int64(r.given) - int64(c.Left())
	r.count = uint64(max(0, min(used, int64(min(r.limit, math.MaxInt64)))))
	if r.side != nil {
		r.side.counted(r.count)
		return
	}
	r.p.SetReductions(r.count)
}

// kill ends the process for what its guest did.
func (r *run) kill(why engine.Reason) {
	if r.side != nil {
		r.side.Kill(why)
		return
	}
	r.p.Kill(why)
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

package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// look is how often the loop looks at the time: for stragglers, time limits of
// calls, and whether anything goes on.
const look = 100 * time.Millisecond

// run is a map under way. All but the inbox and the emitter is of the loop alone.
type run struct {
	cfg    Config
	eng    *engine.Engine
	native *engine.Native
	inbox  inbox
	out    emitter

	nodes   map[engine.NodeID]*node
	order   []*node // of nodes, in the order they came
	procs   map[engine.Ref]*proc
	calls   map[engine.Ref]*attempt // of workers
	pending []*task                 // to be started again, in order
	refresh chan struct{}           // asks for nodes

	open   int           // tasks between being read and emitted
	held   int           // bytes of their inputs
	input  bool          // there may be more tasks to read
	broken error         // of the input; said when all before it is done
	first  int           // index of the next task to emit
	last   int           // of the next one to be read
	ready  map[int]*task // ended, and waiting for an earlier one
	recent durations

	sum      Summary
	err      error     // why the map ends early
	stopping bool      // no task begins any more
	killing  bool      // nor is one started again
	progress time.Time // when something was taken or ended last
}

// Run runs the map and returns when it has ended: all processes of it too, and the
// last call of Emit. Done with the context it kills what runs, waits until that is
// confirmed, or its nodes are lost, and returns the context's cause; results that
// are there and not emitted are dropped then.
func Run(ctx context.Context, e *engine.Engine, c Config) (Summary, error) {
	c.defaults()
	r := &run{
		cfg: c, eng: e, nodes: map[engine.NodeID]*node{}, procs: map[engine.Ref]*proc{}, calls: map[engine.Ref]*attempt{},
		refresh: make(chan struct{}, 1), ready: map[int]*task{}, input: true, progress: time.Now(),
	}
	r.inbox.init()
	r.out.init(c.Emit)
	first, err := c.Nodes(ctx)
	if err == nil && len(first) == 0 {
		err = engine.Reasonf(engine.NoConnection, "there is no node to run tasks on")
	}
	if err != nil {
		return r.sum, err
	}
	r.place(found{first, time.Now()})
	r.native = e.Native(r.handle)
	over, stop := context.WithCancel(context.Background())
	tasks, nodes := make(chan read), make(chan found)
	var wg sync.WaitGroup
	wg.Go(func() { r.out.serve(over) })
	wg.Go(func() { r.find(over, nodes) })
	go c.read(over, tasks) // a read of stdin cannot be called off
	r.loop(ctx, tasks, nodes)
	stop()
	wg.Wait()
	r.native.Close(engine.Reason{Word: engine.Normal})
	r.out.discard()
	for _, t := range r.ready {
		t.result.Output.discard()
	}
	r.sum.Good, r.sum.Failed = r.out.good, r.out.failed
	return r.sum, cmp.Or(r.err, r.broken)
}

func (c *Config) defaults() {
	if c.Refresh == 0 {
		c.Refresh = 2 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	if c.Code == nil {
		c.Code = func(why engine.Reason) int {
			if why.Word == engine.Normal {
				return 0
			}
			return 1
		}
	}
}

// read is what Next said.
type read struct {
	*Task
	err error
}

func (c *Config) read(ctx context.Context, to chan<- read) {
	for {
		t, err := c.Next()
		select {
		case to <- read{t, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// find asks for nodes from time to time, and when it is told to.
func (r *run) find(ctx context.Context, to chan<- found) {
	tick := time.NewTicker(r.cfg.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.refresh:
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		nodes, err := r.cfg.Nodes(ctx)
		if err != nil {
			continue
		}
		select {
		case to <- found{nodes, asked}:
		case <-ctx.Done():
			return
		}
	}
}

// findSoon has nodes be asked for.
func (r *run) findSoon() {
	select {
	case r.refresh <- struct{}{}:
	default:
	}
}

func (r *run) loop(ctx context.Context, tasks <-chan read, nodes <-chan found) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	done := ctx.Done()
	var sigs []*engine.Signal
	for {
		r.dispatch()
		if r.over() {
			return
		}
		var more <-chan read
		if r.hungry() {
			more = tasks
		}
		select {
		case <-r.inbox.wake:
			sigs = r.inbox.take(sigs)
			for i, sig := range sigs {
				sigs[i] = nil
				r.signal(sig)
			}
		case t := <-more:
			r.took(t)
		case n := <-nodes:
			r.place(n)
		case <-r.out.wrote:
			n, err := r.out.count()
			r.open -= n
			r.fail(err)
		case <-tick.C:
			r.tick()
		case <-done:
			done = nil
			r.fail(context.Cause(ctx))
		}
	}
}

// over reports whether the map has ended. Workers are told to end when there is no
// work left.
func (r *run) over() bool {
	idle := len(r.pending) == 0 && (!r.input || r.stopping) && r.running() == 0
	if !idle {
		return false
	}
	for _, p := range r.procs {
		r.kill(p, engine.Reason{Word: engine.Normal}) // a worker
	}
	if len(r.procs) > 0 {
		return false
	}
	if r.err != nil {
		return true
	}
	r.flush()
	return r.out.idle()
}

// running returns how many tasks are with processes.
func (r *run) running() (n int) {
	for _, n2 := range r.order {
		n += n2.load
	}
	return n
}

// fail ends the map at once, for an error.
func (r *run) fail(err error) {
	if err == nil || r.err != nil {
		return
	}
	r.err = err
	r.halt(true)
}

// halt ends the map: no task begins any more, and now kills those that run.
func (r *run) halt(now bool) {
	r.stopping = true
	r.killing = r.killing || now
	r.pending = slices.DeleteFunc(r.pending, func(t *task) bool {
		t.dropped = now || t.tries == 0
		return t.dropped
	})
	if !now {
		return
	}
	for _, p := range r.procs {
		for _, a := range p.runs {
			a.task.dropped = true
		}
		r.kill(p, engine.Reason{Word: engine.Killed, Detail: "the map ends"})
	}
}

// hungry reports whether another task could begin.
func (r *run) hungry() bool {
	return r.input && !r.stopping && len(r.pending) == 0 && r.open < Window && r.held < maxInput && r.free(nil) != nil
}

// took takes what was read.
func (r *run) took(in read) {
	if in.err != nil {
		r.input = false
		if !errors.Is(in.err, io.EOF) {
			r.broken = fmt.Errorf("input: %w", in.err)
		}
		return
	}
	t := &task{Task: in.Task, index: r.last}
	r.last++
	r.open++
	r.held += len(t.Input)
	r.pending = append(r.pending, t)
}

// tick is called from time to time.
func (r *run) tick() {
	now := time.Now()
	if r.cfg.Worker && r.cfg.Spec.Limits.Wall > 0 {
		r.overdue(now)
	}
	if r.cfg.Hedge && !r.stopping {
		r.hedge(now)
	}
	if r.running() > 0 || len(r.pending) == 0 && r.free(nil) != nil {
		r.progress = now
	}
	if now.Sub(r.progress) > r.cfg.Patience && !r.stopping {
		err := r.sum.Last
		if err == nil {
			err = engine.Reasonf(engine.NoConnection, "no node is left to run tasks on")
		}
		r.fail(err)
	}
}

// ended hands the result of a task on, and ends the map if it is to halt.
func (r *run) ended(t *task) {
	if t.result.Code != 0 {
		r.sum.Failed++
		if h := r.cfg.Halt; h.Fail > 0 && r.sum.Failed >= h.Fail && !r.sum.Halted {
			r.sum.Halted = true
			defer r.halt(h.Now)
		}
	}
	if r.cfg.Unordered {
		r.out.add(&t.result)
		return
	}
	r.ready[t.index] = t
	for r.ready[r.first] != nil {
		r.out.add(&r.ready[r.first].result)
		delete(r.ready, r.first)
		r.first++
	}
}

// flush hands over what is left behind tasks that were killed.
func (r *run) flush() {
	for ; len(r.ready) > 0 && r.first < r.last; r.first++ {
		if t := r.ready[r.first]; t != nil {
			r.out.add(&t.result)
			delete(r.ready, r.first)
		}
	}
}

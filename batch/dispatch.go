package batch

import (
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
)

const (
	// ahead is how much work a worker shall have waiting for it, at the pace of
	// the tasks so far, and maxAhead how many tasks that is at most: what waits
	// there cannot be given to another one.
	ahead    = 2 * time.Millisecond
	maxAhead = 32
	// short is how long tasks take that are worth a second process on each core,
	// so that none waits for the next spawn.
	short = 5 * time.Millisecond
)

// node is a node as the map sees it.
type node struct {
	Node
	procs []*proc
	load  int           // tasks that are with its processes
	lost  time.Time     // when it was lost, or refused; zero: it was found since
	bad   engine.Reason // why it cannot run the module; zero: it can
}

// found is what nodes there were when they were asked for.
type found struct {
	nodes []Node
	asked time.Time
}

// place takes what nodes there are.
func (r *run) place(now found) {
	for _, n := range r.order {
		n.Jobs = 0
	}
	for _, f := range now.nodes {
		n := r.nodes[f.ID]
		if n == nil {
			n = &node{}
			r.nodes[f.ID] = n
			r.order = append(r.order, n)
		}
		n.Node = f
		if !now.asked.Before(n.lost) {
			n.lost = time.Time{}
		}
	}
	r.order = slices.DeleteFunc(r.order, func(n *node) bool {
		gone := n.Jobs == 0 && len(n.procs) == 0
		if gone {
			delete(r.nodes, n.ID)
		}
		return gone
	})
	// Idle workers of a node that gets no more have nothing to wait for.
	for _, n := range r.order {
		for _, p := range slices.Clone(n.procs) {
			if n.Jobs == 0 && r.cfg.Worker && len(p.runs) == 0 {
				r.kill(p, engine.Reason{Word: engine.Normal})
			}
		}
	}
}

// room returns how many tasks a node may have at once.
func (r *run) room(n *node) int {
	switch {
	case !n.lost.IsZero() || n.bad.Word != "":
		return 0
	case r.cfg.Worker:
		return n.Jobs * r.depth()
	case r.cfg.Ahead && r.recent.mean < short:
		return 2 * n.Jobs
	}
	return n.Jobs
}

// depth returns how many tasks a worker may have at once.
func (r *run) depth() int {
	if r.recent.mean == 0 {
		return 2
	}
	return 1 + int(min(ahead/r.recent.mean, maxAhead))
}

// free returns the node with the least load for its room, nil if none has any. One that
// the task was lost on, or is on, is the last choice.
func (r *run) free(t *task) (best *node) {
	for _, known := range []bool{false, true} {
		for _, n := range r.order {
			room := r.room(n)
			if n.load >= room || t.knows(n) != known {
				continue
			}
			if best == nil || n.load*r.room(best) < best.load*room {
				best = n
			}
		}
		if best != nil {
			break
		}
	}
	return best
}

// dispatch starts what can be started.
func (r *run) dispatch() {
	for len(r.pending) > 0 {
		t := r.pending[0]
		n := r.free(t)
		if n == nil {
			return
		}
		r.pending = r.pending[1:]
		r.start(t, n)
	}
}

// start gives a task to a process of the node.
func (r *run) start(t *task, n *node) {
	now := time.Now()
	r.progress = now
	t.tries++
	a := &attempt{task: t, since: now}
	t.attempts = append(t.attempts, a)
	n.load++
	if r.cfg.Worker {
		r.call(a, r.worker(n))
		return
	}
	spec := r.cfg.Spec
	spec.Args, spec.NoInput, spec.Seed = t.Args, len(t.Input) == 0, seedOf(spec.Seed, t.Seq)
	a.proc = r.spawn(n, &spec, a)
}

// seedOf gives each task random bytes of its own, the same wherever it runs.
func seedOf(seed uint64, seq int) uint64 {
	if seed == 0 {
		return 0
	}
	// SplitMix64 of Steele, Lea and Flood: one to one, so it is 0 for one seed.
	z := seed + uint64(seq)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return max(1, z^z>>31)
}

// worker returns the worker of a node that has the least to do: a new one, if all
// have something.
func (r *run) worker(n *node) (best *proc) {
	alive := 0
	for _, p := range n.procs {
		if p.killed.Word != "" {
			continue
		}
		alive++
		if best == nil || len(p.runs) < len(best.runs) {
			best = p
		}
	}
	if best == nil || len(best.runs) > 0 && alive < n.Jobs {
		spec := r.cfg.Spec
		spec.NoInput, spec.Limits.Wall = true, 0
		best = r.spawn(n, &spec)
	}
	return best
}

// durations is how long tasks took.
type durations struct {
	mean time.Duration      // of the runs, of late ones more than of early ones; 0: none yet
	last [256]time.Duration // from the start to the end, of the last n
	n    int
}

func (d *durations) add(run, took time.Duration) {
	d.last[d.n%len(d.last)] = took
	d.n++
	if run <= 0 {
		return
	}
	if d.mean == 0 {
		d.mean = run
	}
	d.mean = max(1, d.mean+(run-d.mean)/16)
}

// median returns that of the last ones; 0 if there are too few.
func (d *durations) median() time.Duration {
	if d.n < 3 {
		return 0
	}
	s := slices.Clone(d.last[:min(d.n, len(d.last))])
	slices.Sort(s)
	return s[len(s)/2]
}

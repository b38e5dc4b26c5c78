package batch

import (
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// blame looks at what the end of a process says of its node, and reports whether
// the work is lost, and whether that it was begun.
func (r *run) blame(n *node, why engine.Reason) (lost, begun bool) {
	switch why.Word {
	case engine.NoConnection, engine.NoProc, engine.Shutdown, engine.LeaderGone:
		r.giveUp(n, why)
		return true, true
	case engine.SystemLimit: // it stops, or has too many: it may take one later
		r.giveUp(n, why)
		return true, false
	case engine.ModuleNotFound, engine.ModuleInvalid, engine.NotGranted, engine.NotAllowed:
		n.bad = why
		r.giveUp(n, why)
		return true, false
	case engine.Killed: // from outside
		return true, true
	}
	return false, true
}

// giveUp has a node get no more until it is found again.
func (r *run) giveUp(n *node, why engine.Reason) {
	if n.lost.IsZero() {
		n.lost = time.Now()
		r.sum.Last = why
		r.findSoon()
	}
	// No node can run it, and no other one will.
	if n.bad.Word != "" && !slices.ContainsFunc(r.order, func(n *node) bool { return n.bad.Word == "" }) {
		r.fail(why)
	}
}

// judge decides whether the end of a process was that of its task.
func (r *run) judge(a *attempt, why engine.Reason, report engine.Report) {
	t := a.task
	lost, begun := r.blame(a.proc.node, why)
	if t.dropped { // blamed all nodes
		a.out.discard()
		return
	}
	if r.cfg.RetryTraps && (why.Word == engine.Trap || why.Word == engine.Stack) {
		lost = true
	}
	if r.cfg.Worker && why.Word == engine.Normal {
		why = engine.Reason{Word: engine.Exited, Code: 1, Detail: "the worker ended without an answer"}
	}
	switch {
	case !lost:
		r.conclude(a, why, report)
	case begun && t.lost >= r.cfg.Retries && len(t.attempts) == 0:
		r.conclude(a, why, report)
	default:
		if begun {
			t.lost++
		}
		t.last = a.proc.node
		r.again(a)
	}
}

// again has a task wait for another try, unless a copy of it is under way.
func (r *run) again(a *attempt) {
	t := a.task
	a.out.discard()
	t.dropped = t.dropped || r.killing
	if len(t.attempts) > 0 || t.done || t.dropped {
		return
	}
	r.sum.Lost++
	i, _ := slices.BinarySearchFunc(r.pending, t, func(a, b *task) int { return a.index - b.index })
	r.pending = slices.Insert(r.pending, i, t)
}

// conclude makes the end of an attempt that of its task. A copy of it is ended.
func (r *run) conclude(a *attempt, why engine.Reason, report engine.Report) {
	t := a.task
	if t.done || t.dropped {
		a.out.discard()
		return
	}
	now := time.Now()
	r.progress = now
	r.recent.add(report.Run, now.Sub(a.since))
	t.done = true
	t.result = Result{
		Task: t.Task, Sent: len(t.Input), Node: a.proc.node.Name, Reason: why, Code: r.cfg.Code(why), Report: report, Tries: t.tries,
		Start: a.since, Took: now.Sub(a.since), Output: a.out,
	}
	for _, b := range t.attempts {
		if b.proc.runs[0] == b {
			r.kill(b.proc, engine.Reason{Word: engine.Killed, Detail: "another node was faster"})
		}
	}
	r.held -= len(t.Input)
	t.Input = nil
	r.ended(t)
}

// hedge starts copies of tasks that take long, where there is room and nothing else
// to do.
func (r *run) hedge(now time.Time) {
	median := r.recent.median()
	if median == 0 || len(r.pending) > 0 {
		return
	}
	for _, n := range r.order {
		for _, p := range slices.Clone(n.procs) {
			for _, a := range slices.Clone(p.runs) {
				t := a.task
				if t.done || t.dropped || len(t.attempts) > 1 || now.Sub(a.since) < 3*median {
					continue
				}
				if other := r.free(t); other != nil && !t.knows(other) {
					r.sum.Hedged++
					r.start(t, other)
				}
			}
		}
	}
}

// overdue ends workers whose task takes too long.
func (r *run) overdue(now time.Time) {
	wall := r.cfg.Spec.Limits.Wall
	for _, p := range r.procs {
		if len(p.runs) > 0 && now.Sub(p.runs[0].since) > wall {
			r.kill(p, engine.Limit(engine.Timeout, "%v", wall))
		}
	}
}

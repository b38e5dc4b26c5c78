package guest

import (
	"context"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// maxHeadStart is how long the interpreter has the cores for itself at most; it
// has them as long as it took to prepare the module, as the compiler takes longer
// than that. A Go program's first line takes 5 ms, and 10 beside the compiler.
const maxHeadStart = 30 * time.Millisecond

// runFirst runs a module that was never compiled: in the interpreter, while the
// compiler works, and from then on in the compiled code, as [journal] says. It
// reports false, and has done nothing, for what the interpreter does not take:
// the compiler then says why.
func (r *Runner) runFirst(t *runtime, x *interpreted, p *engine.Process, m engine.ModuleData, limit uint64, report *engine.Report) (engine.Reason, bool) {
	begin := time.Now()
	defer t.interpreter.leave(x)
	select {
	case <-x.ready:
	case <-p.Context().Done():
		return engine.Reason{}, false
	}
	if x.err != nil {
		return engine.Reason{}, false
	}
	report.Compile = time.Since(begin)
	if err := x.entry.suits(p.Spec(), limit); err != nil {
		return refusalOf(err), true
	}

	host, leave := r.cfg.Host.Enter(p.Context(), p)
	defer leave()
	j := newJournal()
	firstCtx, stopFirst := context.WithCancelCause(p.Context())
	defer stopFirst(nil)
	secondCtx, stopSecond := context.WithCancelCause(p.Context())
	defer stopSecond(nil)
	a := newSide(j, first, newRun(firstCtx, p, r.slots), host)
	b := newSide(j, second, newRun(secondCtx, p, r.slots), host)
	b.tookOver = func() {
		p.SetTurn(b.run.turn)
		stopFirst(nil)
	}
	p.SetTurn(a.run.turn)

	reports := [2]engine.Report{*report, *report}
	var ended outcome // of the second instance
	var crash any     // as of recover
	done, alone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer func() { crash = recover() }()
		defer j.giveUp() // in case it was not the one that ended the run
		head := time.NewTimer(min(report.Compile, maxHeadStart))
		defer head.Stop()
		select {
		case <-head.C:
		case <-alone: // what comes next still wants the code
		}
		ended = r.runSecond(t, x.counted, m, b, limit, &reports[second])
	}()
	out := outcome{final: true} // also if wazero panics, as it does when it gets no memory
	func() {
		defer func() {
			if out.final {
				stopSecond(nil)
			}
			close(alone)
			<-done // nothing of a process goes on behind its end
		}()
		out = r.instance(a, limit, &reports[first],
			func() (*instance, error) { return t.newInstance(a, x.rt, x.entry, a, limit) },
			func(i *instance, _ bool) { i.close() })
	}()
	if crash != nil {
		panic(crash)
	}
	total := time.Since(begin) - report.Compile - reports[first].Start
	report.Start = reports[first].Start
	if ended.final {
		out, reports[first] = ended, reports[second]
	}
	report.Run, report.Fuel, report.MaxMemory, report.End = total, reports[first].Fuel, reports[first].MaxMemory, reports[first].End
	return out.reason, true
}

// runSecond runs the second instance, once its module is compiled.
func (r *Runner) runSecond(t *runtime, c *counted, m engine.ModuleData, s *side, limit uint64, report *engine.Report) outcome {
	code, err := t.modules.getCounted(s, m, c, s.run.p.Spec().Origin)
	switch {
	case err == nil:
	case s.Err() == nil && s.seize():
		// A module that does not compile is refused, whoever runs it. The first
		// one may be in a host call that waits.
		why := refusalOf(err)
		s.run.p.Kill(why)
		return outcome{why, true}
	default:
		return outcome{}
	}
	defer t.modules.release(code)
	return r.instance(s, limit, report,
		func() (*instance, error) { return t.get(s, code, s, limit) }, t.put)
}

// outcome is how an instance ended.
type outcome struct {
	reason engine.Reason
	final  bool // and with it the process
}

// instance gets an instance and runs the process in it to its end, as one side
// of a run. Then it puts the instance back, and says whether it ended by itself.
func (r *Runner) instance(s *side, limit uint64, report *engine.Report, get func() (*instance, error), put func(i *instance, ended bool)) outcome {
	turn := s.run.turn
	if !turn.Enter() {
		return outcome{reason: reasonOf(context.Cause(s)), final: s.finish()}
	}
	defer turn.Leave()
	begin := time.Now()
	inst, err := get()
	if err != nil {
		report.Fuel = s.run.count // of a start function
		why := reasonOf(err)
		if s.role == second && why.Word == engine.SystemLimit {
			return outcome{} // no room for another one: the first goes on
		}
		return s.end(nil, why)
	}
	ended := false
	defer func() { put(inst, ended) }()
	text, why := r.execute(s, s.run, inst, begin, report)
	out := s.end(text, why)
	ended = out.final && endedItself(s.run.p, out.reason)
	return out
}

// end says how a side ended, and writes the text of results if that is the end
// of the process.
func (s *side) end(text []byte, why engine.Reason) outcome {
	// The interpreter's stack is smaller than that of compiled code, which
	// therefore has the last word.
	if s.role == first && why.Word == engine.Stack && s.waitForSecond() {
		return outcome{reason: why}
	}
	if !s.finish() {
		return outcome{reason: why}
	}
	return outcome{write(s.run.p, text, why), true}
}

// seize ends the run in the name of the second side, unless it has ended.
func (s *side) seize() bool {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	if s.j.over {
		return false
	}
	s.j.owner, s.j.over = second, true
	s.j.change()
	return true
}

// waitForSecond waits until the second instance has taken over, and returns
// false if it never will.
func (s *side) waitForSecond() bool {
	s.run.turn.Pause()
	defer s.run.turn.Resume()
	j := s.j
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.owner == first && !j.failed {
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-s.Done():
			j.mu.Lock()
			return true
		}
		j.mu.Lock()
	}
	return !j.failed
}

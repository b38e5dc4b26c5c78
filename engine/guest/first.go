package guest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

const (
	// interpretAbove is the estimate of bodyCost above which a module that was
	// never compiled is interpreted at first: what compiles sooner is compiled.
	interpretAbove = 5 * time.Millisecond
	// maxInterpret is how many bytes of modules are interpreted at a time: the
	// interpreter keeps 19 bytes on the heap for each of a Go program's.
	maxInterpret = 8 << 20
)

// interpreter runs modules that were never compiled before, one instance of each
// at a time. Its runtime is made when the first one comes.
type interpreter struct {
	make func() (wazero.Runtime, error)

	mu      sync.Mutex
	rt      wazero.Runtime
	running map[cid.Cid]bool
	bytes   int // of them

	wg sync.WaitGroup // of those that prepare a module
}

func (i *interpreter) runtime() (wazero.Runtime, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var err error
	if i.rt == nil {
		i.rt, err = i.make()
	}
	return i.rt, err
}

func (i *interpreter) close(ctx context.Context) error {
	i.wg.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rt == nil {
		return nil
	}
	return i.rt.Close(ctx)
}

// take says whether a module may be interpreted; leave is called afterwards.
func (i *interpreter) take(m engine.ModuleData) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running[m.CID] || i.bytes+len(m.Bytes) > maxInterpret {
		return false
	}
	if i.running == nil {
		i.running = map[cid.Cid]bool{}
	}
	i.running[m.CID] = true
	i.bytes += len(m.Bytes)
	return true
}

func (i *interpreter) leave(m engine.ModuleData) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.running, m.CID)
	i.bytes -= len(m.Bytes)
}

// known says whether a module is compiled, being compiled, refused, or on disk:
// whether there is no point in interpreting it.
func (c *compiled) known(id cid.Cid) bool {
	c.mu.Lock()
	known := c.byID[id] != nil || c.refused.get(id) != nil
	c.mu.Unlock()
	return known || c.disk != nil && c.disk.Has(id.KeyString())
}

// slowToCompile says whether the estimate for a module is above a bound. It is
// not for a library that gets random bytes from outside of a host call: the two
// instances would get different ones.
func slowToCompile(b []byte, above time.Duration) bool {
	m, err := wasmfile.Parse(b)
	if err != nil {
		return false
	}
	if _, ok := m.Export(abi.Restored); ok {
		return false
	}
	var total time.Duration
	enough := errors.New("enough")
	return m.Bodies(b, func(f wasmfile.Body) error {
		if total += bodyCost(f); total > above {
			return enough
		}
		return nil
	}) == enough
}

// interpretFirst reports whether a run begins in the interpreter. If so the
// caller calls t.interpreter.get.
func (r *Runner) interpretFirst(t *runtime, m engine.ModuleData) bool {
	above := r.cfg.InterpretAbove
	if above == 0 {
		above = interpretAbove
	}
	if bytes.Contains(m.Bytes, []byte(abi.Server)) {
		return false // a journal is of one call
	}
	return above > 0 && len(m.Bytes) <= maxInterpret && !t.modules.known(m.CID) &&
		slowToCompile(m.Bytes, above) && t.interpreter.take(m)
}

// get returns what interpretable does, and a function to call when it is not used
// any more, once for each success of take. A process that is told to end does not
// wait for it.
func (i *interpreter) get(ctx context.Context, m engine.ModuleData) (wazero.Runtime, *entry, func(), error) {
	var rt wazero.Runtime
	var e *entry
	var err error
	release := func() {
		if e != nil {
			e.code.Close(context.Background())
		}
		i.leave(m)
	}
	done := make(chan struct{})
	i.wg.Go(func() {
		defer close(done)
		rt, e, err = i.interpretable(m.Bytes)
	})
	select {
	case <-done:
	case <-ctx.Done():
		i.wg.Go(func() { <-done; release() })
		return nil, nil, nil, context.Cause(ctx)
	}
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	return rt, e, release, nil
}

// interpretable returns a module for the interpreter: the same code, which counts
// the same, with its initial data still in it.
func (i *interpreter) interpretable(b []byte) (wazero.Runtime, *entry, error) {
	a, err := admit(b)
	if err != nil {
		return nil, nil, err
	}
	counted, err := metered(b)
	if err != nil {
		return nil, nil, err
	}
	rt, err := i.runtime()
	if err != nil {
		return nil, nil, err
	}
	code, err := rt.CompileModule(context.Background(), counted)
	if err != nil {
		return nil, nil, err
	}
	return rt, &entry{found: found{admitted: a, code: code, initial: &initial{memory: a.memory}}}, nil
}

// runFirst runs a module that was never compiled: in the interpreter, while the
// compiler works, and from then on in the compiled code, as [journal] says. It
// reports false, and has done nothing, for what the interpreter does not take:
// the compiler then says why.
func (r *Runner) runFirst(t *runtime, p *engine.Process, m engine.ModuleData, limit uint64, report *engine.Report) (engine.Reason, bool) {
	begin := time.Now()
	rt, e, release, err := t.interpreter.get(p.Context(), m)
	if err != nil {
		return engine.Reason{}, false
	}
	defer release()
	report.Compile = time.Since(begin)
	if err := e.suits(p.Spec(), limit); err != nil {
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { crash = recover() }()
		defer j.giveUp() // in case it was not the one that ended the run
		ended = r.runSecond(t, m, b, limit, &reports[second])
	}()
	out := r.instance(a, limit, &reports[first],
		func() (*instance, error) { return t.newInstance(a, rt, e, a, limit) },
		func(i *instance, _ bool) { i.close() })
	if out.final {
		stopSecond(nil)
	}
	<-done
	if crash != nil {
		panic(crash)
	}
	total := time.Since(begin) - report.Compile - reports[first].Start
	report.Start = reports[first].Start
	if ended.final {
		out, reports[first] = ended, reports[second]
	}
	report.Run, report.Fuel, report.MaxMemory = total, reports[first].Fuel, reports[first].MaxMemory
	return out.reason, true
}

// runSecond runs the second instance, once its module is compiled.
func (r *Runner) runSecond(t *runtime, m engine.ModuleData, s *side, limit uint64, report *engine.Report) outcome {
	code, release, err := t.modules.get(s, m, s.run.p.Spec().Origin)
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
	defer release()
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

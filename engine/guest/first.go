package guest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

const (
	// interpretAbove is the estimate of bodyCost above which a module that was
	// never compiled is interpreted at first: what compiles sooner is compiled.
	interpretAbove = 5 * time.Millisecond
	// maxInterpret is the largest module that is interpreted, in bytes: the
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
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rt == nil {
		return nil
	}
	return i.rt.Close(ctx)
}

// take says whether the caller may interpret a module; it calls leave afterwards.
func (i *interpreter) take(id cid.Cid) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running[id] {
		return false
	}
	if i.running == nil {
		i.running = map[cid.Cid]bool{}
	}
	i.running[id] = true
	return true
}

func (i *interpreter) leave(id cid.Cid) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.running, id)
}

// known says whether a module is compiled, being compiled, refused, or on disk:
// whether there is no point in interpreting it.
func (c *compiled) known(id cid.Cid) bool {
	c.mu.Lock()
	known := c.byID[id] != nil || c.refused.get(id) != nil
	c.mu.Unlock()
	return known || c.disk != nil && c.disk.Has(id.KeyString())
}

// slowToCompile says whether the estimate for a module is above a bound.
func slowToCompile(b []byte, above time.Duration) bool {
	m, err := wasmfile.Parse(b)
	if err != nil {
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
// caller calls t.interpreter.leave at its end.
func (r *Runner) interpretFirst(t *runtime, m engine.ModuleData) bool {
	above := r.cfg.InterpretAbove
	if above == 0 {
		above = interpretAbove
	}
	return above > 0 && len(m.Bytes) <= maxInterpret && !t.modules.known(m.CID) &&
		slowToCompile(m.Bytes, above) && t.interpreter.take(m.CID)
}

// runFirst runs a module that was never compiled: in the interpreter, while the
// compiler works, and from then on in the compiled code, as [journal] says.
func (r *Runner) runFirst(t *runtime, p *engine.Process, m engine.ModuleData, limit uint64, report *engine.Report) engine.Reason {
	begin := time.Now()
	memory, err := admit(m.Bytes)
	if err == nil {
		err = fits(memory, limit)
	}
	if err != nil {
		return reasonOf(err)
	}
	rt, err := t.interpreter.runtime()
	if err != nil {
		return engine.Reason{Word: engine.SystemLimit, Detail: err.Error()}
	}
	code, err := rt.CompileModule(context.Background(), capTables(m.Bytes))
	report.Compile = time.Since(begin)
	if err != nil {
		return engine.Reason{Word: engine.ModuleInvalid, Detail: oneLine(err.Error())}
	}
	defer code.Close(context.WithoutCancel(p.Context()))

	ctx, leave := r.cfg.Host.Enter(p.Context(), p)
	defer leave()
	j := newJournal()
	firstCtx, stopFirst := context.WithCancel(p.Context())
	defer stopFirst()
	secondCtx, stopSecond := context.WithCancel(p.Context())
	a := &side{Context: firstCtx, host: ctx, j: j, role: first}
	b := &side{Context: secondCtx, host: ctx, j: j, role: second, stopFirst: stopFirst}

	var ended outcome // of the second instance
	var switched engine.Report
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer j.giveUp() // in case it was not the one that ended the run
		e, release, err := t.modules.get(secondCtx, m, p.Spec().Origin)
		if err != nil {
			// A module that does not compile is refused, whoever runs it.
			if secondCtx.Err() == nil && b.seize() {
				ended = outcome{reasonOf(err), true}
				stopFirst()
			}
			return
		}
		defer release()
		ended = r.instance(t, t.rt, e.code, p, b, limit, &switched)
	}()
	out := r.instance(t, rt, code, p, a, limit, report)
	if out.final {
		stopSecond()
	}
	<-done
	stopSecond()
	report.MaxMemory = max(report.MaxMemory, switched.MaxMemory)
	switch {
	case ended.final:
		report.Run += switched.Run
		return ended.reason
	default:
		return out.reason
	}
}

// outcome is how an instance ended.
type outcome struct {
	reason engine.Reason
	final  bool // and with it the process
}

// instance makes an instance of a module and runs it to its end, as one side of
// a run.
func (r *Runner) instance(t *runtime, rt wazero.Runtime, code wazero.CompiledModule, p *engine.Process, s *side, limit uint64, report *engine.Report) outcome {
	text, reason := r.execute(s, t, rt, code, p, limit, report)
	// The interpreter's stack is smaller than that of compiled code, which
	// therefore has the last word.
	if s.role == first && reason.Word == engine.Stack && s.waitForSecond() {
		return outcome{reason: reason}
	}
	if !s.finish() {
		return outcome{reason: reason}
	}
	if len(text) > 0 {
		if _, err := p.Write(engine.Stdout, text); err != nil {
			reason = reasonOf(err)
		}
	}
	return outcome{reason, true}
}

// seize ends the run in the name of a side, unless it has ended.
func (s *side) seize() bool {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	if s.j.over {
		return false
	}
	s.j.owner, s.j.over = s.role, true
	s.j.change()
	return true
}

// waitForSecond waits until the second instance has taken over, and returns
// false if it never will.
func (s *side) waitForSecond() bool {
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

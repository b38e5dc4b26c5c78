package engine

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// State is where a process is in its life.
type State string

const (
	Starting State = "starting" // getting or compiling its module
	Running  State = "running"
	Exiting  State = "exiting" // told to end
)

// Process is a guest process of this node. Its exported methods are for
// Runners and their host functions; they are safe for concurrent use.
type Process struct {
	eng        *Engine
	pid        PID
	spec       *Spec
	created    time.Time
	ctx        context.Context
	cancel     context.CancelCauseFunc
	io         leaderIO
	reductions atomic.Uint64
	memory     uint64 // bytes of linear memory, of the goroutine that runs it
	turn       Turn   // nil: there is no need to take any

	mu       sync.Mutex
	state    State
	module   Module
	why      Reason // of the first kill; zero while none
	links    smallMap[PID, struct{}]
	monitors smallMap[Ref, PID]
	gone     bool          // links and monitors have been told
	done     chan struct{} // closed when it is gone from the engine; nil until someone asks
	isDone   bool
}

func newProcess(e *Engine, sig *Signal) *Process {
	p := &Process{
		eng: e, pid: sig.To, spec: sig.Spec, created: time.Now(), state: Starting,
		module: sig.Spec.Module,
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.io.init(sig.Spec)
	if sig.Spec.Link {
		p.links.set(sig.From, struct{}{})
	}
	if !sig.Spec.Monitor.IsZero() {
		p.monitors.set(sig.Spec.Monitor, sig.From)
	}
	return p
}

// PID returns the process's name.
func (p *Process) PID() PID { return p.pid }

// Spec returns what it was spawned with: read only.
func (p *Process) Spec() *Spec { return p.spec }

// Context is done when the process is to end. Host functions that block watch
// it. Its cause is the Reason.
func (p *Process) Context() context.Context { return p.ctx }

// Done is closed when the process is gone and its Down signals are sent.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.isDone {
			close(p.done)
		}
	}
	return p.done
}

// Running says that the guest's first instruction is due.
func (p *Process) Running() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == Starting {
		p.state = Running
	}
}

// SetReductions says how many reductions the guest has used so far: about one
// for each instruction.
func (p *Process) SetReductions(n uint64) { p.reductions.Store(n) }

// Kill tells the process to end with the reason. The first reason stays.
func (p *Process) Kill(r Reason) {
	p.mu.Lock()
	if p.why.Word == "" {
		p.why = r
		p.state = Exiting
	}
	r = p.why
	p.mu.Unlock()
	p.cancel(r)
}

// Info returns a snapshot.
func (p *Process) Info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Info{
		PID: p.pid, Module: p.module.Name, CID: p.module.CID, Entry: p.spec.Entry, State: p.state,
		Created: p.created, Origin: p.spec.Origin, Leader: p.spec.Leader.PID, Parent: p.spec.Parent,
		Reductions: p.reductions.Load(),
	}
}

// run is the process's goroutine: it gets the module, runs it, announces the end.
func (p *Process) run() {
	if wall := p.spec.Limits.Wall; wall > 0 {
		t := time.AfterFunc(wall, func() { p.Kill(Limit(Timeout, "%v", wall)) })
		defer t.Stop()
	}
	var report Report
	reason := p.main(&report)
	p.mu.Lock()
	if p.why.Word != "" {
		reason = p.why
	}
	p.mu.Unlock()
	p.exit(reason, &report)
}

// main resolves, fetches and runs. Any panic of a Runner is the node's own
// fault, but it must cost no other process its life.
func (p *Process) main(report *Report) (r Reason) {
	defer func() {
		if v := recover(); v != nil {
			p.eng.log.Error("panic while running a guest", "pid", p.pid, "panic", v, "stack", string(debug.Stack()))
			r = Reasonf(SystemLimit, "internal error of the node: %v", v)
		}
	}()
	m := p.spec.Module
	if !m.CID.Defined() {
		c, err := p.eng.modules.Resolve(m.Name)
		if err != nil {
			return asReason(err, ModuleNotFound)
		}
		p.mu.Lock()
		p.module.CID = c
		p.mu.Unlock()
		m.CID = c
	}
	b, err := p.eng.modules.Open(p.ctx, m.CID, m.Size, p.spec.Parent.Node)
	begin := time.Now()
	report.Fetch = begin.Sub(p.created)
	if err != nil {
		return asReason(err, ModuleNotFound)
	}
	r = p.eng.runner.Run(p, ModuleData{CID: m.CID, Bytes: b}, report)
	if report.Run == 0 {
		report.Run = time.Since(begin)
	}
	return r
}

// asReason turns an error into a reason, of class w if it has none.
func asReason(err error, w Word) Reason {
	var r Reason
	if errors.As(err, &r) {
		return r
	}
	return Reason{Word: w, Detail: err.Error()}
}

// exit takes the process out of the table and then tells who asked to be told:
// on Down, nothing of the process is visible any more.
func (p *Process) exit(r Reason, report *Report) {
	e := p.eng
	e.mu.Lock()
	delete(e.procs, p.pid)
	e.mu.Unlock()
	e.quotas.exit(p.spec.Origin, p.memory)
	p.cancel(r)

	p.mu.Lock()
	links, monitors := p.links, p.monitors
	p.links, p.monitors, p.gone = smallMap[PID, struct{}]{}, smallMap[Ref, PID]{}, true
	p.mu.Unlock()
	for ref, to := range monitors.all() {
		e.send(&Signal{Kind: KindDown, From: p.pid, To: to, Ref: ref, Reason: r, Report: report})
	}
	for to := range links.all() {
		e.send(&Signal{Kind: KindExit, From: p.pid, To: to, Reason: r})
	}
	if e.log.Enabled(context.Background(), slog.LevelInfo) {
		e.log.Info("exit", "pid", p.pid.Text(e.alias()), "reason", r.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isDone = true
	if p.done != nil {
		close(p.done)
	}
}

// alias is the node part of the pids that this node prints.
func (e *Engine) alias() string {
	if e.name != "" {
		return e.name
	}
	return e.node.String()[:12]
}

// signal handles a signal to this process, on the sender's goroutine or the
// reader of its session: it never blocks.
func (p *Process) signal(sig *Signal) {
	switch sig.Kind {
	case KindExit:
		p.mu.Lock()
		linked := p.links.delete(sig.From)
		p.mu.Unlock()
		if linked && sig.Reason.Word != Normal {
			p.Kill(sig.Reason)
		}
	case KindExit2:
		switch sig.Reason.Word {
		case Kill:
			p.Kill(Reason{Word: Killed, Detail: sig.Reason.Detail})
		case Normal:
		default:
			p.Kill(sig.Reason)
		}
	case KindMonitor:
		p.mu.Lock()
		gone := p.gone
		if !gone {
			p.monitors.set(sig.Ref, sig.From)
		}
		p.mu.Unlock()
		if gone {
			p.eng.bounce(sig, NoProc)
		}
	case KindDemonitor:
		p.mu.Lock()
		if by, ok := p.monitors.get(sig.Ref); ok && by == sig.From {
			p.monitors.delete(sig.Ref)
		}
		p.mu.Unlock()
	case KindUnlink:
		p.mu.Lock()
		p.links.delete(sig.From)
		p.mu.Unlock()
	case KindDown, KindCredit, KindInputData, KindFileReply, KindWindow:
		if sig.From == p.spec.Leader.PID {
			p.io.signal(sig)
		}
	}
}

// sessionDown is called when the connection to a node is lost.
func (p *Process) sessionDown(node NodeID) {
	p.mu.Lock()
	linked := false
	for to := range p.links.all() {
		if to.Node == node {
			linked = true
			p.links.delete(to)
		}
	}
	for ref, to := range p.monitors.all() {
		if to.Node == node {
			p.monitors.delete(ref)
		}
	}
	p.mu.Unlock()
	if p.spec.Leader.PID.Node == node {
		p.io.leaderGone()
	}
	if linked {
		p.Kill(Reason{Word: NoConnection, Detail: "lost the node it was linked to"})
	}
}

package engine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
)

// State is where a process is in its life.
type State string

const (
	Starting State = "starting" // getting or compiling its module
	Running  State = "running"
	Exiting  State = "exiting" // told to end
)

// Process is a process of this node that has a mailbox: a guest, or a function of
// Go that Engine.Go runs. Methods that receive or wait are for the goroutine that
// runs it alone; the others are safe for concurrent use.
type Process struct {
	actor
	spec       *Spec
	account    Origin // whose quota it counts towards
	created    time.Time
	life       life
	io         leaderIO
	mailbox    mailbox
	reductions atomic.Uint64
	memory     uint64      // bytes of linear memory, of the goroutine that runs it
	turn       Turn        // nil: there is no need to take any
	wall       *time.Timer // of its time limit
	server     Server      // nil: it has a goroutine as long as it lives
	report     Report
	result     *Message // of a call; nil: none yet

	// Under actor.mu.
	state        State
	cid          cid.Cid // of its module; undefined: not known yet
	timers       map[Ref]timer
	timerBytes   int           // of what they will send
	started      chan struct{} // closed when it is not Starting any more; nil until someone asks
	done         chan struct{} // closed when it is gone from the engine; nil until someone asks
	isDone       bool
	how          End // of the first kill
	trapsExit    bool
	watchesNodes bool // MonitorNode or MonitorNodes was called; under Engine.mu
}

func newProcess(e *Engine, pid PID, spec *Spec, account Origin) *Process {
	p := &Process{actor: actor{eng: e, pid: pid}, spec: spec, account: account, created: time.Now(), state: Starting, cid: spec.Module.CID}
	p.self = p
	p.io.init(spec)
	if p.mailbox.limit = int(min(spec.Limits.Mailbox, math.MaxInt32)); p.mailbox.limit == 0 {
		p.mailbox.limit = DefaultMailbox
	}
	p.mailbox.drop = spec.DropWhenFull
	if spec.Link {
		p.links.set(spec.Parent, 0)
	}
	if !spec.Monitor.IsZero() {
		p.monitors.set(spec.Monitor, spec.Parent)
	}
	return p
}

// Spec returns what it was spawned with: read only.
func (p *Process) Spec() *Spec { return p.spec }

// Engine returns the node that the process is on.
func (p *Process) Engine() *Engine { return p.eng }

// Module returns what it runs, with its CID once that is known.
func (p *Process) Module() Module {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.spec.Module
	m.CID = p.cid
	return m
}

// Context is done when the process is to end. Host functions that block watch
// it. Its error, and its cause, is the Reason.
func (p *Process) Context() context.Context { return &p.life }

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
		p.setState(Running)
	}
}

// setState changes the state. p.mu is held.
func (p *Process) setState(s State) {
	if p.state == Starting && p.started != nil {
		close(p.started)
	}
	p.state = s
}

// Started returns a channel that is closed when the guest's first instruction is
// due, or there will be none.
func (p *Process) Started() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started == nil {
		p.started = make(chan struct{})
		if p.state != Starting {
			close(p.started)
		}
	}
	return p.started
}

// SetReductions says how many reductions the guest has used so far: about one
// for each instruction.
func (p *Process) SetReductions(n uint64) { p.reductions.Store(n) }

// Kill tells the process to end with the reason. The first reason stays.
func (p *Process) Kill(r Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill(r, EndKilled)
}

// Leave is as Kill, for a process that ends itself: how is EndExited or EndThrown.
func (p *Process) Leave(r Reason, how End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill(r, how)
}

// kill is Kill with p.mu held.
func (p *Process) kill(r Reason, how End) {
	if p.gone {
		return
	}
	if r.Word == "" {
		r.Word = Killed // by who gave no reason
	}
	if !p.life.over.Load() {
		p.how = how
		p.setState(Exiting)
		p.life.end(r)
	}
	p.mailbox.poke(p)
}

// overflow ends a process that does not read what it is sent.
func (p *Process) overflow() {
	b := &p.mailbox
	b.mu.Lock()
	what := Limit(MailboxOverflow, "%s, full for %v", SizeText(uint64(b.limit)), fullTime)
	if b.free > maxBeyond {
		what = Limit(MailboxOverflow, "%s of exits, downs and timeouts", SizeText(maxBeyond))
	}
	by := map[PID]int{}
	top := PID{}
	for m := b.first; m != nil; m = m.next {
		if by[m.From] += messageCost + len(m.Data); by[m.From] > by[top] {
			top = m.From
		}
	}
	overdue := b.overdue() // else there was room when the time was over
	b.mu.Unlock()
	if overdue {
		what.Detail += "; most is from " + p.eng.PIDText(top)
		p.Kill(what)
	}
}

// run is what a worker does for the process: all of its life, or for a server
// what there is to do now.
func (p *Process) run() {
	if p.server == nil {
		if wall := p.spec.Limits.Wall; wall > 0 {
			p.wall = time.AfterFunc(wall, func() { p.Kill(Limit(Timeout, "%v", wall)) })
		}
		reason, ok := p.guarded(p.main)
		if p.spec.Call && ok && reason.Word == Normal && p.life.Err() == nil {
			p.reply()
		}
		if p.server == nil || !ok {
			p.exit(reason)
			return
		}
	}
	if reason, ok := p.guarded(p.serve); !ok {
		p.exit(reason)
	}
}

// guarded calls f; ok is false if it panicked. Any panic of a Runner is the node's
// own fault, but it must cost no other process its life.
func (p *Process) guarded(f func() Reason) (r Reason, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			p.eng.log.Error("panic while running a guest", "pid", p.pid, "panic", v, "stack", string(debug.Stack()))
			r = Reasonf(SystemLimit, "internal error of the node: %v", v)
		}
	}()
	return f(), true
}

// main resolves, fetches and runs.
func (p *Process) main() Reason {
	if f := p.spec.run; f != nil {
		p.Running()
		r := f(p)
		if p.report.End = EndExited; r.Word == Normal {
			p.report.End = EndReturned
		}
		return r
	}
	report := &p.report
	m := p.spec.Module
	if !m.CID.Defined() {
		c, err := p.eng.modules.Resolve(m.Name)
		if err != nil {
			return asReason(err, ModuleNotFound)
		}
		p.mu.Lock()
		p.cid = c
		p.mu.Unlock()
		m.CID = c
	}
	data := ModuleData{CID: m.CID, of: p}
	if !p.eng.modules.Has(m.CID) {
		if err := data.Load(); err != nil {
			return err.(Reason)
		}
	}
	r := p.eng.runner.Run(p, data, report)
	if report.Run == 0 {
		report.Run = time.Since(p.created) - report.Fetch
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

// exit takes the process out of all tables and then tells who asked to be told:
// on Down, nothing of the process is visible any more.
func (p *Process) exit(r Reason) {
	e := p.eng
	p.mu.Lock()
	if p.life.over.Load() {
		r = p.life.why
		p.report.End = p.how
	}
	timers := p.timers
	p.timers = nil
	p.mu.Unlock()
	for _, t := range timers {
		t.Stop()
	}
	if p.wall != nil {
		p.wall.Stop()
	}
	e.forget(&p.actor)
	e.mu.Lock()
	e.forgetNodes(p)
	delete(e.ends, p.pid)
	e.processes--
	e.mu.Unlock()
	e.quotas.exit(p.account, p.memory)
	p.life.end(r)
	p.mailbox.close(p)
	p.end(r, &p.report)
	level := slog.LevelInfo
	if r.Word == Normal {
		level = slog.LevelDebug // as of OTP: nobody reads thousands a second
	}
	if e.log.Enabled(context.Background(), level) {
		e.log.Log(context.Background(), level, "exit", "pid", p.pid.Text(e.alias()), "reason", r.Error())
	}
	p.mu.Lock()
	p.setState(Exiting)
	p.isDone = true
	if p.done != nil {
		close(p.done)
	}
	p.mu.Unlock()
	e.wg.Done()
}

// alias is the node part of the pids that this node prints.
func (e *Engine) alias() string {
	if e.name != "" {
		return e.name
	}
	return e.node.String()[:12]
}

// signal implements endpoint.
func (p *Process) signal(sig *Signal) {
	switch sig.Kind {
	case KindMessage:
		switch m := sig.Message; {
		case m.Kind == MessageReply:
			p.answer(m, sig)
			return
		case m.Kind == MessageCall && sig.session != nil:
			m.foreign = sig.N != 0 || !sig.session.controls(p)
		}
		p.mailbox.add(sig.Message, sig, p)
	case KindLink:
		if !p.takes(sig) {
			p.eng.send(&Signal{Kind: KindExit, From: p.pid, To: sig.From, Reason: noLink})
			return
		}
		p.books(sig)
	case KindUnlink, KindUnlinkAck, KindMonitor, KindDemonitor, KindExit:
		p.books(sig)
	case KindExit2:
		if sig.session != nil && !sig.session.controls(p) {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.exitSignal(sig.From, sig.Reason, false)
	case KindDown:
		if sig.Ref.IsZero() {
			if l := p.Leader(); l.PID == sig.From {
				p.leaderGone(l)
			}
		} else {
			p.books(sig)
		}
	case KindCredit, KindInputData, KindFileReply, KindWindow:
		p.io.signal(sig)
	case KindLeader:
		if sig.session == nil || sig.session.controls(p) {
			p.setLeader(sig.Leader)
		}
	}
}

// takes implements endpoint: a process that takes a link may end with the other one.
func (p *Process) takes(sig *Signal) bool {
	p.mu.Lock()
	traps := p.trapsExit
	p.mu.Unlock()
	switch {
	case traps:
		return true
	case sig.session != nil:
		return sig.N == 0 && sig.session.controls(p)
	}
	from, ok := p.eng.end(sig.From).(*Process)
	return !ok || from.spec.Origin == p.spec.Origin || from.spec.Origin == p.eng.owner
}

// told implements endpoint.
func (p *Process) told(sig *Signal) {
	if sig.Kind == KindExit {
		p.exitSignal(sig.From, sig.Reason, true)
		return
	}
	m := &Message{Kind: MessageDown, From: sig.From, Ref: sig.Ref, Reason: sig.Reason, prepaid: true}
	if sig.Report != nil {
		m.End = sig.Report.End
	}
	p.mailbox.add(m, nil, p)
}

// exitSignal handles an exit signal as OTP does. p.mu is held.
func (p *Process) exitSignal(from PID, r Reason, link bool) {
	switch {
	case !link && r.Word == Kill:
		p.kill(Reason{Word: Killed, Detail: r.Detail}, EndKilled)
	case p.trapsExit:
		p.mailbox.add(&Message{Kind: MessageExit, From: from, Reason: r, prepaid: link}, nil, p)
	case r.Word == Normal && from != p.pid:
	default:
		p.kill(r, EndKilled)
	}
}

// sessionDown implements endpoint.
func (p *Process) sessionDown(s *Session) {
	p.mailbox.forget(s)
	for _, sig := range p.lost(s) {
		p.signal(sig)
	}
	if l := p.Leader(); l.PID.Node == s.peer.Node {
		p.leaderGone(l)
	}
}

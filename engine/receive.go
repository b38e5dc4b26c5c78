package engine

import (
	"context"
	"sync"
	"time"
)

// reachTime bounds how long a process waits for a node that it uses to be
// connected.
const reachTime = 5 * time.Second

// Send sends a message; the process must not use it any more. It never fails
// because the receiver is gone. It waits while the receiver's mailbox is full or
// the connection busy, and for a node that is not connected to be so. The error is
// BadArg for a message that is too large, or the reason why this process must end.
func (p *Process) Send(to PID, m *Message) error {
	if err := p.prepare(m); err != nil {
		return err
	}
	if to.Node != p.eng.node {
		return p.sendRemote(to, "", m)
	}
	switch t := p.eng.end(to).(type) {
	case *Process:
		m.foreign = m.Kind == MessageCall && p.spec.Origin != t.spec.Origin && p.spec.Origin != p.eng.owner
		return p.sendLocal(t, m, true)
	case *Native:
		t.signal(&Signal{Kind: KindMessage, From: p.pid, To: to, Message: m})
	}
	return p.check()
}

// SendName is as Send, to who has the name on the node when it arrives. NoProc if
// that is this node and nobody has.
func (p *Process) SendName(node NodeID, name string, m *Message) error {
	if node == p.eng.node {
		to := p.eng.Whereis(name)
		if to.IsZero() {
			return Reasonf(NoProc, "nobody is called %q", name)
		}
		return p.Send(to, m)
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := p.prepare(m); err != nil {
		return err
	}
	return p.sendRemote(p.eng.someone(node), name, m)
}

func (p *Process) prepare(m *Message) error {
	m.From = p.pid
	if len(m.Data) > MaxMessage {
		return Reasonf(BadArg, "a message of %d bytes, the limit is %d", len(m.Data), MaxMessage)
	}
	return nil
}

// sendLocal sends to a process of this node. own says that it is called on the
// goroutine that runs the process, which has a turn to give up.
func (p *Process) sendLocal(t *Process, m *Message, own bool) error {
	for {
		var room <-chan struct{}
		if m.Kind == MessageReply {
			room = t.answer(m, nil)
		} else {
			room = t.mailbox.offer(m, t)
		}
		if room == nil {
			return p.check()
		}
		if err := p.pause(room, nil, own); err != nil {
			return err
		}
	}
}

// pause waits for c, the end of over, or that of the process: the error is why.
func (p *Process) pause(c, over <-chan struct{}, own bool) error {
	if own {
		p.Pause()
		defer p.Resume()
	}
	select {
	case <-c:
	case <-over:
	case <-p.life.Done():
	}
	return p.check()
}

// signals holds signals that carried a message: neither a link nor a session keeps
// them, and they are larger than most messages.
var signals = sync.Pool{New: func() any { return new(Signal) }}

func (p *Process) sendRemote(to PID, name string, m *Message) error {
	s := p.reach(to.Node)
	if s == nil {
		return p.check() // lost, as any message to a node that is down
	}
	if to.Counter == 0 {
		to.Incarnation = s.peer.Incarnation
	} else if to.Incarnation != s.peer.Incarnation {
		return p.check()
	}
	sig := signals.Get().(*Signal)
	*sig = Signal{Kind: KindMessage, From: p.pid, To: to, Name: name, Message: m}
	if m.Kind == MessageCall && p.spec.Origin != p.eng.owner {
		sig.N = 1
	}
	err := p.sendOver(s, sig, true)
	*sig = Signal{}
	signals.Put(sig)
	return err
}

// sendOver sends a message over a session, when it may. own is as of sendLocal.
func (p *Process) sendOver(s *Session, sig *Signal, own bool) error {
	for s.ctx.Err() == nil {
		wait := s.holds(sig.To, sig.Name)
		if wait == nil {
			wait = s.link.Busy(sig)
		}
		if wait == nil {
			break
		}
		if err := p.pause(wait, s.ctx.Done(), own); err != nil {
			return err
		}
	}
	s.link.Send(sig)
	return p.check()
}

// reach returns the session with a node, connecting to it if it is not, nil if it
// cannot be reached or is this one.
func (p *Process) reach(node NodeID) *Session {
	s := p.eng.Session(node)
	if s != nil && s.ctx.Err() == nil || node == p.eng.node || node == (NodeID{}) {
		return s
	}
	p.Pause()
	defer p.Resume()
	ctx, cancel := context.WithTimeout(&p.life, reachTime)
	defer cancel()
	if id, err := p.eng.Connect(ctx, p.eng.known(node)); err != nil || id != node {
		return nil
	}
	return p.eng.Session(node)
}

// Receive takes the first message that matches out of the mailbox, and waits for
// one: for ever if timeout is below 0, not at all if it is 0. The message is nil
// when that is over. The error is the reason why the process must end.
func (p *Process) Receive(match Match, timeout time.Duration) (*Message, error) {
	m, err := p.Await(match, timeout)
	if m != nil {
		p.Take(m)
	}
	return m, err
}

// Await is as Receive, and leaves the message in the mailbox. It must not be
// changed, and is there until it is taken.
func (p *Process) Await(match Match, timeout time.Duration) (*Message, error) {
	if p.life.Err() != nil {
		return nil, p.check()
	}
	b := &p.mailbox
	var after *Message
	m := b.find(&match, &after, timeout != 0)
	if m != nil || timeout == 0 {
		return m, nil
	}
	var due <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		due = t.C
	}
	p.Pause()
	defer p.Resume()
	for m == nil {
		if p.life.Err() != nil {
			b.stopWaiting()
			return nil, p.check()
		}
		if due == nil {
			<-b.wake
		} else {
			select {
			case <-b.wake:
			case <-due:
				b.stopWaiting()
				return b.find(&match, &after, false), nil
			}
		}
		m = b.find(&match, &after, true)
	}
	return m, p.check()
}

// Next returns the first message behind another, or of all, that matches, and
// leaves it in the mailbox; nil if there is none.
func (p *Process) Next(match Match, after *Message) *Message {
	return p.mailbox.find(&match, &after, false)
}

// After is as Next, behind the message with an ID, which need not be there.
func (p *Process) After(match Match, id uint64) *Message {
	b := &p.mailbox
	b.mu.Lock()
	defer b.mu.Unlock()
	for m := b.first; m != nil; m = m.next {
		if m.id > id && match.Matches(m) {
			return m
		}
	}
	return nil
}

// Take removes a message that is in the mailbox. It is the caller's then.
func (p *Process) Take(m *Message) { p.mailbox.take(m, p) }

// Arrived returns a channel that is closed as long as there is a message behind the
// one with an ID, which need not be there.
func (p *Process) Arrived(id uint64) <-chan struct{} {
	b := &p.mailbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil && b.last.id > id || b.closed {
		return closedChan
	}
	if b.arrived == nil {
		b.arrived = make(chan struct{})
	}
	return b.arrived
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

package engine

import "sync"

// endpoint is what signals are delivered to: a Process or a Native.
type endpoint interface {
	// signal handles a signal to it, on the sender's goroutine or the reader of
	// its session. It never blocks, and owns the signal.
	signal(*Signal)
	// told is called with actor.mu held for a Down or Exit that a monitor or link
	// asked for, in one step with the end of that monitor or link: who takes it back
	// later finds it in the mailbox.
	told(*Signal)
	// takes reports whether it takes a link, a Link signal.
	takes(*Signal) bool
	// sessionDown is called when a session is lost that it was bound to.
	sessionDown(*Session)
}

// actor is what all processes have, guests' and natives: a name, links and
// monitors. Its exported methods are those of Process and Native.
type actor struct {
	eng  *Engine
	pid  PID
	self endpoint

	mu       sync.Mutex
	links    smallMap[PID, uint64]        // 0: linked, else the number of the unlink that another node has not acknowledged yet
	monitors smallMap[Ref, PID]           // who watches it
	watching *smallMap[Ref, watched]      // whom it watches; nil until it does
	sessions smallMap[*Session, struct{}] // that it must hear the loss of
	visible  *visible                     // nil: it has no name, and is in no group
	hidden   bool                         // and cannot get one any more
	gone     bool                         // links and monitors have been told
}

// watched is what a monitor of ours was set for.
type watched struct {
	pid  PID    // its node alone if there is a name
	name string // "": by pid
	call bool   // it ends when it has replied
}

// PID returns the process's name.
func (a *actor) PID() PID { return a.pid }

// link links the process with another, unless they are. foreign says that its origin
// is not that of the node's owner.
func (a *actor) link(to PID, foreign bool) {
	if to == a.pid {
		return
	}
	sig := &Signal{Kind: KindLink, From: a.pid, To: to}
	if foreign {
		sig.N = 1
	}
	if to.Node == a.eng.node {
		a.linkLocal(sig)
		return
	}
	a.mu.Lock()
	unlink, linked := a.links.get(to)
	if a.gone || linked && unlink == 0 {
		a.mu.Unlock()
		return
	}
	a.links.set(to, 0)
	failed := a.over(sig)
	a.mu.Unlock()
	if failed != "" {
		a.eng.bounce(sig, failed)
	}
}

// linkLocal links two processes of this node in one step.
func (a *actor) linkLocal(sig *Signal) {
	b := a.eng.actor(sig.To)
	takes := b != nil && b.self.takes(sig)
	unlock := lockBoth(a, b)
	_, linked := a.links.get(sig.To)
	if !a.gone && !linked {
		a.links.set(sig.To, 0)
		if takes && !b.gone {
			b.links.set(a.pid, 0)
			linked = true
		}
	}
	unlock()
	if linked { // perhaps with one that ends: its exit is on the way
		return
	}
	why := Reason{Word: NoProc}
	if b != nil && !takes {
		why = noLink
	}
	a.self.signal(&Signal{Kind: KindExit, From: sig.To, To: a.pid, Reason: why})
}

// noLink is the exit that answers a link of another origin.
var noLink = Reason{Word: NotAllowed, Detail: "it takes no links of another origin"}

// lockBoth locks two processes of this node, or a alone if b is nil. Nothing else
// locks more than one.
func lockBoth(a, b *actor) (unlock func()) {
	if b == nil || b == a {
		a.mu.Lock()
		return a.mu.Unlock
	}
	if a.pid.Compare(b.pid) > 0 {
		a, b = b, a
	}
	a.mu.Lock()
	b.mu.Lock()
	return func() { a.mu.Unlock(); b.mu.Unlock() }
}

// Unlink takes a link back. Once it returned, no exit signal of that link is
// received; if exits are trapped, a message about one may be in the mailbox.
func (a *actor) Unlink(to PID) {
	if to.Node == a.eng.node {
		b := a.eng.actor(to)
		defer lockBoth(a, b)()
		a.links.delete(to)
		if b != nil {
			b.links.delete(a.pid)
		}
		return
	}
	a.mu.Lock()
	unlink, linked := a.links.get(to)
	if !linked || unlink != 0 {
		a.mu.Unlock()
		return
	}
	n := a.eng.counter.Add(1)
	a.links.set(to, n)
	sig := &Signal{Kind: KindUnlink, From: a.pid, To: to, N: n}
	failed := a.over(sig)
	a.mu.Unlock()
	if failed != "" {
		a.eng.bounce(sig, failed)
	}
}

func (a *actor) monitorPID(to PID) Ref {
	return a.monitor(&Signal{Kind: KindMonitor, From: a.pid, To: to})
}

func (a *actor) monitorName(node NodeID, name string) Ref {
	if node == a.eng.node {
		if pid := a.eng.Whereis(name); !pid.IsZero() {
			return a.monitorPID(pid)
		}
	}
	return a.monitor(&Signal{Kind: KindMonitor, From: a.pid, To: a.eng.someone(node), Name: name})
}

func (a *actor) monitor(sig *Signal) Ref {
	sig.Ref = a.eng.MakeRef()
	ref := sig.Ref
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return ref
	}
	a.watches(ref, watched{pid: sig.To, name: sig.Name})
	a.mu.Unlock()
	a.bound(sig)
	return ref
}

// watches notes whom a monitor is of. a.mu is held.
func (a *actor) watches(ref Ref, w watched) {
	if a.watching == nil {
		a.watching = &smallMap[Ref, watched]{}
	}
	a.watching.set(ref, w)
}

// demonitor takes a monitor back. Its Down is not received any more.
func (a *actor) demonitor(ref Ref) (was bool) {
	a.mu.Lock()
	w, was := a.watching.get(ref)
	a.watching.delete(ref)
	a.mu.Unlock()
	if was {
		a.eng.send(&Signal{Kind: KindDemonitor, From: a.pid, To: w.pid, Name: w.name, Ref: ref})
	}
	return was
}

// bound sends a signal about which this process must hear if the connection is
// lost: then, and if there is none, it is answered as undeliverable.
func (a *actor) bound(sig *Signal) {
	e := a.eng
	if sig.To.Node == e.node {
		e.deliver(sig)
		return
	}
	a.mu.Lock()
	failed := a.over(sig)
	a.mu.Unlock()
	if failed != "" {
		e.bounce(sig, failed)
	}
}

// over is bound for another node with a.mu held, so that signals leave in the order
// of the changes of the books that they tell of. It returns why the signal was not
// sent, "" if it was.
func (a *actor) over(sig *Signal) Word {
	s := a.eng.Session(sig.To.Node)
	switch {
	case s == nil || !a.bindLocked(s):
		return NoConnection
	case sig.To.Incarnation != s.peer.Incarnation:
		return NoProc
	}
	s.link.Send(sig)
	return ""
}

// bind has sessionDown called when the session is lost. It is false if it is lost
// already.
func (a *actor) bind(s *Session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bindLocked(s)
}

// bindLocked is bind with a.mu held.
func (a *actor) bindLocked(s *Session) bool {
	if a.gone {
		return true // there is nobody who would want to hear of it
	}
	if _, ok := a.sessions.get(s); ok {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return false
	}
	s.bound[a.self] = struct{}{}
	a.sessions.set(s, struct{}{})
	return true
}

// bindTo is bind for whatever session there is with a node, if it is another.
func (a *actor) bindTo(n NodeID) {
	if n == a.eng.node {
		return
	}
	if s := a.eng.Session(n); s != nil {
		a.bind(s)
	}
}

// books keeps the books of links and monitors for a signal that came, and reports
// whether it is one to be told.
func (a *actor) books(sig *Signal) bool {
	a.mu.Lock()
	gone := a.gone
	tell := false
	switch sig.Kind {
	case KindLink:
		if _, ok := a.links.get(sig.From); !gone && !ok {
			a.links.set(sig.From, 0)
		}
		// If we are unlinking, they will hear of that.
	case KindUnlink:
		if n, ok := a.links.get(sig.From); ok && n == 0 {
			a.links.delete(sig.From)
		}
		// Before this process links again, or they would take that for what they
		// took back.
		if s := a.eng.Session(sig.From.Node); s != nil {
			s.link.Send(&Signal{Kind: KindUnlinkAck, From: a.pid, To: sig.From, N: sig.N})
		}
	case KindUnlinkAck:
		if n, ok := a.links.get(sig.From); ok && n != 0 && n == sig.N {
			a.links.delete(sig.From)
		}
	case KindMonitor:
		if !gone {
			a.monitors.set(sig.Ref, sig.From)
		}
	case KindDemonitor:
		if by, ok := a.monitors.get(sig.Ref); ok && by == sig.From {
			a.monitors.delete(sig.Ref)
		}
	case KindExit:
		n, ok := a.links.get(sig.From)
		tell = ok && n == 0
		if ok {
			a.links.delete(sig.From)
		}
	case KindDown:
		// Nobody can make up a Down.
		w, ok := a.watching.get(sig.Ref)
		tell = ok && (w.pid == sig.From || w.name != "" && w.pid.Node == sig.From.Node)
		if tell {
			a.watching.delete(sig.Ref)
		}
	}
	if tell = tell && !gone; tell {
		a.self.told(sig)
	}
	a.mu.Unlock()
	if sig.Kind == KindLink || sig.Kind == KindMonitor {
		if gone {
			a.eng.bounce(sig, NoProc)
		} else {
			a.bindTo(sig.From.Node)
		}
	}
	return tell
}

// lost takes what was bound to a session and returns the signals that its loss is.
func (a *actor) lost(s *Session) (sigs []*Signal) {
	node, lost := s.peer.Node, Reason{Word: NoConnection}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions.delete(s)
	for ref, w := range a.watching.all() {
		if w.pid.Node == node {
			sigs = append(sigs, &Signal{Kind: KindDown, From: w.pid, To: a.pid, Ref: ref, Reason: lost, Report: &Report{}})
		}
	}
	for to := range a.links.all() {
		if to.Node == node {
			sigs = append(sigs, &Signal{Kind: KindExit, From: to, To: a.pid, Reason: lost})
		}
	}
	for ref, to := range a.monitors.all() {
		if to.Node == node {
			a.monitors.delete(ref)
		}
	}
	return sigs
}

// end tells those linked to the process and those who watch it that it ended. Who
// can see the process has been told by then that there is none.
func (a *actor) end(r Reason, report *Report) {
	a.mu.Lock()
	links, monitors, watching, sessions := a.links, a.monitors, a.watching, a.sessions
	a.links, a.monitors, a.watching, a.sessions = smallMap[PID, uint64]{}, smallMap[Ref, PID]{}, nil, smallMap[*Session, struct{}]{}
	a.gone = true
	a.mu.Unlock()
	e := a.eng
	for s := range sessions.all() {
		s.mu.Lock()
		delete(s.bound, a.self)
		s.mu.Unlock()
	}
	for ref, to := range monitors.all() {
		e.send(&Signal{Kind: KindDown, From: a.pid, To: to, Ref: ref, Reason: r, Report: report})
	}
	for to, unlink := range links.all() {
		if unlink == 0 {
			e.send(&Signal{Kind: KindExit, From: a.pid, To: to, Reason: r})
		}
	}
	for ref, w := range watching.all() {
		e.send(&Signal{Kind: KindDemonitor, From: a.pid, To: w.pid, Name: w.name, Ref: ref})
	}
}

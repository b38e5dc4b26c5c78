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
	links    smallMap[PID, uint64]        // 0: linked, else the number of the unlink that is not acknowledged yet
	monitors smallMap[Ref, PID]           // who watches it
	watching smallMap[Ref, watched]       // whom it watches
	sessions smallMap[*Session, struct{}] // that it must hear the loss of
	gone     bool                         // links and monitors have been told
	visible  *visible                     // nil: it has no name, and is in no group
	hidden   bool                         // and cannot get one any more
}

// watched is what a monitor of ours was set for.
type watched struct {
	pid  PID    // its node alone if there is a name
	name string // "": by pid
}

// PID returns the process's name.
func (a *actor) PID() PID { return a.pid }

// link links the process with another, unless they are. foreign says that its origin
// is not that of the node's owner.
func (a *actor) link(to PID, foreign bool) {
	if to == a.pid {
		return
	}
	a.mu.Lock()
	unlink, linked := a.links.get(to)
	if a.gone || linked && unlink == 0 {
		a.mu.Unlock()
		return
	}
	a.links.set(to, 0)
	a.mu.Unlock()
	sig := &Signal{Kind: KindLink, From: a.pid, To: to}
	if foreign {
		sig.N = 1
	}
	a.bound(sig)
}

// Unlink takes a link back. Once it returned, no exit signal of that link is
// received; if exits are trapped, a message about one may be in the mailbox.
func (a *actor) Unlink(to PID) {
	a.mu.Lock()
	unlink, linked := a.links.get(to)
	if !linked || unlink != 0 {
		a.mu.Unlock()
		return
	}
	n := a.eng.counter.Add(1)
	a.links.set(to, n)
	a.mu.Unlock()
	a.eng.send(&Signal{Kind: KindUnlink, From: a.pid, To: to, N: n})
}

func (a *actor) monitorPID(to PID) Ref {
	return a.monitor(&Signal{Kind: KindMonitor, From: a.pid, To: to})
}

func (a *actor) monitorName(node NodeID, name string) Ref {
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
	a.watching.set(ref, watched{sig.To, sig.Name})
	a.mu.Unlock()
	a.bound(sig)
	return ref
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
	s := e.Session(sig.To.Node)
	switch {
	case s == nil || !a.bind(s):
		e.bounce(sig, NoConnection)
	case sig.To.Incarnation != s.peer.Incarnation:
		e.bounce(sig, NoProc)
	default:
		s.link.Send(sig)
	}
}

// bind has sessionDown called when the session is lost. It is false if it is lost
// already.
func (a *actor) bind(s *Session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
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
	var answer *Signal
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
		answer = &Signal{Kind: KindUnlinkAck, From: a.pid, To: sig.From, N: sig.N}
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
	switch {
	case answer != nil:
		a.eng.send(answer)
	case sig.Kind == KindLink || sig.Kind == KindMonitor:
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
	a.links, a.monitors, a.watching, a.sessions = smallMap[PID, uint64]{}, smallMap[Ref, PID]{}, smallMap[Ref, watched]{}, smallMap[*Session, struct{}]{}
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

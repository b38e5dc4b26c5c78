package engine

// Native is a process written in Go that handles each signal in a function
// instead of reading a mailbox, as an Erlang port does: a command's group leader
// is one. The loss of a connection reaches it as Exit and Down.
type Native struct {
	actor
	handle func(*Signal)
}

// Native starts a native process. handle is called for each signal on the
// goroutine of its sender or of the session it came over, possibly several at once
// for different senders; it must not block. It owns the signal. A Down or Exit that
// no monitor or link asked for never gets there, nor does the Down of a call that was
// answered with a MessageReply.
func (e *Engine) Native(handle func(*Signal)) *Native {
	n := &Native{
		actor:  actor{eng: e, pid: PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}},
		handle: handle,
	}
	n.self = n
	e.mu.Lock()
	e.ends[n.pid] = n
	e.mu.Unlock()
	return n
}

// Send sends a signal from this process. It never blocks and never fails.
func (n *Native) Send(to PID, sig *Signal) {
	sig.From, sig.To = n.pid, to
	if sig.Message != nil {
		sig.Message.From = n.pid
	}
	n.eng.send(sig)
}

// Spawn starts a process on a node and returns its pid at once. It never fails:
// without a session the pid is already useless and spec.Monitor and spec.Link say
// noconnection. The engine owns spec from here on and sets its Parent, and its
// Origin to that of this node's owner.
func (n *Native) Spawn(node NodeID, spec *Spec) PID {
	spec.Origin = n.eng.owner
	return n.spawn(node, spec, spec.Origin)
}

// Monitor has one Down come when the process ends, with the reference that it
// returns; at once if there is none.
func (n *Native) Monitor(to PID) Ref { return n.monitorPID(to) }

// Demonitor takes a monitor back: its Down is not received any more.
func (n *Native) Demonitor(ref Ref) { n.demonitor(ref) }

// Close ends the process: those linked to it get an Exit with the reason.
func (n *Native) Close(r Reason) {
	n.eng.forget(&n.actor)
	n.eng.mu.Lock()
	delete(n.eng.ends, n.pid)
	n.eng.mu.Unlock()
	n.end(r, &Report{})
}

// Monitored returns the processes that this one monitors by their pids: of each
// that it spawned so, from before its first signal until its Down.
func (n *Native) Monitored() (pids []PID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.watching.all() {
		if w.name == "" {
			pids = append(pids, w.pid)
		}
	}
	return pids
}

// signal implements endpoint.
func (n *Native) signal(sig *Signal) {
	switch sig.Kind {
	case KindLink, KindUnlink, KindUnlinkAck, KindMonitor, KindDemonitor:
		n.books(sig)
		return
	case KindExit, KindDown:
		if !n.books(sig) {
			return
		}
	case KindMessage:
		if sig.Message.Kind == MessageReply {
			n.replied(sig.Message.Ref)
		}
		copied := *sig // its sender does not let go of it
		sig = &copied
	}
	n.handle(sig)
}

// replied takes the monitor back that the reference of a reply is, as
// [Process.answer] does. Those of other calls are for handle to know.
func (n *Native) replied(ref Ref) {
	n.mu.Lock()
	w, ok := n.watching.get(ref)
	n.watching.delete(ref)
	n.mu.Unlock()
	if ok && !w.call {
		n.eng.send(&Signal{Kind: KindDemonitor, From: n.pid, To: w.pid, Name: w.name, Ref: ref})
	}
}

// told implements endpoint: signal has it handled without the lock.
func (n *Native) told(*Signal) {}

// takes implements endpoint.
func (n *Native) takes(*Signal) bool { return true }

// sessionDown implements endpoint.
func (n *Native) sessionDown(s *Session) {
	for _, sig := range n.lost(s) {
		n.signal(sig)
	}
}

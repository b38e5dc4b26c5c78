package engine

import (
	"maps"
	"slices"
	"sync"
)

// Native is a process written in Go that handles each signal in a function
// instead of reading a mailbox, as an Erlang port does: a command's group
// leader is one. Links and monitors it made through Engine.Spawn are kept here,
// so that the loss of a connection reaches it as Exit and Down.
type Native struct {
	eng    *Engine
	pid    PID
	handle func(*Signal)

	mu       sync.Mutex
	closed   bool
	links    map[PID]struct{}
	monitors map[Ref]PID
}

// Native starts a native process. handle is called for each signal on the
// goroutine of its sender or of the session it came over, possibly several at
// once for different senders; it must not block. It owns the signal.
func (e *Engine) Native(handle func(*Signal)) *Native {
	n := &Native{
		eng: e, handle: handle,
		pid:      PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)},
		links:    map[PID]struct{}{},
		monitors: map[Ref]PID{},
	}
	e.mu.Lock()
	e.natives[n.pid] = n
	e.mu.Unlock()
	return n
}

// PID returns the process's name.
func (n *Native) PID() PID { return n.pid }

// Send sends a signal from this process. It never blocks and never fails.
func (n *Native) Send(to PID, sig *Signal) {
	sig.From, sig.To = n.pid, to
	n.eng.send(sig)
}

// Close ends the process: those linked to it get an Exit with the reason.
func (n *Native) Close(r Reason) {
	n.eng.mu.Lock()
	delete(n.eng.natives, n.pid)
	n.eng.mu.Unlock()
	n.mu.Lock()
	links, monitors := n.links, n.monitors
	n.links, n.monitors, n.closed = nil, nil, true
	n.mu.Unlock()
	for to := range links {
		n.eng.send(&Signal{Kind: KindExit, From: n.pid, To: to, Reason: r})
	}
	for ref, to := range monitors {
		n.eng.send(&Signal{Kind: KindDemonitor, From: n.pid, To: to, Ref: ref})
	}
}

// Monitored returns the processes that this one monitors: of each that it
// spawned so, from before its first signal until its Down.
func (n *Native) Monitored() []PID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.monitors))
}

// watch links and monitors the process that a Spawn signal is about to make,
// as its spec says.
func (n *Native) watch(sig *Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	if sig.Spec.Link {
		n.links[sig.To] = struct{}{}
	}
	if !sig.Spec.Monitor.IsZero() {
		n.monitors[sig.Spec.Monitor] = sig.To
	}
}

// signal keeps the books and hands the signal on. A Down or Exit that no
// monitor or link of ours asked for is dropped: nobody can make one up.
func (n *Native) signal(sig *Signal) {
	switch sig.Kind {
	case KindDown:
		if !n.take(func() bool {
			to, ok := n.monitors[sig.Ref]
			delete(n.monitors, sig.Ref)
			return ok && to == sig.From
		}) {
			return
		}
	case KindExit:
		if !n.take(func() bool {
			_, ok := n.links[sig.From]
			delete(n.links, sig.From)
			return ok
		}) {
			return
		}
	}
	n.handle(sig)
}

func (n *Native) take(f func() bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return f()
}

// sessionDown turns the loss of a connection into signals.
func (n *Native) sessionDown(node NodeID) {
	var sigs []*Signal
	lost := Reason{Word: NoConnection}
	n.mu.Lock()
	for ref, to := range n.monitors {
		if to.Node == node {
			sigs = append(sigs, &Signal{Kind: KindDown, From: to, To: n.pid, Ref: ref, Reason: lost, Report: &Report{}})
		}
	}
	for to := range n.links {
		if to.Node == node {
			sigs = append(sigs, &Signal{Kind: KindExit, From: to, To: n.pid, Reason: lost})
		}
	}
	n.mu.Unlock()
	for _, sig := range sigs {
		n.signal(sig)
	}
}

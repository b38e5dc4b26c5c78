package engine

import (
	"slices"
	"time"
)

// nodeWatch is who wants to hear of connections. It is under Engine.mu, so that
// what is heard of a node is in order with its sessions.
type nodeWatch struct {
	all  map[*Process]struct{}
	some map[NodeID]map[*Process]int
}

func (w *nodeWatch) init() {
	w.all = map[*Process]struct{}{}
	w.some = map[NodeID]map[*Process]int{}
}

// Nodes returns the nodes this one is connected with, commands apart, in the order
// of their names.
func (e *Engine) Nodes() []Peer {
	var peers []Peer
	for _, s := range e.Sessions() {
		if !s.peer.Hidden {
			peers = append(peers, s.peer)
		}
	}
	slices.SortFunc(peers, func(a, b Peer) int {
		if a.Name != b.Name && (a.Name < b.Name) {
			return -1
		}
		return 1
	})
	return peers
}

// MonitorNodes has the process get a MessageNodeUp for each node that connects from
// now on, before any signal over that connection, and a MessageNodeDown when one is
// lost, behind all signals over it. Commands do not count.
func (p *Process) MonitorNodes(on bool) {
	e := p.eng
	e.mu.Lock()
	defer e.mu.Unlock()
	if !on || e.ends[p.pid] == nil {
		delete(e.nodes.all, p)
		return
	}
	e.nodes.all[p] = struct{}{}
	p.watchesNodes = true
}

// MonitorNode has the process get one MessageNodeDown when the connection with a
// node is lost, at once if there is none; off takes one such wish back. Each call
// with on counts.
func (p *Process) MonitorNode(node NodeID, on bool) error {
	e := p.eng
	if node == e.node {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	by := e.nodes.some[node]
	switch {
	case !on:
		if by[p] > 1 {
			by[p]--
		} else {
			delete(by, p)
		}
		if len(by) == 0 {
			delete(e.nodes.some, node)
		}
	case e.sessions[node] == nil:
		p.tellNode(MessageNodeDown, Peer{Node: node})
	case by[p] >= maxEntries:
		return Reasonf(SystemLimit, "%d monitors of one node", by[p])
	case e.ends[p.pid] != nil:
		if by == nil {
			by = map[*Process]int{}
			e.nodes.some[node] = by
		}
		by[p]++
		p.watchesNodes = true
	}
	return nil
}

func (p *Process) tellNode(k MessageKind, peer Peer) {
	p.mailbox.add(&Message{
		Kind: k, From: PID{Node: peer.Node, Incarnation: peer.Incarnation}, Data: []byte(peer.Name), prepaid: true,
	}, nil, p)
}

// tellNodes tells of a session that begins or is lost. e.mu is held.
func (e *Engine) tellNodes(k MessageKind, s *Session) {
	if !s.peer.Hidden {
		for p := range e.nodes.all {
			p.tellNode(k, s.peer)
		}
	}
	if k != MessageNodeDown {
		return
	}
	for p, n := range e.nodes.some[s.peer.Node] {
		for range n {
			p.tellNode(k, s.peer)
		}
	}
	delete(e.nodes.some, s.peer.Node)
}

// forgetNodes takes back what a process that ends wants to hear. e.mu is held.
func (e *Engine) forgetNodes(p *Process) {
	if !p.watchesNodes {
		return
	}
	delete(e.nodes.all, p)
	for node, by := range e.nodes.some {
		if delete(by, p); len(by) == 0 {
			delete(e.nodes.some, node)
		}
	}
}

// maxTimers bounds the timers of one process.
const maxTimers = 1 << 16

// timer is one that was started and is not due.
type timer struct {
	*time.Timer
	due time.Time
}

// StartTimer has a message sent after a time, and returns its reference. Without
// another receiver the process itself gets a MessageTimeout, else the other one a
// MessageData; both carry the tag and data. Timers end with the process that
// started them, which differs from OTP. SystemLimit for too many.
func (p *Process) StartTimer(to PID, after time.Duration, tag uint64, data []byte) (Ref, error) {
	ref := p.eng.MakeRef()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone:
		return ref, nil
	case len(p.timers) >= maxTimers:
		return Ref{}, Reasonf(SystemLimit, "%d timers", maxTimers)
	case len(data) > MaxMessage:
		return Ref{}, Reasonf(BadArg, "a message of %d bytes, the limit is %d", len(data), MaxMessage)
	}
	if p.timers == nil {
		p.timers = map[Ref]timer{}
	}
	p.timers[ref] = timer{due: time.Now().Add(after), Timer: time.AfterFunc(after, func() { p.due(ref, to, tag, data) })}
	return ref, nil
}

func (p *Process) due(ref Ref, to PID, tag uint64, data []byte) {
	p.mu.Lock()
	_, ok := p.timers[ref]
	delete(p.timers, ref)
	p.mu.Unlock()
	switch {
	case !ok:
	case to.IsZero() || to == p.pid:
		p.mailbox.add(&Message{Kind: MessageTimeout, From: p.pid, Tag: tag, Ref: ref, Data: data, prepaid: true}, nil, p)
	default:
		p.eng.send(&Signal{Kind: KindMessage, From: p.pid, To: to, Message: &Message{Kind: MessageData, From: p.pid, Tag: tag, Data: data}})
	}
}

// CancelTimer stops a timer. It reports how long it had to go, false if it was due
// or there is none: its message may then be in the mailbox.
func (p *Process) CancelTimer(ref Ref) (left time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.timers[ref]
	if !ok {
		return 0, false
	}
	t.Stop()
	delete(p.timers, ref)
	return max(0, time.Until(t.due)), true
}

// ReadTimer is as CancelTimer, and lets it run.
func (p *Process) ReadTimer(ref Ref) (left time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.timers[ref]
	return max(0, time.Until(t.due)), ok
}

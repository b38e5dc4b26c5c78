package engine

import (
	"cmp"
	"slices"
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
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
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
// node is lost, at once if it cannot be connected; off takes one such wish back. Each call
// with on counts.
func (p *Process) MonitorNode(node NodeID, on bool) error {
	e := p.eng
	if node == e.node {
		return nil
	}
	if on {
		p.reach(node)
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

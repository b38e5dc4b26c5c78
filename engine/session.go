package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
)

// Session is one connection with another node, from its handshake to its
// loss. Deliver and Down are for the Dist that made it.
type Session struct {
	eng  *Engine
	peer Peer
	link Link

	ctx       context.Context // of the services it calls
	cancel    context.CancelFunc
	lastSpawn uint64        // highest counter of a pid the peer minted here
	calls     chan struct{} // a slot for each call of the peer under way
}

// maxCalls bounds the calls one peer may have under way at this node.
const maxCalls = 64

// SessionUp starts a session. Its Dist calls Deliver only after it returned.
// The error is why there can be none.
func (e *Engine) SessionUp(p Peer, l Link) (*Session, error) {
	s := &Session{eng: e, peer: p, link: l, calls: make(chan struct{}, maxCalls)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, errEngineClosed
	case p.Node == e.node:
		return nil, fmt.Errorf("a session with this node itself")
	case e.sessions[p.Node] != nil:
		return nil, fmt.Errorf("a session with %s is up", p.Name)
	}
	e.sessions[p.Node] = s
	e.log.Log(s.ctx, p.level(), "node up", "node", p.Name, "peer", p.PeerID, "addr", p.Addr)
	return s, nil
}

// level is that of log lines about a peer: commands come and go.
func (p *Peer) level() slog.Level {
	if p.Hidden {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// Session returns the session with a node, nil if there is none.
func (e *Engine) Session(n NodeID) *Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[n]
}

// Sessions returns all sessions in no order.
func (e *Engine) Sessions() []*Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.sessions))
}

// Peer returns who is at the other end.
func (s *Session) Peer() Peer { return s.peer }

// Close ends the session from this side: both sides see it go down.
func (s *Session) Close(why error) { s.link.Close(why) }

// Deliver takes a signal from the peer, in the order it was sent, on one
// goroutine at a time. It never blocks. It owns the signal. An error means
// that the peer broke the protocol: the Dist closes the session.
func (s *Session) Deliver(sig *Signal) error {
	e := s.eng
	if sig.From.Node != s.peer.Node || sig.From.Incarnation != s.peer.Incarnation {
		return fmt.Errorf("a signal with a sender that is not on the node")
	}
	if sig.Kind == KindCall {
		s.serve(sig)
		return nil
	}
	if sig.To.Node != e.node {
		return fmt.Errorf("a signal for another node")
	}
	if sig.To.Incarnation != e.inc {
		e.bounce(sig, NoProc)
		return nil
	}
	action, ok := actions[sig.Kind]
	if !ok {
		return nil // of a later version
	}
	if !s.peer.Roles.Allows(action) {
		if sig.Kind == KindSpawn {
			e.refuse(sig, Reasonf(NotAllowed, "the role does not allow %s", action))
		}
		return nil
	}
	switch sig.Kind {
	case KindReply:
		e.reply(s.peer.Node, sig)
	case KindSpawn:
		if sig.To.Minter != s.peer.GaveMinter || sig.To.Counter <= s.lastSpawn {
			return fmt.Errorf("a spawn with a pid that is not its to mint")
		}
		s.lastSpawn = sig.To.Counter
		if sig.Spec.Origin != s.peer.Origin || sig.Spec.Parent != sig.From {
			e.refuse(sig, Reasonf(NotAllowed, "the origin is not the peer's"))
			return nil
		}
		e.deliver(sig)
	case KindExit2:
		if p := e.Process(sig.To); p != nil && !e.mayControl(s.peer, p.spec.Origin) {
			return nil
		}
		e.deliver(sig)
	default:
		e.deliver(sig)
	}
	return nil
}

// actions names the entry of the rights table for each kind.
var actions = map[Kind]string{
	KindSpawn: "signal:spawn", KindDown: "signal:down", KindExit: "signal:exit", KindExit2: "signal:exit2",
	KindMonitor: "signal:monitor", KindDemonitor: "signal:demonitor", KindUnlink: "signal:unlink",
	KindReply:  "signal:reply",
	KindOutput: "signal:io", KindCredit: "signal:io", KindInput: "signal:io", KindInputData: "signal:io",
	KindFile: "signal:io", KindFileReply: "signal:io", KindWindow: "signal:io",
}

// mayControl reports whether a peer may end a process of an origin.
func (e *Engine) mayControl(p Peer, o Origin) bool {
	return p.Origin == o || p.Origin == e.owner || p.Roles&RoleAdmin != 0
}

// Down ends the session, after the last Deliver. Links and monitors over it
// fire once, with noconnection. Signals queued for the peer are lost.
func (s *Session) Down(why error) {
	e := s.eng
	e.mu.Lock()
	if e.sessions[s.peer.Node] != s {
		e.mu.Unlock()
		return
	}
	delete(e.sessions, s.peer.Node)
	procs := slices.Collect(maps.Values(e.procs))
	natives := slices.Collect(maps.Values(e.natives))
	lost := e.takeCalls(s.peer.Node)
	e.mu.Unlock()
	s.cancel()
	for _, p := range procs {
		p.sessionDown(s.peer.Node)
	}
	for _, n := range natives {
		n.sessionDown(s.peer.Node)
	}
	for _, c := range lost {
		c <- &Signal{Kind: KindReply, Reason: Reason{Word: NoConnection, Detail: "node " + s.peer.Name + " is down"}}
	}
	e.log.Log(context.Background(), s.peer.level(), "node down", "node", s.peer.Name, "peer", s.peer.PeerID, "why", why)
}

package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
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
	spawns    sync.Mutex    // keeps spawns in the order of their pids, as the peer checks
	knows     bool          // it is told of names and groups; under the directory's lock, as the next
	entries   int           // names and memberships it told of

	ended chan struct{} // closed when it is lost and all have been told

	mu    sync.Mutex
	met   map[*Session]bool // nodes that the peer was introduced to
	lost  bool
	bound map[endpoint]struct{} // who must hear of its loss
	held  map[PID]chan struct{} // processes there whose mailboxes are filling; closed when messages may go on
	names map[string]PID        // of those, as far as messages to the names went there
	whom  map[Ref]PID           // the peer's monitors by name: who had it then
}

// maxCalls bounds the calls one peer may have under way at this node.
const maxCalls = 64

// SessionUp starts a session. Its Dist calls Deliver only after it returned.
// The error is why there can be none.
func (e *Engine) SessionUp(p Peer, l Link) (*Session, error) {
	s := &Session{
		eng: e, peer: p, link: l, calls: make(chan struct{}, maxCalls),
		ended: make(chan struct{}), bound: map[endpoint]struct{}{}, held: map[PID]chan struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := e.addSession(s); err != nil {
		return nil, err
	}
	e.introduce(s)
	e.log.Log(s.ctx, p.level(), "node up", "node", p.Name, "peer", p.PeerID, "addr", p.Addr)
	return s, nil
}

func (e *Engine) addSession(s *Session) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return errEngineClosed
	case s.peer.Node == e.node:
		return fmt.Errorf("a session with this node itself")
	case e.sessions[s.peer.Node] != nil:
		return fmt.Errorf("a session with %s is up", s.peer.Name)
	}
	e.sessions[s.peer.Node] = s
	if !s.peer.Hidden && s.peer.Name != "" {
		if len(e.names) >= maxEntries {
			clear(e.names)
		}
		e.names[s.peer.Node] = s.peer.Name
	}
	e.tellNodes(MessageNodeUp, s)
	return nil
}

// known returns what a Dist finds a node by: the name that it had in its last
// session, as its id is a hash; the id if there was none.
func (e *Engine) known(node NodeID) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if name := e.names[node]; name != "" {
		return name
	}
	return node.String()
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

// someone is as of Engine, for the peer.
func (s *Session) someone() PID {
	return PID{Node: s.peer.Node, Incarnation: s.peer.Incarnation}
}

// Close ends the session from this side: both sides see it go down.
func (s *Session) Close(why error) { s.link.Close(why) }

// Deliver takes a signal from the peer, in the order it was sent, on one
// goroutine at a time. It never blocks. It owns the signal; but it does not keep one
// of KindMessage, only its Message. An error means
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
			e.refuse(sig.From, sig.To, sig.Spec, Reasonf(NotAllowed, "the role does not allow %s", action))
		}
		return nil
	}
	switch sig.Kind {
	case KindReply:
		e.reply(s.peer.Node, sig)
	case KindWait:
		return s.hold(sig)
	case KindGlobal, KindGroup:
		return e.heard(s, sig)
	case KindMessage:
		if m := sig.Message; !m.Kind.fromPeers() || len(m.Data) > MaxMessage {
			return fmt.Errorf("a message of kind %d with %d bytes", m.Kind, len(m.Data))
		}
		sig.Message.From = sig.From
		sig.session = s
		e.deliver(sig)
	case KindSpawn:
		if sig.To.Minter != s.peer.GaveMinter || sig.To.Counter <= s.lastSpawn {
			return fmt.Errorf("a spawn with a pid that is not its to mint")
		}
		s.lastSpawn = sig.To.Counter
		if sig.Spec.Parent != sig.From {
			return fmt.Errorf("a spawn in another's name")
		}
		if ref := sig.Spec.Monitor; !ref.IsZero() && ref.Node != s.peer.Node {
			return fmt.Errorf("a monitor with a reference that is not its to make")
		}
		if sig.Spec.Origin != s.peer.Origin {
			sig.Spec.Origin = vouched(s.peer.Origin, sig.Spec.Origin)
		}
		e.create(sig.To, sig.Spec, s.peer.Origin)
	case KindMonitor:
		// Else it could take the place of another node's monitor.
		if sig.Ref.Node != s.peer.Node {
			return fmt.Errorf("a monitor with a reference that is not its to make")
		}
		if sig.Name != "" {
			s.named(sig)
		}
		e.deliver(sig)
	case KindDemonitor:
		if pid := s.unnamed(sig.Ref); sig.Name != "" {
			sig.To = pid
		}
		e.deliver(sig)
	case KindExit2, KindLeader, KindLink:
		sig.session = s // the process looks whether the peer may
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
	KindLink: "signal:link", KindUnlinkAck: "signal:unlink", KindMessage: "signal:message", KindLeader: "signal:leader",
	KindWait: "signal:wait", KindGlobal: "signal:names", KindGroup: "signal:names",
	KindReply:  "signal:reply",
	KindOutput: "signal:io", KindCredit: "signal:io", KindInput: "signal:io", KindInputData: "signal:io",
	KindFile: "signal:io", KindFileReply: "signal:io", KindWindow: "signal:io",
}

// controls reports whether the peer may end a process.
func (s *Session) controls(p *Process) bool { return s.eng.mayControl(s.peer, p.spec.Origin) }

// mayControl reports whether a peer may end a process of an origin.
func (e *Engine) mayControl(p Peer, o Origin) bool {
	return p.Origin == o || p.Origin == e.owner || p.Roles&RoleAdmin != 0
}

// vouched is the origin of a process that a peer spawns for another origin than its
// own. Nobody can check that the other one wants it, so the process gets the rights
// of neither; the peer's quota pays.
func vouched(peer, claimed Origin) (o Origin) {
	return sha256.Sum256(slices.Concat([]byte("wnode vouched origin 1"), peer[:], claimed[:]))
}

// named finds who a monitor by name is of. The name may be another's by the time
// that it is taken back.
func (s *Session) named(sig *Signal) {
	pid := s.eng.Whereis(sig.Name)
	if pid.IsZero() {
		return
	}
	sig.To = pid
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whom == nil {
		s.whom = map[Ref]PID{}
	}
	s.whom[sig.Ref] = pid
}

// unnamed forgets a monitor by name, and returns of whom it was.
func (s *Session) unnamed(ref Ref) PID {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := s.whom[ref]
	delete(s.whom, ref)
	return pid
}

// hold takes the wish of the peer to get no messages for a process, or to get them
// again.
func (s *Session) hold(sig *Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[sig.From]
	switch {
	case sig.N != 0 && held == nil:
		if len(s.held) >= maxEntries {
			return fmt.Errorf("%d full mailboxes", len(s.held))
		}
		held = make(chan struct{})
		s.held[sig.From] = held
	case sig.N == 0 && held != nil:
		close(held)
		delete(s.held, sig.From)
		maps.DeleteFunc(s.names, func(_ string, pid PID) bool { return pid == sig.From })
	}
	if sig.N != 0 && sig.Name != "" {
		if len(s.names) >= maxEntries {
			return fmt.Errorf("%d names of full mailboxes", len(s.names))
		}
		if s.names == nil {
			s.names = map[string]PID{}
		}
		s.names[sig.Name] = sig.From
	}
	return nil
}

// holds returns a channel that is closed when messages may be sent to a process, or
// to who has the name, or nil.
func (s *Session) holds(to PID, name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 {
		return nil
	}
	if name != "" {
		to = s.names[name]
	}
	if c := s.held[to]; c != nil {
		return c
	}
	return nil
}

// Down ends the session, after the last Deliver. Links and monitors over it
// fire once, with noconnection. Signals queued for the peer are lost.
func (s *Session) Down(why error) {
	e := s.eng
	s.mu.Lock()
	if s.lost {
		s.mu.Unlock()
		return
	}
	s.lost = true
	bound := s.bound
	s.bound = nil
	for _, held := range s.held {
		close(held)
	}
	s.held, s.names = nil, nil
	s.mu.Unlock()
	s.cancel()
	e.unlearn(s) // first: who is told that a process is lost finds it no more by its name
	for p := range bound {
		p.sessionDown(s)
	}
	// There is no other session with the node until here, or what is forgotten and
	// told by its node might be of that one.
	e.mu.Lock()
	delete(e.sessions, s.peer.Node)
	e.tellNodes(MessageNodeDown, s)
	lost := e.takeCalls(s.peer.Node)
	e.mu.Unlock()
	close(s.ended)
	for _, c := range lost {
		c <- &Signal{Kind: KindReply, Reason: Reason{Word: NoConnection, Detail: "node " + s.peer.Name + " is down"}}
	}
	e.log.Log(context.Background(), s.peer.level(), "node down", "node", s.peer.Name, "peer", s.peer.PeerID, "why", why)
}

package engine

import (
	"fmt"
	"testing"
)

// rest is a process that does nothing until it is told to end.
func rest(p *Process) Reason {
	<-p.Context().Done()
	return Reason{Word: Normal}
}

// What the engine alone makes cannot come from a peer, nor what another peer names.
func TestForgedKinds(t *testing.T) {
	theirs, others := Ref{Node: far(0).Node, Counter: 1}, Ref{Node: NodeID{3}, Counter: 1}
	for _, c := range []struct {
		name   string
		sig    Signal // to a process that rests, from far(1)
		closes bool   // the session
	}{
		{"a monitor", Signal{Kind: KindMonitor, Ref: theirs}, false},
		{"a monitor with the reference of a third node", Signal{Kind: KindMonitor, Ref: others}, true},
		{"a name of no form", Signal{Kind: KindGlobal, Name: "No Name", N: 1}, true},
		{"a group of no form", Signal{Kind: KindGroup, N: 1}, true},
		{"leaving a group without a join", Signal{Kind: KindGroup, Name: "g"}, false},
		{"data", Signal{Kind: KindMessage, Message: &Message{Kind: MessageData}}, false},
		{"a call", Signal{Kind: KindMessage, Message: &Message{Kind: MessageCall}}, false},
		{"a reply", Signal{Kind: KindMessage, Message: &Message{Kind: MessageReply}}, false},
		{"a cast", Signal{Kind: KindMessage, Message: &Message{Kind: MessageCast}}, false},
		{"a message of kind 0", Signal{Kind: KindMessage, Message: &Message{}}, true},
		{"an exit", Signal{Kind: KindMessage, Message: &Message{Kind: MessageExit}}, true},
		{"a down", Signal{Kind: KindMessage, Message: &Message{Kind: MessageDown}}, true},
		{"a nodeup", Signal{Kind: KindMessage, Message: &Message{Kind: MessageNodeUp}}, true},
		{"a nodedown", Signal{Kind: KindMessage, Message: &Message{Kind: MessageNodeDown}}, true},
		{"a timeout", Signal{Kind: KindMessage, Message: &Message{Kind: MessageTimeout}}, true},
		{"the loss of a name", Signal{Kind: KindMessage, Message: &Message{Kind: MessageNameLost}}, true},
		{"a message of a later kind", Signal{Kind: KindMessage, Message: &Message{Kind: 99}}, true},
		{"a message that is too large", Signal{Kind: KindMessage, Message: &Message{Kind: MessageData, Data: make([]byte, MaxMessage+1)}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(Config{Node: NodeID{1}, Incarnation: 7})
			defer e.Close()
			s := up(t, e, &sent{}, nil)
			defer s.Down(nil)
			c.sig.From, c.sig.To = far(1), e.Go("rest", rest)
			if err := s.Deliver(&c.sig); (err != nil) != c.closes {
				t.Errorf("Deliver: %v", err)
			}
		})
	}
}

// A spawn whose monitor is another node's is not done.
func TestSpawnWithForgedMonitor(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	s := up(t, e, &sent{}, nil)
	defer s.Down(nil)
	sig := &Signal{Kind: KindSpawn, From: far(1), To: PID{Node: e.node, Incarnation: e.inc, Minter: 4, Counter: 1}}
	sig.Spec = &Spec{Parent: far(1), Monitor: Ref{Node: NodeID{3}, Counter: 1}}
	if err := s.Deliver(sig); err == nil {
		t.Error("it was taken")
	}
}

// A peer of another origin can send messages and watch, and nothing else.
func TestAnotherOrigin(t *testing.T) {
	none, same, admin := Peer{Origin: Origin{8}, Roles: OpenRoles}, Peer{Origin: Origin{1}, Roles: OpenRoles}, Peer{Origin: Origin{8}, Roles: OpenRoles | RoleAdmin}
	kill := Reason{Word: Kill}
	for _, c := range []struct {
		name       string
		sig        Signal
		none       Word // how the victim ends by a peer of another origin; "": it lives on
		same       Word // by one of its own
		nobody     bool // "same" by nobody
		leaderMove bool
	}{
		{name: "exit signal", sig: Signal{Kind: KindExit2, Reason: Reason{Word: Shutdown}}, same: Shutdown},
		{name: "kill", sig: Signal{Kind: KindExit2, Reason: kill}, same: Killed},
		{name: "kill without a word", sig: Signal{Kind: KindExit2}, same: Killed},
		{name: "kill by name", sig: Signal{Kind: KindExit2, Name: "victim", Reason: kill}, nobody: true},
		{name: "leader", sig: Signal{Kind: KindLeader, Leader: Leader{PID: far(1)}}, leaderMove: true},
		{name: "exit without a link", sig: Signal{Kind: KindExit, Reason: kill}, nobody: true},
		{name: "down without a monitor", sig: Signal{Kind: KindDown, Ref: Ref{Node: NodeID{1}, Incarnation: 7, Counter: 1}, Reason: kill}, nobody: true},
		{name: "down of a leader it has not", sig: Signal{Kind: KindDown, Reason: kill}, nobody: true},
	} {
		for who, peer := range map[string]Peer{"another origin": none, "the same origin": same, "an admin": admin} {
			t.Run(c.name+" by "+who, func(t *testing.T) {
				e := New(Config{Node: NodeID{1}, Incarnation: 7, Owner: Origin{1}})
				defer e.Close()
				s := up(t, e, &sent{}, func(p *Peer) { p.Origin, p.Roles = peer.Origin, peer.Roles })
				defer s.Down(nil)
				to := e.Go("victim", rest)
				if err := e.Register("victim", to); err != nil {
					t.Fatal(err)
				}
				p := e.Process(to)
				sig := c.sig
				sig.From, sig.To = far(1), to
				if sig.Name != "" {
					sig.To = e.someone(e.node)
				}
				if err := s.Deliver(&sig); err != nil {
					t.Fatal(err)
				}
				want, mayMove := c.same, true
				if c.nobody {
					want = ""
				}
				if who == "another origin" {
					want, mayMove = c.none, false
				}
				if got := p.killed().Word; got != want {
					t.Errorf("ends with %q, want %q", got, want)
				}
				if moved := p.Leader().PID == far(1); moved != (c.leaderMove && mayMove) {
					t.Errorf("the leader was changed: %v", moved)
				}
				if p.Leader().PID == far(1) {
					return
				}
				p.io.mu.Lock()
				defer p.io.mu.Unlock()
				if p.io.isGone {
					t.Error("it takes its leader for gone")
				}
			})
		}
	}
}

// A link binds both: a process takes one of another origin only if it traps exits.
func TestLinkOfAnotherOrigin(t *testing.T) {
	for _, c := range []struct {
		name    string
		origin  Origin // of the peer; the process's is 1
		foreign uint64 // what the peer says of the linking process
		traps   bool
		taken   bool
	}{
		{"same origin", Origin{1}, 0, false, true},
		{"a guest of another origin on a node of the same", Origin{1}, 1, false, false},
		{"another origin", Origin{8}, 0, false, false},
		{"another origin, trapped", Origin{8}, 0, true, true},
		{"a guest of another origin, trapped", Origin{1}, 1, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(Config{Node: NodeID{1}, Incarnation: 7, Owner: Origin{1}})
			defer e.Close()
			l := &sent{}
			s := up(t, e, l, func(p *Peer) { p.Origin = c.origin })
			defer s.Down(nil)
			p := e.Process(e.Go("p", rest))
			p.TrapExit(c.traps)
			if err := s.Deliver(&Signal{Kind: KindLink, From: far(1), To: p.PID(), N: c.foreign}); err != nil {
				t.Fatal(err)
			}
			if got := len(p.Info().Links) == 1; got != c.taken {
				t.Errorf("taken: %v", got)
			}
			var refused Word
			for _, sig := range l.sigs {
				if sig.Kind == KindExit && sig.To == far(1) {
					refused = sig.Reason.Word
				}
			}
			if (refused == NotAllowed) == c.taken {
				t.Errorf("answered %q", refused)
			}
			// An exit through it counts like any, without one not.
			if err := s.Deliver(&Signal{Kind: KindExit, From: far(1), To: p.PID(), Reason: Reason{Word: Shutdown}}); err != nil {
				t.Fatal(err)
			}
			if got := p.killed().Word; (got == Shutdown) != (c.taken && !c.traps) {
				t.Errorf("ends with %q", got)
			}
		})
	}
}

// A spawn that names another's origin gets the rights of neither, and its children
// count towards the quota of the peer.
func TestVouchedOrigin(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7, Owner: Origin{1}, Quota: Quota{Processes: 2, Memory: 1 << 20}})
	defer e.Close()
	l := &sent{}
	s := up(t, e, l, nil)
	defer s.Down(nil)
	started := make(chan *Process, 1)
	for i, claimed := range []Origin{{1}, {9}} {
		to := PID{Node: e.node, Incarnation: e.inc, Minter: 4, Counter: uint64(i + 1)}
		spec := &Spec{Parent: far(1), Origin: claimed, run: func(p *Process) Reason {
			started <- p
			return rest(p)
		}}
		if err := s.Deliver(&Signal{Kind: KindSpawn, From: far(1), To: to, Spec: spec}); err != nil {
			t.Fatal(err)
		}
		p := <-started
		o := p.Spec().Origin
		if o == claimed || o == s.peer.Origin || o == (Origin{}) {
			t.Fatalf("it has the origin %x", o)
		}
		if e.mayControl(s.peer, o) || e.mayControl(Peer{Origin: claimed, Roles: OpenRoles}, o) && claimed != e.owner {
			t.Error("who spawned it, or whom it named, has power over it")
		}
		if !p.UseMemory(1 << 16) {
			t.Error("it may use no memory")
		}
		if i == 0 {
			continue
		}
		if _, err := p.Spawn(e.node, Func("child", func(c *Process) Reason { started <- c; return rest(c) })); err != nil {
			t.Fatal(err)
		}
		if p.UseMemory(1<<20 - 1<<16 + 1) {
			t.Error("its memory is not its peer's")
		}
	}
	if n := len(e.Processes()); n > 2 {
		t.Errorf("%d processes: the child was not counted as the peer's", n)
	}
}

// A peer has a bounded number of names and members of groups here.
func TestTooManyNames(t *testing.T) {
	for _, kind := range []Kind{KindGlobal, KindGroup} {
		e := New(Config{Node: NodeID{1}, Incarnation: 7})
		s := up(t, e, &sent{}, nil)
		tell := func(i int, n uint64) error {
			name := "g"
			if kind == KindGlobal {
				name = fmt.Sprint(i)
			}
			return s.Deliver(&Signal{Kind: kind, From: far(1), To: e.someone(e.node), Name: name, N: n})
		}
		for i := range maxEntries {
			if err := tell(i, 1); err != nil {
				t.Fatalf("entry %d: %v", i, err)
			}
		}
		if err := tell(0, 0); err != nil {
			t.Fatal(err)
		}
		if err := tell(0, 1); err != nil {
			t.Errorf("one was taken back, and is told again: %v", err)
		}
		if tell(maxEntries, 1) == nil {
			t.Error("there is no end of it")
		}
		s.Down(nil)
		if n := len(e.directory.global) + len(e.directory.groups); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	}
}

// A node tells no more of names and groups than its peers take: a guest that joins
// without end must not cost it its connections.
func TestNoMoreNamesThanPeersTake(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	defer e.Close()
	a, b := e.Go("a", rest), e.Go("b", rest)
	for i := range maxEntries - 1 {
		if err := e.Join("g", a); err != nil {
			t.Fatalf("join %d: %v", i, err)
		}
	}
	if err := e.RegisterGlobal("x", b); err != nil {
		t.Fatal(err)
	}
	if e.Join("h", b) == nil || e.RegisterGlobal("y", b) == nil {
		t.Error("there is no end of it")
	}
	l := &sent{}
	s := up(t, e, l, nil)
	defer s.Down(nil)
	if n := len(l.sigs); n != maxEntries {
		t.Errorf("a node is told of %d entries", n)
	}
	if err := e.Leave("g", a); err != nil {
		t.Fatal(err)
	}
	if err := e.Join("h", b); err != nil {
		t.Errorf("after a leave: %v", err)
	}
}

package engine

import (
	"testing"
)

// up is a session with a peer that exists by its signals alone.
func up(t *testing.T, e *Engine, l Link, change func(*Peer)) *Session {
	t.Helper()
	p := Peer{Node: NodeID{2}, Name: "peer", Incarnation: 5, Minter: 3, GaveMinter: 4, Origin: Origin{8}, Roles: OpenRoles}
	if change != nil {
		change(&p)
	}
	s, err := e.SessionUp(p, l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// far is a process of that peer.
func far(n uint64) PID { return PID{Node: NodeID{2}, Incarnation: 5, Counter: n} }

// What the loss of a session tells is of no later one: none begins before all is told.
func TestNoSessionBeginsWhileAnotherEnds(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	s := up(t, e, &sent{}, nil)
	told := 0
	n := e.Native(func(sig *Signal) {
		if sig.Kind != KindDown {
			return
		}
		told++
		if _, err := e.SessionUp(s.peer, &sent{}); err == nil {
			t.Error("another session began before all heard of the loss of this one")
		}
	})
	n.monitorPID(far(1))
	if err := s.Deliver(&Signal{Kind: KindGlobal, From: far(1), To: e.someone(e.node), Name: "x", N: 1}); err != nil {
		t.Fatal(err)
	}
	s.Down(nil)
	s.Down(nil)
	if told != 1 {
		t.Errorf("%d Downs", told)
	}
	if pid := e.WhereisGlobal("x"); !pid.IsZero() {
		t.Errorf("%v has a name here", pid)
	}
	up(t, e, &sent{}, nil).Down(nil)
}

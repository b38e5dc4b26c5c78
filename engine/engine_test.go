package engine

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPIDForms(t *testing.T) {
	p := PID{Node: NodeID{0xab, 0xcd}, Incarnation: 0x7f3a2c, Minter: 3, Counter: 19}
	if got := p.Text("kate"); got != "kate.7f3a2c.3.19" {
		t.Errorf("Text: %s", got)
	}
	node, back, err := ParsePID("kate.7f3a2c.3.19")
	if err != nil || node != "kate" || back.Incarnation != p.Incarnation || back.Minter != 3 || back.Counter != 19 {
		t.Errorf("ParsePID: %s %+v %v", node, back, err)
	}
	b, err := p.AppendBinary(nil)
	if err != nil || len(b) != PIDSize {
		t.Fatalf("AppendBinary: %d bytes, %v", len(b), err)
	}
	if got, err := PIDFromBinary(append(b, 1)); err != nil || got != p {
		t.Errorf("PIDFromBinary: %+v %v", got, err)
	}
	if _, err := PIDFromBinary(b[:31]); err == nil {
		t.Error("a short pid was read")
	}
	for _, bad := range []string{"", "kate", "kate.1.2", "kate.x.2.3", "kate.1.2.3.4", ".1.2.3", "kate.1.-2.3", "kate.100000000.2.3"} {
		if _, _, err := ParsePID(bad); err == nil {
			t.Errorf("%q was read as a pid", bad)
		}
	}
}

func FuzzParsePID(f *testing.F) {
	f.Add("kate.7f3a2c.3.19")
	f.Fuzz(func(t *testing.T, s string) {
		node, p, err := ParsePID(s)
		if err != nil {
			return
		}
		node2, p2, err := ParsePID(p.Text(node))
		if err != nil || node2 != node || p2 != p {
			t.Errorf("%q reads as %q %+v, and that as %q %+v (%v)", s, node, p, node2, p2, err)
		}
	})
}

func TestReasonsAreErrors(t *testing.T) {
	err := fmt.Errorf("spawn: %w", Reasonf(ModuleNotFound, "no %q", "kate"))
	if !errors.Is(err, Reason{Word: ModuleNotFound}) {
		t.Error("not found by its word")
	}
	if errors.Is(err, Reason{Word: NoProc}) || errors.Is(err, Reasonf(ModuleNotFound, "other")) {
		t.Error("found by another word or detail")
	}
	for _, c := range []struct {
		r    Reason
		want string
	}{
		{Reason{Word: Normal}, "normal"},
		{Reason{Word: Exited, Code: 3}, "exited 3"},
		{Reason{Word: Memory, Detail: "limit 64 MiB"}, "killed: memory limit 64 MiB"},
	} {
		if got := c.r.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestRightsAreDenyByDefault(t *testing.T) {
	for _, c := range []struct {
		role   Role
		action string
		want   bool
	}{
		{0, "call:ping", false},
		{RolePeer, "call:ping", true},
		{RolePeer, "signal:spawn", false},
		{RoleRun, "signal:spawn", true},
		{OpenRoles | RoleAdmin | RoleLogs, "call:of tomorrow", false},
		{OpenRoles, "", false},
	} {
		if got := c.role.Allows(c.action); got != c.want {
			t.Errorf("role %b, %s: %v", c.role, c.action, got)
		}
	}
	for _, action := range actions {
		if _, ok := needs[action]; !ok {
			t.Errorf("%s is not in the table", action)
		}
	}
}

// sent is a Link that keeps what is sent.
type sent struct{ sigs []*Signal }

func (l *sent) Send(s *Signal)               { l.sigs = append(l.sigs, s) }
func (l *sent) Busy(*Signal) <-chan struct{} { return nil }
func (l *sent) Close(error)                  {}

func TestForgedSignals(t *testing.T) {
	self, peer := NodeID{1}, NodeID{2}
	from := PID{Node: peer, Incarnation: 5, Counter: 1}
	spawn := func(to PID, spec Spec) *Signal {
		spec.Parent = from
		spec.Monitor = Ref{Node: peer, Counter: 9}
		return &Signal{Kind: KindSpawn, From: from, To: to, Spec: &spec}
	}
	ours := PID{Node: self, Incarnation: 7, Minter: 4, Counter: 2}
	for _, c := range []struct {
		name   string
		sig    *Signal
		closes bool // the session, else the signal is answered or dropped
		answer Word // of the Down that goes back; "" none
	}{
		{"sender on another node", &Signal{Kind: KindExit2, From: PID{Node: self, Incarnation: 7}, To: ours}, true, ""},
		{"sender of another incarnation", &Signal{Kind: KindExit2, From: PID{Node: peer, Incarnation: 4}, To: ours}, true, ""},
		{"receiver on another node", &Signal{Kind: KindExit2, From: from, To: PID{Node: peer}}, true, ""},
		{"receiver of a dead incarnation", spawn(PID{Node: self, Incarnation: 6, Minter: 4, Counter: 2}, Spec{Origin: Origin{8}}), false, NoProc},
		{"pid of another minter", spawn(PID{Node: self, Incarnation: 7, Minter: 3, Counter: 2}, Spec{Origin: Origin{8}}), true, ""},
		{"pid minted before", spawn(PID{Node: self, Incarnation: 7, Minter: 4, Counter: 0}, Spec{Origin: Origin{8}}), true, ""},
		{"a parent that is not the sender", &Signal{Kind: KindSpawn, From: from, To: ours, Spec: &Spec{Origin: Origin{8}}}, true, ""},
		{"a message of a kind that only the engine makes", &Signal{Kind: KindMessage, From: from, To: ours, Message: &Message{Kind: MessageDown}}, true, ""},
		{"a kind of a later version", &Signal{Kind: 200, From: from, To: ours}, false, ""},
		{"a node without modules", spawn(ours, Spec{Origin: Origin{8}}), false, SystemLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(Config{Node: self, Incarnation: 7})
			link := &sent{}
			s, err := e.SessionUp(Peer{Node: peer, Incarnation: 5, GaveMinter: 4, Origin: Origin{8}, Roles: OpenRoles}, link)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Down(nil)
			if err := s.Deliver(c.sig); (err != nil) != c.closes {
				t.Errorf("Deliver: %v", err)
			}
			var got Word
			for _, sig := range link.sigs {
				if sig.Kind == KindDown {
					got = sig.Reason.Word
				}
			}
			if got != c.answer {
				t.Errorf("answered %q, want %q", got, c.answer)
			}
			if len(e.Processes()) != 0 {
				t.Error("a process was made")
			}
		})
	}
}

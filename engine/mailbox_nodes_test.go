package engine

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

// waits is the text of the KindWait signals that a node was sent.
func waits(l *sent) (text string) {
	for _, sig := range l.sigs {
		if sig.Kind == KindWait {
			text += fmt.Sprintf("%d%s ", sig.N, sig.Name)
		}
	}
	l.sigs = nil
	return text
}

// A node is asked to wait when a mailbox is half full, once, and for a name that it
// uses; it may go on when a quarter is left, or at the process's end.
func TestMailboxAsksNodesToWait(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		take := make(chan int)
		to := limited(e, 8, false, func(p *Process) Reason {
			for n := range take {
				for range n {
					p.Take(p.Next(Match{}, nil))
				}
			}
			return Reason{Word: Normal}
		})
		if err := e.Register("name", to.PID()); err != nil {
			t.Fatal(err)
		}
		l := &sent{}
		s := up(t, e, l, nil)
		defer s.Down(nil)
		for _, step := range []struct {
			does string // m: a message comes, n: one to the name, t: one is taken
			want string
		}{
			{"mmm", ""}, {"m", "1 "}, {"mm", ""}, {"n", "1name "}, {"ttttt", "0 "}, {"t", ""}, {"mmm", "1 "}, {"", ""},
		} {
			for _, d := range step.does {
				var sig *Signal
				switch d {
				case 't':
					take <- 1
					continue
				case 'm':
					sig = data(to.PID(), "")
				case 'n':
					sig = data(e.someone(e.node), "name")
				}
				if err := s.Deliver(sig); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if got := waits(l); got != step.want {
				t.Errorf("after %q it is told %q, want %q", step.does, got, step.want)
			}
		}
		close(take)
		<-to.Done()
		if got := waits(l); got != "0 " {
			t.Errorf("at the end it is told %q", got)
		}
	})
}

// Even the smallest mailbox lets nodes go on.
func TestTinyMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		spec := Func("tiny", func(p *Process) Reason {
			p.Receive(Match{}, -1)
			return rest(p)
		})
		spec.Limits.Mailbox = 1
		to := PID{Node: e.node, Incarnation: e.inc, Counter: 99}
		l := &sent{}
		s := up(t, e, l, nil)
		defer s.Down(nil)
		e.create(to, spec, spec.Origin)
		if err := s.Deliver(data(to, "")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := waits(l); got != "1 0 " {
			t.Errorf("it is told %q", got)
		}
	})
}

// closed is a Link that keeps why it was closed.
type closed struct {
	sent
	why error
}

func (l *closed) Close(why error) { l.why = why }

// A node that goes on although it was asked to wait loses its session, and not
// before what could be under way has come.
func TestNodeThatDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		to := limited(e, 4, false, rest)
		l := &closed{}
		s := up(t, e, l, nil)
		defer s.Down(nil)
		big := make([]byte, MaxMessage)
		for came := 0; l.why == nil; came += len(big) {
			if came > 2*maxBeyond {
				t.Fatalf("%d bytes came", came)
			}
			sig := data(to.PID(), "")
			sig.Message.Data = big
			if err := s.Deliver(sig); err != nil {
				t.Fatal(err)
			}
			if came+2*len(big) < maxBeyond && l.why != nil {
				t.Errorf("closed after %d bytes", came)
			}
		}
		if !errors.Is(l.why, Reason{Word: MailboxOverflow}) {
			t.Errorf("closed with %v", l.why)
		}
	})
}

// This node does as it is asked: what waits goes on when it may, when the session is
// lost, and when the sender is to end.
func TestHeldSender(t *testing.T) {
	for _, c := range []struct {
		name string
		to   string // name, "" is by pid
		ends func(s *Session, p *Process)
		sent int
	}{
		{"go on", "", func(s *Session, _ *Process) {
			s.Deliver(&Signal{Kind: KindWait, From: far(1), To: s.eng.someone(s.eng.node)})
		}, 2},
		{"go on, by name", "name", func(s *Session, _ *Process) {
			s.Deliver(&Signal{Kind: KindWait, From: far(1), To: s.eng.someone(s.eng.node)})
		}, 2},
		{"the session is lost", "", func(s *Session, _ *Process) { s.Down(nil) }, 2},
		{"the sender is killed", "", func(_ *Session, p *Process) { p.Kill(Reason{Word: Killed}) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, e *Engine) {
				l := &sent{}
				s := up(t, e, l, nil)
				defer s.Down(nil)
				sent, start := 0, make(chan struct{}, 1)
				p := e.Process(e.Go("sender", func(p *Process) Reason {
					for range start {
						var err error
						if m := (&Message{Kind: MessageData}); c.to == "" {
							err = p.Send(far(1), m)
						} else {
							err = p.SendName(far(1).Node, c.to, m)
						}
						if err != nil {
							return err.(Reason)
						}
						sent++
					}
					return Reason{Word: Normal}
				}))
				start <- struct{}{}
				synctest.Wait()
				if err := s.Deliver(&Signal{Kind: KindWait, From: far(1), To: e.someone(e.node), Name: c.to, N: 1}); err != nil {
					t.Fatal(err)
				}
				start <- struct{}{}
				synctest.Wait()
				if sent != 1 {
					t.Errorf("%d were sent", sent)
				}
				c.ends(s, p)
				close(start)
				<-p.Done()
				if sent != c.sent {
					t.Errorf("%d were sent, want %d", sent, c.sent)
				}
			})
		})
	}
}

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// kB is data of about a kilobyte: with what each message counts, 1024 bytes.
var kB = make([]byte, 1024-messageCost)

// data is the signal of a message of 1024 bytes from far(1).
func data(to PID, name string) *Signal {
	return &Signal{Kind: KindMessage, From: far(1), To: to, Name: name, Message: &Message{Kind: MessageData, Data: kB}}
}

// limited starts a process with a mailbox of so many messages of 1024 bytes.
func limited(e *Engine, messages int, drop bool, f func(*Process) Reason) *Process {
	spec := Func("limited", f)
	spec.Origin, spec.DropWhenFull = e.owner, drop
	spec.Limits.Mailbox = uint64(messages) << 10
	to := PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}
	e.create(&Signal{Kind: KindSpawn, To: to, Spec: spec})
	return e.Process(to)
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T, e *Engine)) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Config{Node: NodeID{1}, Incarnation: 7})
		f(t, e)
		e.Close()
	})
}

// Senders wait while a mailbox is full, and go on when there is room.
func TestMailboxHoldsSenders(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		next := make(chan struct{})
		to := limited(e, 4, false, func(p *Process) Reason {
			for range next {
				if _, err := p.Receive(Match{}, -1); err != nil {
					return err.(Reason)
				}
			}
			return Reason{Word: Normal}
		})
		sent := 0
		e.Go("sender", func(p *Process) Reason {
			for range 10 {
				p.Send(to.PID(), &Message{Kind: MessageData, Data: kB})
				sent++
			}
			return Reason{Word: Normal}
		})
		for want := 4; want < 10; want++ {
			synctest.Wait()
			if sent != want || to.Info().MailboxBytes != 4096 {
				t.Fatalf("%d were sent, %d bytes are there; want %d and 4096", sent, to.Info().MailboxBytes, want)
			}
			next <- struct{}{}
		}
		close(next)
		<-to.Done()
	})
}

// A mailbox that is full for 5 seconds ends its process, and the reason names who
// filled it. One that has room in time goes on.
func TestMailboxOverflow(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration // the process takes one message after so long; 0: never
		ends  Word
	}{
		{"never read", 0, MailboxOverflow},
		{"read just in time", fullTime - time.Nanosecond, ""},
		{"read too late", fullTime + time.Nanosecond, MailboxOverflow},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, e *Engine) {
				to := limited(e, 4, false, func(p *Process) Reason {
					if c.takes > 0 {
						select {
						case <-time.After(c.takes):
							p.Take(p.Next(Match{}, nil))
						case <-p.Context().Done():
						}
					}
					return rest(p)
				})
				begin, after := time.Now(), time.Duration(0)
				from := e.Go("sender", func(p *Process) Reason {
					for range 4 {
						p.Send(to.PID(), &Message{Kind: MessageData, Data: kB})
					}
					return rest(p)
				})
				select {
				case <-to.Done():
					after = time.Since(begin)
				case <-time.After(time.Minute):
				}
				why := to.killed()
				if why.Word != c.ends || c.ends != "" && after != fullTime {
					t.Errorf("ended after %v with %v", after, why)
				}
				if c.ends != "" && !bytes.Contains([]byte(why.Detail), []byte(e.PIDText(from))) {
					t.Errorf("%q does not name %s", why.Detail, e.PIDText(from))
				}
			})
		})
	}
}

// Two processes that fill each other's mailboxes both end.
func TestMutualOverflow(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		peer := make(chan PID, 2)
		flood := func(p *Process) Reason {
			for to := <-peer; ; {
				if err := p.Send(to, &Message{Kind: MessageData, Data: kB}); err != nil {
					return err.(Reason)
				}
			}
		}
		a, b := limited(e, 8, false, flood), limited(e, 8, false, flood)
		peer <- a.PID()
		peer <- b.PID()
		<-a.Done()
		<-b.Done()
		if a.killed().Word != MailboxOverflow || b.killed().Word != MailboxOverflow {
			t.Errorf("ended with %v and %v", a.killed(), b.killed())
		}
	})
}

// A process that sends to itself does not wait for room that it alone can make, but
// there is an end to it.
func TestSelfSend(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		sent := 0
		p := limited(e, 4, false, func(p *Process) Reason {
			for {
				if err := p.Send(p.PID(), &Message{Kind: MessageData, Data: kB}); err != nil {
					return err.(Reason)
				}
				sent++
			}
		})
		synctest.Wait()
		if sent != 8 {
			t.Errorf("%d were sent", sent)
		}
		<-p.Done()
		if p.killed().Word != MailboxOverflow {
			t.Errorf("ended with %v", p.killed())
		}
	})
}

// With DropWhenFull nobody waits and nobody ends, and what is dropped is counted.
func TestDropWhenFull(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		to := limited(e, 4, true, rest)
		l := &sent{}
		s := up(t, e, l, nil)
		for range 5 {
			if err := s.Deliver(data(to.PID(), "")); err != nil {
				t.Fatal(err)
			}
		}
		from := limited(e, 1, false, func(p *Process) Reason {
			for range 5 {
				p.Send(to.PID(), &Message{Kind: MessageData, Data: kB})
			}
			return Reason{Word: Normal}
		})
		<-from.Done()
		time.Sleep(2 * fullTime)
		if i := to.Info(); i.Messages != 4 || i.Dropped != 6 || i.State == Exiting {
			t.Errorf("%d are there, %d dropped, it is %s", i.Messages, i.Dropped, i.State)
		}
		if len(l.sigs) != 0 {
			t.Errorf("the node was told %d times", len(l.sigs))
		}
		s.Down(nil)
	})
}

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
		e.create(&Signal{Kind: KindSpawn, To: to, Spec: spec})
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

// Messages that do not count as they were asked for have an end too.
func TestUncountedMessages(t *testing.T) {
	for name, ask := range map[string]func(p *Process) error{
		"timers": func(p *Process) error {
			_, err := p.StartTimer(PID{}, 0, 0, make([]byte, 1<<20))
			for err != nil && p.Context().Err() == nil { // those under way are limited
				synctest.Wait()
				_, err = p.StartTimer(PID{}, 0, 0, make([]byte, 1<<20))
			}
			return p.check()
		},
		"downs": func(p *Process) error {
			if p.mailbox.free == 0 {
				p.mailbox.free = maxBeyond - 100*messageCost // as if many had come
			}
			p.Monitor(PID{Node: p.eng.node, Counter: 1 << 40})
			return p.check()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, e *Engine) {
				p := limited(e, 4, false, func(p *Process) Reason {
					for range 1000 {
						if err := ask(p); err != nil {
							return err.(Reason)
						}
						synctest.Wait()
					}
					return Reason{Word: Normal}
				})
				<-p.Done()
				if p.killed().Word != MailboxOverflow {
					t.Errorf("ended with %v", p.killed())
				}
			})
		})
	}
}

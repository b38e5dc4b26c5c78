package engine

import (
	"bytes"
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
	e.create(to, spec, spec.Origin)
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

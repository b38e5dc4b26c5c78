package enginetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

// A process that does not read is ended 5 seconds after its mailbox was full. Until
// then senders on its node and on another one are suspended, and what was sent is
// bounded; afterwards they go on.
func TestOverflowSuspendsSenders(t *testing.T) {
	const limit = 64 << 10
	for _, c := range []struct {
		name         string
		local, named bool
		recode       func(*engine.Signal) (*engine.Signal, error)
	}{
		{"local", true, false, nil},
		{"local, by name", true, true, nil},
		{"remote", false, false, nil},
		{"remote, by name", false, true, nil},
		{"remote, over the wire", false, false, enginetest.OverWire},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				programs := &enginetest.Programs{}
				n := enginetest.NewNetwork(t, programs, c.recode)
				alex, kate := n.Start("alex", 1), n.Start("kate", 1)
				if _, err := alex.Connect(t.Context(), "kate"); err != nil {
					t.Fatal(err)
				}
				at := kate
				if c.local {
					at = alex
				}
				sink := programs.Add("sink", func(p *engine.Process) engine.Reason {
					<-p.Context().Done()
					return engine.Reason{Word: engine.Normal}
				})
				begin := time.Now()
				var sent, after int
				var down *engine.Message
				alex.Go("sender", func(p *engine.Process) engine.Reason {
					pid, err := p.Spawn(at.Node(), &engine.Spec{
						Module: sink, Name: "sink", Monitor: alex.MakeRef(), Limits: engine.Limits{Mailbox: limit},
					})
					if err != nil {
						t.Error(err)
					}
					for p.Context().Err() == nil {
						m := &engine.Message{Kind: engine.MessageData, Data: make([]byte, 1024)}
						if c.named {
							err = p.SendName(at.Node(), "sink", m)
						} else {
							err = p.Send(pid, m)
						}
						if err != nil {
							break // nobody has the name any more
						}
						if time.Since(begin) < 5*time.Second { // then it goes on, to nobody
							sent++
						}
						if down, _ = p.Receive(engine.Match{Kinds: 1 << engine.MessageDown}, 0); down != nil {
							after = int(time.Since(begin).Seconds())
							break
						}
						if !c.local {
							synctest.Wait() // the network is as fast as it can be
						}
					}
					if down == nil {
						down, _ = p.Receive(engine.Match{Kinds: 1 << engine.MessageDown}, time.Minute)
						after = int(time.Since(begin).Seconds())
					}
					return engine.Reason{Word: engine.Normal}
				})
				time.Sleep(time.Minute)
				synctest.Wait()
				if down == nil || down.Reason.Word != engine.MailboxOverflow || !strings.Contains(down.Reason.Detail, "alex") {
					t.Fatalf("got %+v", down)
				}
				if after != 5 {
					t.Errorf("it ended after %d s", after)
				}
				if sent > 2*limit/1024 {
					t.Errorf("%d messages were sent", sent)
				}
			})
		})
	}
}

// Two processes on two nodes that fill each other's mailboxes do not wait for each
// other for ever.
func TestMutualOverflowOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := enginetest.NewNetwork(t, &enginetest.Programs{}, nil)
		alex, kate := n.Start("alex", 1), n.Start("kate", 1)
		if _, err := alex.Connect(t.Context(), "kate"); err != nil {
			t.Fatal(err)
		}
		other := map[*engine.Engine]chan engine.PID{alex: make(chan engine.PID, 1), kate: make(chan engine.PID, 1)}
		var procs []*engine.Process
		for at, peer := range map[*engine.Engine]*engine.Engine{alex: kate, kate: alex} {
			pid := at.Go("flood", func(p *engine.Process) engine.Reason {
				to := <-other[at]
				for range 100 { // more than both mailboxes and the connection take
					if err := p.Send(to, &engine.Message{Kind: engine.MessageData, Data: make([]byte, 1<<20)}); err != nil {
						return err.(engine.Reason)
					}
				}
				<-p.Context().Done() // the other one ended first
				return engine.Reason{Word: engine.Normal}
			})
			procs = append(procs, at.Process(pid))
			other[peer] <- pid
		}
		for _, p := range procs {
			<-p.Done()
			if why := context.Cause(p.Context()); !errors.Is(why, engine.Reason{Word: engine.MailboxOverflow}) {
				t.Errorf("%v ended with %v", p.PID(), why)
			}
		}
	})
}

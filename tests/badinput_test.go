package tests

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	root "github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
)

// What a process gets that does what cannot be, over a real connection, and that
// nobody else is harmed: after each step a server on the node still answers.
func TestBadInput(t *testing.T) {
	h := newHost(t)
	h.up("kate", "--listen", "/ip4/127.0.0.1/tcp/0")
	h.must("spawn", "--on", "kate", "--register", "counter", guest(t, "counter"))
	of, err := home.Open(func(key string) string { return map[string]string{"WNODE_HOME": h.home}[key] })
	if err != nil {
		t.Fatal(err)
	}
	n, err := root.Start(t.Context(), root.Config{Home: of})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	kate, err := n.Engine.Connect(t.Context(), "kate")
	if err != nil {
		t.Fatal(err)
	}
	at := control.Client{Engine: n.Engine, Node: kate}
	counter, err := at.Whereis(t.Context(), "counter", false)
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(guest(t, "spin"))
	if err != nil {
		t.Fatal(err)
	}
	deaf := engine.Module{Name: "spin"}
	if deaf.CID, deaf.Size, err = n.Store.Add(t.Context(), bytes.NewReader(wasm)); err != nil {
		t.Fatal(err)
	}
	server, err := os.ReadFile(guest(t, "counter"))
	if err != nil {
		t.Fatal(err)
	}
	named := engine.Module{Name: "counter"}
	if named.CID, named.Size, err = n.Store.Add(t.Context(), bytes.NewReader(server)); err != nil {
		t.Fatal(err)
	}

	// spawn starts a process and returns its monitor.
	spawn := func(t *testing.T, p *engine.Process, node engine.NodeID, s *engine.Spec) (engine.PID, engine.Ref) {
		s.Monitor, s.NoInput = p.Engine().MakeRef(), true
		ref := s.Monitor
		pid, err := p.Spawn(node, s)
		if err != nil {
			t.Error(err)
		}
		return pid, ref
	}
	// down waits for the end of what ref watches.
	down := func(t *testing.T, p *engine.Process, ref engine.Ref, want engine.Word, detail string) {
		m, err := p.Receive(engine.Match{Ref: ref}, patience)
		if err != nil || m == nil || m.Kind != engine.MessageDown || m.Reason.Word != want || !strings.Contains(m.Reason.Detail, detail) {
			t.Errorf("got %+v, %v; want a down with %s, %q", m, err, want, detail)
		}
	}
	answers := func(t *testing.T, p *engine.Process) {
		ref := p.Monitor(counter)
		if err := p.Send(counter, &engine.Message{Kind: engine.MessageCall, Ref: ref, Data: []byte("get")}); err != nil {
			t.Error(err)
		}
		m, err := p.Receive(engine.Match{Ref: ref}, patience)
		if err != nil || m == nil || m.Kind != engine.MessageReply || string(m.Data) != "0" {
			t.Errorf("the neighbour answers %+v, %v", m, err)
		}
		p.Demonitor(ref, true)
	}
	small := engine.Limits{Mailbox: 64 << 10}
	for _, c := range []struct {
		name string
		does func(t *testing.T, p *engine.Process)
	}{
		{"a message above the limit", func(t *testing.T, p *engine.Process) {
			err := p.Send(counter, &engine.Message{Kind: engine.MessageCast, Data: make([]byte, engine.MaxMessage+1)})
			if r, ok := err.(engine.Reason); !ok || r.Word != engine.BadArg {
				t.Errorf("got %v", err)
			}
		}},
		{"the largest message", func(t *testing.T, p *engine.Process) {
			if err := p.Send(counter, &engine.Message{Kind: engine.MessageCast, Data: make([]byte, engine.MaxMessage)}); err != nil {
				t.Error(err)
			}
		}},
		{"an unknown module", func(t *testing.T, p *engine.Process) {
			_, ref := spawn(t, p, kate, &engine.Spec{Module: engine.Module{Name: "nothing"}})
			down(t, p, ref, engine.ModuleNotFound, "nothing")
		}},
		{"a name that is taken", func(t *testing.T, p *engine.Process) {
			_, ref := spawn(t, p, kate, &engine.Spec{Module: named, Name: "counter"})
			down(t, p, ref, engine.NameTaken, "counter is kate")
		}},
		{"an unknown node", func(t *testing.T, p *engine.Process) {
			pid, ref := spawn(t, p, engine.NodeID{9}, &engine.Spec{Module: deaf})
			down(t, p, ref, engine.NoConnection, "")
			if err := p.Send(pid, &engine.Message{Kind: engine.MessageData}); err != nil {
				t.Errorf("a message there: %v", err)
			}
		}},
		{"a pid of an earlier life", func(t *testing.T, p *engine.Process) {
			old := counter
			old.Incarnation--
			down(t, p, p.Monitor(old), engine.NoProc, "")
			if err := p.Send(old, &engine.Message{Kind: engine.MessageCast, Data: []byte("inc 1")}); err != nil {
				t.Error(err)
			}
			p.TrapExit(true)
			p.Link(old)
			m, err := p.Receive(engine.Match{Kinds: 1 << engine.MessageExit}, patience)
			if err != nil || m == nil || m.Reason.Word != engine.NoProc {
				t.Errorf("linked: %+v, %v", m, err)
			}
		}},
		{"a full mailbox, flooded by one", func(t *testing.T, p *engine.Process) {
			to, ref := spawn(t, p, kate, &engine.Spec{Module: deaf, Limits: small})
			done := make(chan int)
			flooding := true
			n.Engine.Go("flood", func(f *engine.Process) engine.Reason {
				watch, sent := f.Monitor(to), 0
				for f.Next(engine.Match{Ref: watch}, nil) == nil && f.Send(to, &engine.Message{Kind: engine.MessageData, Data: make([]byte, 1<<10)}) == nil {
					sent++
				}
				done <- sent
				return engine.Reason{Word: engine.Normal}
			})
			for flooding {
				select {
				case sent := <-done:
					// What it has room for, and what was on the way when the node asked to wait.
					if flooding = false; sent < 32 || sent > 32<<10 {
						t.Errorf("%d messages of 1 kB were taken", sent)
					}
				default:
					answers(t, p)
				}
			}
			down(t, p, ref, engine.MailboxOverflow, "limit 64 KiB, full for 5s")
		}},
		{"a full mailbox that drops", func(t *testing.T, p *engine.Process) {
			to, ref := spawn(t, p, kate, &engine.Spec{Module: deaf, Limits: small, DropWhenFull: true})
			for range 1000 {
				if err := p.Send(to, &engine.Message{Kind: engine.MessageData, Data: make([]byte, 1<<10)}); err != nil {
					t.Error(err)
				}
			}
			answers(t, p) // behind them on the connection
			d, err := at.Describe(t.Context(), to)
			if err != nil || d.Dropped == 0 || d.Messages+int(d.Dropped) != 1000 || d.MailboxBytes > int(small.Mailbox)+2<<10 {
				t.Errorf("%+v, %v", d, err)
			}
			if err := p.Exit(to, engine.Reason{Word: engine.Kill}); err != nil {
				t.Error(err)
			}
			down(t, p, ref, engine.Killed, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := make(chan struct{})
			n.Engine.Go("tester", func(p *engine.Process) engine.Reason {
				defer close(done)
				c.does(t, p)
				answers(t, p)
				return engine.Reason{Word: engine.Normal}
			})
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("it hangs")
			}
		})
	}
	if ps, err := at.Processes(t.Context()); err != nil || len(ps) != 1 {
		t.Errorf("left: %+v, %v", ps, err)
	}
}

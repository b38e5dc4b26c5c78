package otp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

// world is two nodes in memory and the programs of the tests. It is to be made in a bubble of
// synctest, whose time makes all waits exact.
type world struct {
	t          *testing.T
	alex, kate *engine.Engine
	modules    map[string]engine.Module
	running    atomic.Int32 // programs "slow"
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, modules: map[string]engine.Module{}}
	programs := &enginetest.Programs{}
	for name, f := range map[string]enginetest.Program{
		"echo": func(p *engine.Process) engine.Reason { return w.returns(p, p.Spec().Input) },
		"text": func(p *engine.Process) engine.Reason {
			p.ReturnText([]byte(strings.Join(p.Spec().Args, "+") + "\n"))
			return engine.Reason{Word: engine.Normal}
		},
		"throw": func(p *engine.Process) engine.Reason {
			p.Leave(engine.Reasonf(engine.Thrown, "no such key"), engine.EndThrown)
			return engine.Reason{}
		},
		"exit": func(p *engine.Process) engine.Reason { return engine.Reason{Word: engine.NoConnection} },
		"trap": func(p *engine.Process) engine.Reason { return engine.Reasonf(engine.Trap, "unreachable") },
		"limited": func(p *engine.Process) engine.Reason {
			p.Kill(engine.Limit(engine.Fuel, "9 reductions"))
			return engine.Reason{}
		},
		"slow": func(p *engine.Process) engine.Reason { // returns its number after as many seconds
			w.running.Add(1)
			defer w.running.Add(-1)
			n, _ := strconv.Atoi(p.Spec().Args[0])
			select {
			case <-time.After(time.Duration(n) * time.Second):
			case <-p.Context().Done():
			}
			return w.returns(p, []byte(p.Spec().Args[0]))
		},
		"stubborn": func(p *engine.Process) engine.Reason { // does not end with shutdown
			p.TrapExit(true)
			<-p.Context().Done()
			return engine.Reason{}
		},
		"server": func(p *engine.Process) engine.Reason {
			for {
				m, err := p.Receive(engine.Match{}, -1)
				if err != nil {
					return engine.Reason{}
				}
				if string(m.Data) == "stop" {
					return engine.Reason{Word: engine.Shutdown}
				}
				if s, ok := strings.CutPrefix(string(m.Data), "wait "); ok {
					n, _ := strconv.Atoi(s)
					time.Sleep(time.Duration(n) * time.Second)
				}
				if m.Kind == engine.MessageCall {
					if err := p.Reply(m, append([]byte("re: "), m.Data...)); err != nil {
						return engine.Reason{}
					}
				}
			}
		},
	} {
		w.modules[name] = programs.Add(name, f)
	}
	net := enginetest.NewNetwork(t, programs, nil)
	w.alex, w.kate = net.Start("alex", 1), net.Start("kate", 1)
	if _, err := w.alex.Connect(t.Context(), "kate"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) returns(p *engine.Process, b []byte) engine.Reason {
	if err := p.Return(b); err != nil {
		w.t.Error(err)
	}
	return engine.Reason{Word: engine.Normal}
}

func (w *world) spec(module string, args ...string) *engine.Spec {
	m, ok := w.modules[module]
	if !ok {
		m = enginetest.ModuleOf([]byte(module))
	}
	return &engine.Spec{Module: m, Args: args, Input: []byte("in")}
}

// as runs f as a process of alex, and checks that it leaves nothing behind.
func (w *world) as(f func(p *engine.Process)) {
	done := make(chan struct{})
	w.alex.Go("test", func(p *engine.Process) engine.Reason {
		defer close(done)
		f(p)
		synctest.Wait()
		for m := p.Next(engine.Match{}, nil); m != nil; m = p.Next(engine.Match{}, m) {
			w.t.Errorf("a message of kind %d is left: %v %s", m.Kind, m.Reason, m.Data)
		}
		if n := len(p.Info().Monitors); n > 0 {
			w.t.Errorf("%d monitors are left", n)
		}
		return engine.Reason{Word: engine.Normal}
	})
	<-done
}

func inWorld(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
}

func TestApply(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range []struct {
			module, want string
			class        Class
		}{
			{"echo", "in false", ""}, {"text", "1+2\n true", ""},
			{"throw", "throw: no such key", Throw}, {"exit", "exit: noconnection", Exit}, {"trap", "error: trap: unreachable", Error},
			{"limited", "signal: killed: fuel limit 9 reductions", Signal}, {"none", "module_not_found: nobody has " + enginetest.ModuleOf([]byte("none")).CID.String(), ERPC},
		} {
			for _, on := range []*engine.Engine{w.alex, w.kate} {
				w.as(func(p *engine.Process) {
					r, err := Apply(p, on.Node(), w.spec(c.module, "1", "2"), time.Second)
					got, class := fmt.Sprintf("%s %v", r.Data, r.Text), Class("")
					if f := (*Failure)(nil); errors.As(err, &f) {
						got, class = err.Error(), f.Class
					}
					if got != c.want || class != c.class {
						t.Errorf("%s on %s: %q %q, %v", c.module, on.Name(), class, got, err)
					}
				})
			}
		}
		w.as(func(p *engine.Process) {
			begin := time.Now()
			_, err := Apply(p, w.kate.Node(), w.spec("slow", "3"), 2*time.Second)
			if !errors.Is(err, engine.Reason{Word: engine.Timeout}) || time.Since(begin) != 2*time.Second {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
			time.Sleep(2 * time.Second) // the late answer is dropped
			_, err = Apply(p, engine.NodeID{9}, w.spec("echo"), -1)
			if f := (*Failure)(nil); !errors.As(err, &f) || f.Class != ERPC || f.Reason.Word != engine.NoConnection {
				t.Error(err)
			}
			s := w.spec("echo")
			s.Grants = []string{"hash"}
			if _, err = Apply(p, w.kate.Node(), s, -1); !errors.Is(err, engine.Reason{Word: engine.NotGranted}) {
				t.Error(err)
			}
			r, err := SendRequest(p, w.kate.Node(), w.spec("echo"))
			if err != nil {
				t.Error(err)
			}
			r.Abandon(p)
		})
	})
}

func TestMultiApply(t *testing.T) {
	inWorld(t, func(w *world) {
		w.as(func(p *engine.Process) {
			nodes := []engine.NodeID{w.kate.Node(), {9}, w.alex.Node(), w.kate.Node()}
			i := 0
			answers, err := MultiApply(p, nodes, func(n engine.NodeID) *engine.Spec {
				i++
				return w.spec("slow", strconv.Itoa(i))
			}, 3500*time.Millisecond)
			var got []string
			for i, a := range answers {
				if a.Node != nodes[i] {
					t.Errorf("answer %d is of another node", i)
				}
				got = append(got, fmt.Sprintf("%s %v", a.Result.Data, a.Err))
			}
			want := []string{"1 <nil>", " noconnection", "3 <nil>", " timeout: no answer in time"}
			if !slices.Equal(got, want) || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			time.Sleep(3 * time.Second)
		})
	})
}

func TestServer(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, on := range []*engine.Engine{w.alex, w.kate} {
			w.as(func(p *engine.Process) {
				s := w.spec("server")
				s.Name = "echo"
				pid, err := p.Spawn(on.Node(), s)
				if err != nil {
					t.Error(err)
				}
				synctest.Wait()
				named := Server{Node: on.Node(), Name: "echo"}
				for _, to := range []Server{{PID: pid}, named} {
					if b, err := Call(p, to, []byte("hello"), CallTimeout); string(b) != "re: hello" || err != nil {
						t.Errorf("%q, %v", b, err)
					}
				}
				if _, err := Call(p, named, []byte("wait 7"), CallTimeout); !errors.Is(err, engine.Reason{Word: engine.Timeout}) {
					t.Error(err)
				}
				time.Sleep(3 * time.Second) // the late reply is dropped
				if err := Cast(p, named, []byte("no answer")); err != nil {
					t.Error(err)
				}
				replies, bad, err := MultiCall(p, []engine.NodeID{{9}, on.Node()}, "echo", []byte("x"), time.Second)
				if len(replies) != 1 || string(replies[0].Data) != "re: x" || len(bad) != 1 || err != nil {
					t.Errorf("%v, %v, %v", replies, bad, err)
				}
				if err := ABCast(p, []engine.NodeID{{9}, on.Node()}, "echo", []byte("x")); err != nil {
					t.Error(err)
				}
				if _, err := Call(p, named, make([]byte, engine.MaxMessage+1), -1); !errors.Is(err, engine.Reason{Word: engine.BadArg}) {
					t.Error(err)
				}
				if _, err := Call(p, named, []byte("stop"), CallTimeout); !errors.Is(err, engine.Reason{Word: engine.Shutdown}) {
					t.Error(err)
				}
				for _, to := range []Server{{PID: pid}, named} {
					if _, err := Call(p, to, nil, -1); !errors.Is(err, engine.Reason{Word: engine.NoProc}) {
						t.Error(err)
					}
					if err := Cast(p, to, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
}

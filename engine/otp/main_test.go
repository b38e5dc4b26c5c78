package otp_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/otp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes, connected, and what happened to the children on them.
type world struct {
	t      *testing.T
	net    *enginetest.Network
	nodes  []*engine.Engine // the first is the supervisor's
	module engine.Module

	mu    sync.Mutex
	trace []event
}

// event is something that happened to a child: "+a" it started, "-a" it was told to end
// or ended itself.
type event struct {
	text  string
	start uint64 // the number of the process that started
}

func newWorld(t *testing.T, nodes ...string) *world {
	programs := &enginetest.Programs{}
	w := &world{t: t, net: enginetest.NewNetwork(t, programs, enginetest.OverWire)}
	w.module = programs.Add("worker", w.worker)
	for _, name := range nodes {
		w.nodes = append(w.nodes, w.net.Start(name, 1))
	}
	for _, n := range w.nodes[1:] {
		w.connect(w.nodes[0], n)
	}
	return w
}

func (w *world) connect(a, b *engine.Engine) {
	w.t.Helper()
	if _, err := a.Connect(w.t.Context(), b.Name()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) note(text string, start uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, event{text, start})
}

// happened returns what was noted since it was last asked, when all rests. Starts in a row
// are in the order in which they were spawned: the next one is when the guest of one is
// about to run, so that it may come to its note first.
func (w *world) happened() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 0; i < len(w.trace); i++ {
		j := i
		for j < len(w.trace) && w.trace[j].start > 0 {
			j++
		}
		slices.SortFunc(w.trace[i:j], func(a, b event) int { return int(a.start) - int(b.start) })
		i = max(i, j-1)
	}
	var texts []string
	for _, e := range w.trace {
		texts = append(texts, e.text)
	}
	w.trace = nil
	return strings.Join(texts, " ")
}

// worker is a child. Its arguments are its name and how it takes shutdown: "" ends,
// "stubborn" does not, and a time is how long it needs. A message is what it ends with.
func (w *world) worker(p *engine.Process) engine.Reason {
	name, manner := p.Spec().Args[0], p.Spec().Args[1]
	p.TrapExit(manner != "")
	w.note("+"+name, p.PID().Counter)
	defer w.note("-"+name, 0)
	for {
		m, err := p.Receive(engine.Match{}, -1)
		switch {
		case err != nil:
			return engine.Reason{Word: engine.Killed}
		case m.Kind == engine.MessageData:
			return engine.Reason{Word: engine.Word(m.Data), Code: 1}
		case m.Kind == engine.MessageExit && manner != "stubborn":
			d, err := time.ParseDuration(manner)
			if err != nil {
				w.t.Error(err)
			}
			select {
			case <-time.After(d):
			case <-p.Context().Done():
			}
			return engine.Reason{Word: engine.Shutdown}
		}
	}
}

// child returns a child of a text: its id, and options in any order.
func (w *world) child(text string) otp.ChildSpec {
	words := strings.Fields(text)
	c := otp.ChildSpec{ID: words[0]}
	manner := ""
	for _, o := range words[1:] {
		switch k, v, _ := strings.Cut(o, "="); k {
		case "permanent", "transient", "temporary":
			c.Restart = otp.Restart(o)
		case "shutdown":
			if err := c.Shutdown.UnmarshalText([]byte(v)); err != nil {
				w.t.Fatal(err)
			}
		case "takes":
			manner = v
		case "on":
			c.Place = w.place(strings.Split(v, ","))
		default:
			w.t.Fatalf("no option %q", o)
		}
	}
	c.Spec = func() *engine.Spec {
		return &engine.Spec{Module: w.module, Args: []string{c.ID, manner}, Name: c.ID}
	}
	return c
}

// place is the first of the nodes that can be connected.
func (w *world) place(names []string) func(context.Context) (engine.NodeID, error) {
	e := w.nodes[0]
	return func(ctx context.Context) (engine.NodeID, error) {
		for _, name := range names {
			if id, err := e.Connect(ctx, name); err == nil {
				return id, nil
			}
		}
		return engine.NodeID{}, engine.Reasonf(engine.NoConnection, "none of %v is up", names)
	}
}

// start starts a supervisor of children that texts describe, on the first node.
func (w *world) start(s *otp.Supervisor, children ...string) otp.Sup {
	for _, text := range children {
		s.Children = append(s.Children, w.child(text))
	}
	e := w.nodes[0]
	spec := s.Spec("sup")
	spec.Origin = e.Owner()
	return otp.Sup{Engine: e, PID: e.Start(spec)}
}

// done is closed when the supervisor is gone; why is what it ended with.
func (w *world) done(s otp.Sup) (why func() string) {
	downs := make(chan engine.Reason, 1)
	n := s.Engine.Native(func(sig *engine.Signal) {
		if sig.Kind == engine.KindDown {
			downs <- sig.Reason
		}
	})
	n.Monitor(s.PID)
	return func() string {
		defer n.Close(engine.Reason{Word: engine.Normal})
		synctest.Wait()
		select {
		case r := <-downs:
			return string(r.Word)
		default:
			return "it runs"
		}
	}
}

// pid returns the process of a child, by its name on some node.
func (w *world) pid(name string) (engine.PID, *engine.Engine) {
	for _, e := range w.nodes {
		if pid := e.Whereis(name); !pid.IsZero() {
			return pid, e
		}
	}
	return engine.PID{}, nil
}

// do does a step: "WORD CHILD" has the child end with a reason, "kill CHILD" kills
// it, "cut NODE" cuts the connection to a node for good and "heal NODE" brings it back;
// "wait TIME" lets time pass.
func (w *world) do(s otp.Sup, step string) {
	w.t.Helper()
	word, what, _ := strings.Cut(step, " ")
	ctx := w.t.Context()
	var err error
	switch word {
	case "":
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(what)
		time.Sleep(d)
	case "cut", "heal":
		for _, n := range w.nodes {
			switch {
			case n.Name() != what:
			case word == "cut":
				w.net.Part(w.nodes[0], n)
			default:
				w.net.Heal(w.nodes[0], n)
				w.connect(w.nodes[0], n)
			}
		}
	case "terminate_child":
		err = s.TerminateChild(ctx, what)
	case "restart_child":
		_, err = s.RestartChild(ctx, what)
	case "delete_child":
		err = s.DeleteChild(ctx, what)
	case "stop":
		err = s.Stop(ctx)
	default:
		pid, e := w.pid(what)
		if e == nil {
			w.t.Fatalf("%s: there is no %s", step, what)
		}
		n := e.Native(func(*engine.Signal) {})
		defer n.Close(engine.Reason{Word: engine.Normal})
		if word == "kill" {
			n.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
		} else {
			n.Send(pid, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageData, Data: []byte(word)}})
		}
	}
	if err != nil {
		w.note(fmt.Sprintf("(%v)", err), 0)
	}
}

func order(list []string) []string { return slices.Sorted(slices.Values(list)) }

package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// sentence is one of OTP's rules and its proof. The proof is run for a partner on
// the same node, e.there is e.alex, and for one on another, e.there is e.kate.
type sentence struct {
	text string
	test func(*env)
}

// otp is the suite in the order of the rules: sections and their sentences.
var otp = []struct {
	section   string
	sentences []sentence
}{
	{"signals", signals}, {"links", links}, {"monitors", monitors}, {"spawn", spawns},
	{"group leader", leaders}, {"nodes", nodes}, {"names", names}, {"mailboxes", mailboxes},
	{"calls", calls},
}

// processModel runs the suite of OTP's process model.
func processModel(t *testing.T, cluster func(t *testing.T, programs *Programs) Cluster) {
	for _, s := range otp {
		t.Run(s.section, func(t *testing.T) {
			programs := &Programs{}
			cl := cluster(t, programs)
			alex, kate := cl.Start("alex", 1), cl.Start("kate", 1)
			for _, c := range s.sentences {
				for where, there := range map[string]*engine.Engine{"local": alex, "remote": kate} {
					t.Run(c.text+"/"+where, func(t *testing.T) {
						e := &env{T: t, cluster: cl, programs: programs, alex: alex, kate: kate, there: there, labels: &labels{}}
						e.heal(alex, kate)
						c.test(e)
					})
				}
			}
		})
	}
}

// labels are the names of processes in traces.
type labels struct {
	mu sync.Mutex
	of map[engine.PID]string
}

func (l *labels) set(pid engine.PID, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[engine.PID]string{}
	}
	l.of[pid] = name
}

func (l *labels) get(pid engine.PID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch name := l.of[pid]; {
	case name != "":
		return name
	case pid.Counter == 0:
		return "someone"
	}
	return "?"
}

// heal connects two nodes, and returns when both know.
func (e *env) heal(a, b *engine.Engine) {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	for ctx.Err() == nil {
		if _, err = a.Connect(ctx, b.Name()); err != nil {
			continue // a session that ends is in the way
		}
		if err = e.call(ctx, a, b); err == nil {
			if err = e.call(ctx, b, a); err == nil {
				return
			}
		}
	}
	e.Fatalf("%s and %s are not connected: %v", a.Name(), b.Name(), err)
}

func (e *env) call(ctx context.Context, from, to *engine.Engine) error {
	to.Serve("ping", func(context.Context, engine.Caller, []byte) ([]byte, error) { return nil, nil })
	_, err := from.Call(ctx, to.Node(), "ping", nil)
	return err
}

// settle returns when all signals that were sent between the nodes have been handled,
// and those that the engines answered with.
func (e *env) settle() {
	e.Helper()
	for range 2 {
		e.ping(e.alex, e.kate)
		e.ping(e.kate, e.alex)
	}
}

// lost cuts the connection and returns when both nodes know.
func (e *env) lost(a, b *engine.Engine) {
	e.Helper()
	wa, wb := e.puppet(a, "watch"), e.puppet(b, "watch")
	wa.do(func(p *engine.Process) { must(e, p.MonitorNode(b.Node(), true)) })
	wb.do(func(p *engine.Process) { must(e, p.MonitorNode(a.Node(), true)) })
	e.cluster.Cut(a, b)
	wa.sees("NODEDOWN " + b.Name())
	wb.sees("NODEDOWN " + a.Name())
}

func must(e *env, err error) {
	e.Helper()
	if err != nil {
		e.Error(err)
	}
}

// puppet is a process that does what it is told.
type puppet struct {
	*engine.Process
	e    *env
	name string
	work chan func(*engine.Process)
	ends chan engine.Reason // the reason it ends with, of its own
	done chan engine.Reason
}

// puppet starts one that traps exits, as most tests look at what comes.
func (e *env) puppet(on *engine.Engine, name string) *puppet {
	a := e.weak(on, name)
	a.TrapExit(true)
	return a
}

// weak starts one that does not trap exits.
func (e *env) weak(on *engine.Engine, name string) *puppet {
	e.Helper()
	a := &puppet{e: e, name: name, work: make(chan func(*engine.Process)), ends: make(chan engine.Reason, 1), done: make(chan engine.Reason, 1)}
	up := make(chan *engine.Process)
	pid := on.Go(name, func(p *engine.Process) engine.Reason {
		up <- p
		return a.run(p)
	})
	e.labels.set(pid, name)
	a.Process = <-up
	e.Cleanup(func() {
		a.Kill(engine.Reason{Word: engine.Kill})
		<-a.Done()
	})
	return a
}

func (a *puppet) run(p *engine.Process) engine.Reason {
	for {
		select {
		case f := <-a.work:
			f(p)
		case r := <-a.ends:
			return r
		case <-p.Context().Done():
			a.done <- context.Cause(p.Context()).(engine.Reason)
			return engine.Reason{Word: engine.Normal}
		}
	}
}

// do has the process do something, and returns when it has.
func (a *puppet) do(f func(p *engine.Process)) {
	a.e.Helper()
	<-a.start(f)
}

// start has the process do something. f must not call Fatal: that is for the test's
// own goroutine.
func (a *puppet) start(f func(p *engine.Process)) (done chan struct{}) {
	a.e.Helper()
	done = make(chan struct{})
	select {
	case a.work <- func(p *engine.Process) { defer close(done); f(p) }:
	case <-a.Context().Done():
		a.e.Fatalf("%s has ended: %v", a.name, context.Cause(a.Context()))
	}
	return done
}

// end has the process end, and returns when it is gone.
func (a *puppet) end(r engine.Reason) {
	a.ends <- r
	<-a.Done()
}

// send sends a text.
func (a *puppet) send(to engine.PID, text string) {
	a.e.Helper()
	a.do(func(p *engine.Process) { must(a.e, p.Send(to, letter(text))) })
}

// letter is a message of a text.
func letter(s string) *engine.Message {
	return &engine.Message{Kind: engine.MessageData, Data: []byte(s)}
}

// dies checks how the process ended, of a signal that came.
func (a *puppet) dies(want string) {
	a.e.Helper()
	select {
	case r := <-a.done:
		if got := r.Error(); got != want {
			a.e.Errorf("%s ended with %q, want %q", a.name, got, want)
		}
	case <-time.After(patience):
		a.e.Errorf("%s lives, want it to end with %s", a.name, want)
	}
}

// lives checks that the process was not told to end by what has come so far.
func (a *puppet) lives() {
	a.e.Helper()
	a.e.settle()
	if err := a.Context().Err(); err != nil {
		a.e.Errorf("%s ended with %v", a.name, context.Cause(a.Context()))
	}
}

// sees takes messages out of the mailbox and compares them with a trace, a message
// to a line.
func (a *puppet) sees(trace string) {
	a.e.Helper()
	want := strings.Split(strings.TrimSpace(trace), "\n")
	var got []string
	a.do(func(p *engine.Process) {
		for i := range want {
			want[i] = strings.TrimSpace(want[i])
			m, err := p.Receive(engine.Match{}, patience)
			if m == nil {
				got = append(got, fmt.Sprintf("nothing (%v)", err))
				return
			}
			got = append(got, a.e.text(m))
		}
	})
	if !slices.Equal(got, want) {
		a.e.Errorf("%s sees\n\t%s\nwant\n\t%s", a.name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// seesNothing checks that the mailbox is empty when all that was sent has come.
func (a *puppet) seesNothing() {
	a.e.Helper()
	a.e.settle()
	a.do(func(p *engine.Process) {
		for m := p.Next(engine.Match{}, nil); m != nil; m = p.Next(engine.Match{}, m) {
			a.e.Errorf("%s sees %s", a.name, a.e.text(m))
		}
	})
}

// text is a message as traces have it.
func (e *env) text(m *engine.Message) string {
	from := e.labels.get(m.From)
	switch m.Kind {
	case engine.MessageExit:
		return "EXIT " + from + " " + m.Reason.Error()
	case engine.MessageDown:
		return "DOWN " + from + " " + m.Reason.Error()
	case engine.MessageNodeUp:
		return "NODEUP " + e.node(m.From.Node)
	case engine.MessageNodeDown:
		return "NODEDOWN " + e.node(m.From.Node)
	case engine.MessageNameLost:
		return "NAMELOST " + string(m.Data) + " to " + from
	case engine.MessageTimeout:
		return "TIMEOUT " + string(m.Data)
	}
	return string(m.Data)
}

func (e *env) node(id engine.NodeID) string {
	for _, n := range []*engine.Engine{e.alex, e.kate} {
		if n.Node() == id {
			return n.Name()
		}
	}
	return "another"
}

// unreachable is a process of a node that there is not.
var unreachable = engine.PID{Node: engine.NodeID{9}, Incarnation: 1, Counter: 1}

// corpse is a process of a node that has ended.
func (e *env) corpse(on *engine.Engine) engine.PID {
	a := e.puppet(on, "corpse")
	a.end(engine.Reason{Word: engine.Normal})
	return a.PID()
}

var (
	normal   = engine.Reason{Word: engine.Normal}
	shutdown = engine.Reason{Word: engine.Shutdown}
	kill     = engine.Reason{Word: engine.Kill}
)

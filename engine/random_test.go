package engine_test

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

// step is one of a random program: process a does something to process b, or
// something happens to the nodes of both.
type step struct {
	Do   string
	A, B int
	N    int // a node, a name, a reason, or which of several
}

func (s step) String() string { return fmt.Sprintf("%s %d %d %d", s.Do, s.A, s.B, s.N) }

var doings = []string{
	"send", "send", "send", "link", "link", "unlink", "monitor", "monitor", "monitor name", "demonitor", "exit",
	"spawn", "spawn", "end", "kill", "register", "unregister", "register everywhere", "unregister everywhere",
	"join", "join", "leave", "watch node", "watch nodes", "timer", "cut", "part", "heal", "wait",
}

// Random programs over some nodes keep OTP's promises: no reordering of a pair, each
// DOWN and EXIT once, links the same at both ends, names and groups the same at all
// nodes that are connected, and nothing left of processes that ended.
func TestRandomPrograms(t *testing.T) {
	rounds := os.Getenv("WNODE_ROUNDS")
	if rounds == "" && os.Getenv("WNODE_SOAK") != "" {
		rounds = "50000"
	}
	if rounds != "" {
		if err := flag.Set("rapid.checks", rounds); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		nodes := rapid.IntRange(2, 5).Draw(rt, "nodes")
		coded := rapid.Bool().Draw(rt, "through the wire")
		least := rapid.SampledFrom([]int{1, 50, 200}).Draw(rt, "least") // else nearly all programs are short
		program := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				Do: rapid.SampledFrom(doings).Draw(t, "do"),
				A:  rapid.IntRange(0, 30).Draw(t, "a"), B: rapid.IntRange(0, 30).Draw(t, "b"), N: rapid.IntRange(0, 5).Draw(t, "n"),
			}
		}), least, 400).Draw(rt, "program")
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = play(t, nodes, coded, program) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// world is what a program runs in.
type world struct {
	net    *enginetest.Network
	nodes  []*engine.Engine
	module engine.Module
	cut    bool // a connection was lost: messages may be

	mu     sync.Mutex
	actors []*actor
	wrong  []string
}

// actor is a process of the program.
type actor struct {
	*engine.Process
	w    *world
	work chan func(*actor) (end engine.Reason)

	// Of the goroutine that runs the process, and read when all rests.
	sent  map[engine.PID]uint64 // messages to each
	got   map[engine.PID]uint64 // the number of the last one of each
	count map[engine.PID]uint64
	refs  []engine.Ref        // of monitors that were set
	downs map[engine.Ref]int  // how often each fired
	off   map[engine.Ref]bool // that were taken back with flush
	exits map[engine.PID]int  // how often each was heard of
	links map[engine.PID]int  // how often each was linked, from here
}

func (w *world) failf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// run is the life of a process: it does what it is told, and notes what comes.
func (w *world) run(p *engine.Process) engine.Reason {
	a := &actor{
		Process: p, w: w, work: make(chan func(*actor) engine.Reason, 1000), sent: map[engine.PID]uint64{}, got: map[engine.PID]uint64{},
		count: map[engine.PID]uint64{}, downs: map[engine.Ref]int{}, off: map[engine.Ref]bool{}, exits: map[engine.PID]int{}, links: map[engine.PID]int{},
	}
	w.mu.Lock()
	n := len(w.actors)
	w.actors = append(w.actors, a)
	w.mu.Unlock()
	p.TrapExit(n%3 != 0)
	for {
		select {
		case f := <-a.work:
			if r := f(a); r.Word != "" {
				return r
			}
		case <-p.Arrived(0):
			if m, _ := p.Receive(engine.Match{}, 0); m != nil {
				a.note(m)
			}
		case <-p.Context().Done():
			return engine.Reason{Word: engine.Normal}
		}
	}
}

func (a *actor) note(m *engine.Message) {
	switch m.Kind {
	case engine.MessageData:
		n := binary.LittleEndian.Uint64(m.Data)
		if n <= a.got[m.From] {
			a.w.failf("%v got message %d of %v behind %d", a.PID(), n, m.From, a.got[m.From])
		}
		a.got[m.From] = n
		a.count[m.From]++
	case engine.MessageDown:
		if a.downs[m.Ref]++; a.downs[m.Ref] > 1 {
			a.w.failf("%v got a DOWN of %v twice", a.PID(), m.From)
		}
		if a.off[m.Ref] {
			a.w.failf("%v got a DOWN of %v after it took the monitor back", a.PID(), m.From)
		}
	case engine.MessageExit:
		if m.Reason.Detail != "signal" {
			a.exits[m.From]++
		}
	}
}

// play runs a program, and returns what was wrong.
func play(t *testing.T, nodes int, coded bool, program []step) string {
	programs := &enginetest.Programs{}
	w := &world{net: enginetest.NewNetwork(t, programs, nil)}
	if coded {
		w.net = enginetest.NewNetwork(t, programs, enginetest.OverWire)
	}
	w.module = programs.Add("actor", w.run)
	for i := range nodes {
		w.nodes = append(w.nodes, w.net.Start(fmt.Sprintf("node%d", i), 1))
	}
	w.mesh()
	for i := range 2 * nodes {
		w.nodes[i%nodes].Go("actor", w.run)
	}
	synctest.Wait()
	for _, s := range program {
		w.step(s)
	}
	synctest.Wait()
	w.check()
	w.mu.Lock()
	actors := w.actors
	w.mu.Unlock()
	for _, a := range actors {
		a.Kill(engine.Reason{Word: engine.Kill})
	}
	synctest.Wait()
	for i, e := range w.nodes {
		if left := e.Left(); left != "" {
			w.failf("node %d has left:\n%s", i, left)
		}
	}
	return strings.Join(w.wrong, "\n")
}

// mesh connects all nodes that can be.
func (w *world) mesh() {
	for range 2 { // what ends may be in the way
		synctest.Wait()
		for i, a := range w.nodes {
			for _, b := range w.nodes[:i] {
				a.Connect(context.Background(), b.Name())
			}
		}
	}
	synctest.Wait()
}

// step starts one step; what it does goes on beside the next ones.
func (w *world) step(s step) {
	w.mu.Lock()
	a, b := w.actors[s.A%len(w.actors)], w.actors[s.B%len(w.actors)]
	w.mu.Unlock()
	to, name := b.PID(), fmt.Sprint("name", s.N%3)
	var home *engine.Engine
	for _, e := range w.nodes {
		if e.Node() == a.PID().Node {
			home = e
		}
	}
	na, nb := w.nodes[s.A%len(w.nodes)], w.nodes[s.B%len(w.nodes)]
	reason := []engine.Reason{
		{Word: engine.Normal}, {Word: engine.Shutdown}, {Word: engine.Kill}, {Word: engine.Exited, Code: 1}, {Word: engine.Shutdown}, {Word: engine.Normal},
	}[s.N]
	do := func(f func()) { a.work <- func(*actor) engine.Reason { f(); return engine.Reason{} } }
	switch s.Do {
	case "send":
		do(func() {
			a.sent[to]++
			a.Send(to, &engine.Message{Kind: engine.MessageData, Data: binary.LittleEndian.AppendUint64(nil, a.sent[to])})
		})
	case "link":
		do(func() { a.links[to]++; a.Link(to) })
	case "unlink":
		do(func() { a.Unlink(to) })
	case "monitor":
		do(func() { a.refs = append(a.refs, a.Monitor(to)) })
	case "monitor name":
		do(func() { a.refs = append(a.refs, a.MonitorName(nb.Node(), name)) })
	case "demonitor":
		do(func() {
			if len(a.refs) > 0 {
				ref := a.refs[s.B%len(a.refs)]
				a.off[ref] = true
				a.Demonitor(ref, true)
			}
		})
	case "exit":
		reason.Detail = "signal"
		do(func() { a.Exit(to, reason) })
	case "spawn":
		do(func() {
			spec := &engine.Spec{Module: w.module, Link: s.N%2 == 0}
			if s.N%3 == 0 {
				spec.Monitor = home.MakeRef()
				a.refs = append(a.refs, spec.Monitor)
			}
			if pid, err := a.Spawn(nb.Node(), spec); err != nil {
				w.failf("spawn: %v", err)
			} else if spec.Link {
				a.links[pid]++
			}
		})
	case "end":
		a.work <- func(*actor) engine.Reason { return reason }
	case "kill":
		a.Kill(reason)
	case "register":
		home.Register(name, a.PID())
	case "unregister":
		na.Unregister(name)
	case "register everywhere":
		home.RegisterGlobal(name, a.PID())
	case "unregister everywhere":
		na.UnregisterGlobal(name)
	case "join":
		home.Join(name, a.PID())
	case "leave":
		home.Leave(name, a.PID())
	case "watch node":
		do(func() { a.MonitorNode(nb.Node(), s.N%2 == 0) })
	case "watch nodes":
		do(func() { a.MonitorNodes(s.N%2 == 0) })
	case "timer":
		do(func() { a.StartTimer(engine.PID{}, 0, 0, nil) })
	case "cut":
		w.cut = true
		w.net.Cut(na, nb)
	case "part":
		if na != nb {
			w.cut = true
			w.net.Part(na, nb)
		}
	case "heal":
		w.net.Heal(na, nb)
	case "wait":
		synctest.Wait()
	}
}

// check looks at the processes when all rest.
func (w *world) check() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			w.net.Heal(a, b)
		}
	}
	w.mesh()
	by := map[engine.PID]*actor{}
	for _, a := range w.actors {
		if a.Context().Err() == nil {
			by[a.PID()] = a
		}
	}
	for _, a := range w.actors {
		alive := by[a.PID()] != nil
		links, monitors, watching := a.Books()
		if !alive {
			if len(links)+len(monitors)+len(watching) != 0 {
				w.failf("%v has ended and has %d links, %d monitors, watches %d", a.PID(), len(links), len(monitors), len(watching))
			}
			continue
		}
		for to, unlink := range links {
			b := by[to]
			if unlink != 0 || b == nil {
				w.failf("%v is linked with %v (unlink %d), who lives: %v", a.PID(), to, unlink, b != nil)
			} else if back, _, _ := b.Books(); !has(back, a.PID()) {
				w.failf("%v is linked with %v, but not the other way round", a.PID(), to)
			}
		}
		for ref, to := range monitors {
			if b := by[to]; b == nil {
				w.failf("%v is monitored by %v, who is gone", a.PID(), to)
			} else if _, _, back := b.Books(); !has(back, ref) && !b.off[ref] {
				w.failf("%v is monitored by %v, who does not know", a.PID(), to)
			}
		}
		for ref, to := range watching {
			if a.downs[ref] != 0 {
				w.failf("%v watches %v, although it fired", a.PID(), to)
			}
			if by[to] == nil && to.Counter != 0 {
				w.failf("%v watches %v, who is gone", a.PID(), to)
			}
		}
		for _, ref := range a.refs {
			if !has(watching, ref) && a.downs[ref] == 0 && !a.off[ref] {
				w.failf("%v lost a monitor", a.PID())
			}
		}
		for from, n := range a.exits {
			may := a.links[from]
			for _, b := range w.actors {
				if b.PID() == from {
					may += b.links[a.PID()]
				}
			}
			if n > may {
				w.failf("%v got %d EXITs of %v, of %d links", a.PID(), n, from, may)
			}
		}
		for _, b := range w.actors {
			if sent, got := b.sent[a.PID()], a.count[b.PID()]; got > sent || !w.cut && got != sent {
				w.failf("%v got %d messages of %v, who sent %d", a.PID(), got, b.PID(), sent)
			}
		}
	}
	for _, name := range []string{"name0", "name1", "name2"} {
		who, members := w.nodes[0].WhereisGlobal(name), fmt.Sprint(w.nodes[0].Members(name))
		for _, e := range w.nodes[1:] {
			if got := e.WhereisGlobal(name); got != who {
				w.failf("%s is %v at %s and %v at %s", name, who, w.nodes[0].Name(), got, e.Name())
			}
			if got := fmt.Sprint(e.Members(name)); got != members {
				w.failf("in %s are %s at %s and %s at %s", name, members, w.nodes[0].Name(), got, e.Name())
			}
		}
		if !who.IsZero() && by[who] == nil {
			w.failf("%s is %v, who is gone", name, who)
		}
	}
}

func has[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

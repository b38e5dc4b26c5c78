package batch_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes in memory, and the one that maps.
type world struct {
	t        *testing.T
	net      *enginetest.Network
	programs *enginetest.Programs
	me       *engine.Engine

	mu      sync.Mutex
	nodes   map[string]*engine.Engine
	jobs    map[string]int // 0: it drains
	started []string       // node and task of each process, in order
	most    map[string]int // processes at once
	now     map[string]int
}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{
		t: t, programs: &enginetest.Programs{}, nodes: map[string]*engine.Engine{}, jobs: map[string]int{},
		most: map[string]int{}, now: map[string]int{},
	}
	w.net = enginetest.NewNetwork(t, w.programs, nil)
	w.me = w.net.Start("me", 1)
	for _, name := range names {
		w.join(name, 1)
	}
	return w
}

// join starts a node, or has one be there again.
func (w *world) join(name string, jobs int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[name] == nil {
		w.nodes[name] = w.net.Start(name, 1)
	}
	w.jobs[name] = jobs
}

// die parts a node from the one that maps: its processes go on, or not.
func (w *world) die(name string) {
	w.mu.Lock()
	delete(w.jobs, name)
	e := w.nodes[name]
	w.mu.Unlock()
	w.net.Part(w.me, e)
}

func (w *world) heal(name string, jobs int) {
	w.net.Heal(w.me, w.nodes[name])
	w.join(name, jobs)
}

// find is Config.Nodes.
func (w *world) find(ctx context.Context) ([]batch.Node, error) {
	w.mu.Lock()
	jobs := map[string]int{}
	for name, n := range w.jobs {
		jobs[name] = n
	}
	w.mu.Unlock()
	var nodes []batch.Node
	for name, n := range jobs {
		id, err := w.me.Connect(ctx, name)
		if err == nil {
			nodes = append(nodes, batch.Node{ID: id, Name: name, Jobs: n})
		}
	}
	slices.SortFunc(nodes, func(a, b batch.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, nil
}

// program makes a module of a function that gets the node and the arguments of its
// process, and counts its runs.
func (w *world) program(f func(p *engine.Process, node string, args []string) engine.Reason) engine.Spec {
	m := w.programs.Add("program", func(p *engine.Process) engine.Reason {
		node, args := p.Engine().Name(), p.Spec().Args
		w.mu.Lock()
		w.started = append(w.started, node+" "+strings.Join(args, " "))
		w.now[node]++
		w.most[node] = max(w.most[node], w.now[node])
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.now[node]--
			w.mu.Unlock()
		}()
		return f(p, node, args)
	})
	return engine.Spec{Module: m}
}

func (w *world) starts(what string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.started {
		if strings.HasSuffix(s, " "+what) || what == "" {
			n++
		}
	}
	return n
}

var normal = engine.Reason{Word: engine.Normal}

// wait is time that passes for a process, less if it is to end.
func wait(p *engine.Process, d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.Context().Done():
	}
}

func say(p *engine.Process, format string, args ...any) {
	fmt.Fprintf(writer{p, engine.Stdout}, format, args...)
}

type writer struct {
	p *engine.Process
	s engine.Stream
}

func (w writer) Write(b []byte) (int, error) { return w.p.Write(w.s, b) }

// count returns n tasks, the numbers from 1 on.
func count(n int) func() (*batch.Task, error) {
	i := 0
	return func() (*batch.Task, error) {
		if i == n {
			return nil, io.EOF
		}
		i++
		text := strconv.Itoa(i)
		return &batch.Task{Seq: i, Values: []string{text}, Args: []string{text}}, nil
	}
}

// sink is an Emit that keeps what comes.
type sink struct {
	mu    sync.Mutex
	text  strings.Builder
	order []int
	codes map[int]int
	nodes map[int]string
	why   map[int]engine.Reason
	block chan struct{} // not nil: Emit waits for it
}

func (s *sink) emit(results []*batch.Result) error {
	if s.block != nil {
		<-s.block
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codes == nil {
		s.codes, s.nodes, s.why = map[int]int{}, map[int]string{}, map[int]engine.Reason{}
	}
	for _, r := range results {
		s.order = append(s.order, r.Seq)
		s.codes[r.Seq], s.nodes[r.Seq], s.why[r.Seq] = r.Code, r.Node, r.Reason
		if err := r.Output.Each(func(_ engine.Stream, data []byte) error {
			s.text.Write(data)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// numbers is the text of 1 to n, a line each.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// inOrder checks that results 1 to n are there, each once, and in order.
func (s *sink) inOrder(t *testing.T, n int) {
	t.Helper()
	if !slices.IsSorted(s.order) {
		t.Errorf("results in the order %v", s.order)
	}
	s.once(t, n)
}

func (s *sink) once(t *testing.T, n int) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(s.order))
	for i := range n {
		if i >= len(sorted) || sorted[i] != i+1 {
			t.Fatalf("result %d is missing or there twice: %v", i+1, sorted)
		}
	}
	if len(sorted) != n {
		t.Fatalf("%d results, want %d", len(sorted), n)
	}
}

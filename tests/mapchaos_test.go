package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	root "github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
)

// TestMapChaos maps tasks over three nodes while processes of the map, nodes and the
// command itself are killed, with SIGKILL the latter two, each when so many results are
// there as chance says: 10 runs of 200 tasks, 200 of 1000 in make soak. The command is
// started again with --resume until it comes to its end. Then its output has each
// result once, whole and in order, and the log each task once.
//
// WNODE_SEED repeats a sequence.
func TestMapChaos(t *testing.T) {
	rounds, tasks := 10, 200
	if os.Getenv("WNODE_SOAK") != "" {
		rounds, tasks = 200, 1000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("WNODE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("WNODE_SEED=%d", seed)
	c := newChaos(t, tasks)
	r := rand.New(rand.NewPCG(seed, 0))
	did := map[string]int{}
	for n := range rounds {
		m := c.maps[n%len(c.maps)]
		if !t.Run(fmt.Sprintf("%d-%s", n, m.name), func(t *testing.T) { c.round(t, r, m, did) }) {
			return
		}
	}
	t.Logf("%d maps of %d tasks each; killed: %v", rounds, tasks, did)
}

// chaos is three nodes, in processes of their own, and a hidden one of the test's.
type chaos struct {
	h     *host
	nodes map[string]*exec.Cmd
	me    *root.Node
	tasks int
	input string // its path
	maps  []mapOf
}

// mapOf is a map, and what it must write.
type mapOf struct {
	name string
	args []string
	want string
}

func newChaos(t *testing.T, tasks int) *chaos {
	t.Helper()
	c := &chaos{h: newHost(t), nodes: map[string]*exec.Cmd{}, tasks: tasks, input: filepath.Join(t.TempDir(), "input")}
	var lines, zeros strings.Builder
	for i := range tasks {
		fmt.Fprintln(&lines, i+1)
		fmt.Fprintf(&zeros, "%d\t0", i+1)
	}
	if err := os.WriteFile(c.input, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n0", "n1", "n2"} {
		c.up(name)
	}
	h, err := home.Open(func(key string) string { return map[string]string{"WNODE_HOME": c.h.home}[key] })
	if err != nil {
		t.Fatal(err)
	}
	if c.me, err = root.Start(t.Context(), root.Config{Home: h}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.me.Close(); err != nil {
			t.Error(err)
		}
	})
	// Random numbers of a seed are the same on any node: what this one says is right.
	pi := []string{"--seed", "7", guest(t, "pi"), "300000"}
	calm := c.h.command(append([]string{"map"}, pi...)...)
	calm.Stdin = strings.NewReader(lines.String())
	want, err := calm.Output()
	if err != nil || strings.Count(string(want), "\n") != tasks {
		t.Fatalf("an undisturbed map: %v, %d lines", err, strings.Count(string(want), "\n"))
	}
	c.maps = []mapOf{
		{"processes", pi, string(want)},
		{"workers", []string{"--worker", "--prefix", "id", guest(t, "counter"), "get", "{#}"}, zeros.String()},
		{"hedged", append([]string{"--hedge", "-j", "3"}, pi...), string(want)},
	}
	return c
}

func (c *chaos) up(name string) { c.nodes[name], _ = c.h.up(name, "--listen", "/ip4/127.0.0.1/tcp/0") }

// round maps once, and does some harm meanwhile.
func (c *chaos) round(t *testing.T, r *rand.Rand, m mapOf, did map[string]int) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	out, log := filepath.Join(dir, "out"), filepath.Join(dir, "log")
	when := make([]int, 1+r.IntN(6))
	for i := range when {
		when[i] = r.IntN(c.tasks)
	}
	slices.Sort(when)
	var cmd *exec.Cmd
	var said words
	ended := make(chan error, 1)
	start := func() {
		cmd = c.h.command(append([]string{"map", "--on", "n0,n1,n2", "--retries", "1000", "--joblog", log, "--resume"}, m.args...)...)
		cmd.Stderr = &said
		in, err := os.Open(c.input)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		to, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		cmd.Stdin, cmd.Stdout = in, to
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func(cmd *exec.Cmd) { ended <- cmd.Wait() }(cmd)
	}
	start()
	var end error
	over := false
	for _, n := range when {
		eventually(ctx, t, "result is waited for: "+said.String(), func() bool {
			select {
			case end = <-ended:
				over = true
			default:
			}
			return over || len(logged(t, log)) >= n
		})
		if over {
			break
		}
		what := []string{"process", "process", "node", "command"}[r.IntN(4)]
		victim := fmt.Sprint("n", r.IntN(3))
		did[what]++
		switch what {
		case "process":
			c.killProcesses(ctx, t, victim, r.IntN(3))
		case "node":
			if err := c.nodes[victim].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			c.nodes[victim].Wait() // an error, as it was killed
			c.up(victim)
		case "command":
			if err := cmd.Process.Kill(); err == nil { // else it has just ended
				<-ended
			}
			start()
		}
	}
	if !over {
		select {
		case end = <-ended:
		case <-ctx.Done():
			t.Fatalf("it does not end: %d of %d results; it said: %s", len(logged(t, log)), c.tasks, said.String())
		}
	}
	if end != nil {
		t.Fatalf("%v: %s", end, said.String())
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != m.want {
		t.Errorf("output %q, want %q", got, m.want)
	}
	for i, seq := range logged(t, log) {
		if seq != i+1 {
			t.Fatalf("line %d of the log is of task %d", i+1, seq)
		}
	}
	if n := len(logged(t, log)); n != c.tasks {
		t.Errorf("%d tasks in the log", n)
	}
}

// words is what a command says, which may be looked at meanwhile.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// killProcesses ends up to n more than one process of a node.
func (c *chaos) killProcesses(ctx context.Context, t *testing.T, node string, n int) {
	t.Helper()
	id, err := c.me.Engine.Connect(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	cl := control.Client{Engine: c.me.Engine, Node: id}
	ps, err := cl.Processes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps[:min(len(ps), n+1)] {
		_, pid, err := engine.ParsePID(p.PID)
		if err != nil {
			t.Fatal(err)
		}
		pid.Node = id
		if err := cl.Kill(ctx, pid, "by a test"); err != nil && !errors.Is(err, engine.Reason{Word: engine.NoProc}) {
			t.Fatal(err)
		}
	}
}

// logged returns the tasks of the whole lines of a job log.
func logged(t *testing.T, path string) (seqs []int) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		first, _, _ := strings.Cut(line, "\t")
		if n, err := strconv.Atoi(first); err == nil && n > 0 && strings.HasSuffix(line, "\n") {
			seqs = append(seqs, n)
		}
	}
	return seqs
}

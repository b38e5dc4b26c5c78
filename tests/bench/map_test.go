package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
)

// mapBench is two nodes, each a process of the system, and a hidden one that maps.
type mapBench struct {
	me    *wnode.Node
	nodes []batch.Node
}

// newMapBench starts the nodes; pinned, each has one core.
func newMapBench(b *testing.B, pinned bool) *mapBench {
	b.Helper()
	dir := b.TempDir()
	command := filepath.Join(dir, "wnode")
	build(b, exec.Command("go", "build", "-o", command, "../../cmd/wnode"))
	state := filepath.Join(dir, "home")
	start := func(core int, args ...string) string {
		line := append([]string{command}, args...)
		if pinned {
			line = append([]string{"taskset", "-c", strconv.Itoa(core)}, line...)
		}
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Env = append(cmd.Environ(), "WNODE_HOME="+state, "GOMAXPROCS=")
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("%v: %v: %s", line, err, out)
		}
		return string(out)
	}
	address := regexp.MustCompile(`\S+/tcp/\S+`).FindString(start(0, "up", "-d", "kate"))
	b.Cleanup(func() { start(0, "down", "kate") })
	start(1, "up", "-d", "alex", "--join", address)
	b.Cleanup(func() { start(0, "down", "alex") })
	h, err := home.Open(func(key string) string { return map[string]string{"WNODE_HOME": state}[key] })
	if err != nil {
		b.Fatal(err)
	}
	m := &mapBench{}
	if m.me, err = wnode.Start(context.Background(), wnode.Config{Home: h}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.me.Close() })
	for _, name := range []string{"kate", "alex"} {
		id, err := m.me.Engine.Connect(context.Background(), name)
		if err != nil {
			b.Fatal(err)
		}
		m.nodes = append(m.nodes, batch.Node{ID: id, Name: name, Jobs: map[bool]int{true: 1, false: runtime.NumCPU()}[pinned]})
	}
	return m
}

// run maps a module over n tasks with the argument, and returns how long that took.
func (m *mapBench) run(b *testing.B, wasm []byte, worker bool, n int, arg string, nodes []batch.Node, want string) time.Duration {
	b.Helper()
	spec := engine.Spec{Module: engine.Module{Name: "bench"}}
	var err error
	if spec.Module.CID, spec.Module.Size, err = m.me.Store.Add(context.Background(), bytes.NewReader(wasm)); err != nil {
		b.Fatal(err)
	}
	seq := 0
	c := batch.Config{
		Next: func() (*batch.Task, error) {
			if seq == n {
				return nil, io.EOF
			}
			seq++
			return &batch.Task{Seq: seq, Args: []string{arg}, Input: []byte(arg)[:len(arg)*map[bool]int{true: 1}[worker]]}, nil
		},
		Nodes: func(context.Context) ([]batch.Node, error) { return nodes, nil },
		Spec:  spec, Worker: worker, Ahead: true, Retries: 3,
		Emit: func(results []*batch.Result) error {
			for _, r := range results {
				var out strings.Builder
				r.Output.Each(func(_ engine.Stream, data []byte) error { out.Write(data); return nil })
				if r.Code != 0 || out.String() != want {
					return fmt.Errorf("task %d: %v %q", r.Seq, r.Reason, out.String())
				}
			}
			return nil
		},
	}
	begin := time.Now()
	sum, err := batch.Run(context.Background(), m.me.Engine, c)
	took := time.Since(begin)
	if err != nil || sum.Good != n {
		b.Fatalf("%+v, %v", sum, err)
	}
	return took
}

// BenchmarkMap is 10,000 tasks that do nothing over two nodes, as processes and as calls
// of workers, and 200 times fib(25), which is what Erlang's benchmark maps too. The last one needs clang.
func BenchmarkMap(b *testing.B) {
	m := newMapBench(b, false)
	counter, err := os.ReadFile("../../wasm-examples/counter/counter.wasm")
	if err != nil {
		b.Fatal(err)
	}
	const tasks = 10_000
	for _, c := range []struct {
		name   string
		wasm   []byte
		worker bool
		arg    string
		want   string
	}{{"process", spawnTiny, false, "", ""}, {"worker", counter, true, "get", "0"}} {
		b.Run(c.name, func(b *testing.B) {
			m.run(b, c.wasm, c.worker, 100, c.arg, m.nodes, c.want)
			b.ResetTimer()
			var took time.Duration
			for range b.N {
				took += m.run(b, c.wasm, c.worker, tasks, c.arg, m.nodes, c.want)
			}
			b.ReportMetric(float64(took.Nanoseconds())/1e3/float64(b.N)/tasks, "us/task")
		})
	}
	b.Run("200 fib(25)", func(b *testing.B) {
		fib := buildFib(b)
		m.run(b, fib, false, 20, "25", m.nodes, "75025\n")
		b.ResetTimer()
		best := time.Hour
		var took time.Duration
		for range b.N {
			t := m.run(b, fib, false, 200, "25", m.nodes, "75025\n")
			took, best = took+t, min(best, t)
		}
		b.ReportMetric(float64(took.Microseconds())/1e3/float64(b.N), "ms/map")
		b.ReportMetric(float64(best.Microseconds())/1e3, "ms-best")
	})
}

// BenchmarkMapSpeedup is how much faster two nodes with a core each map tasks that
// compute than one does, measured in turns: all together, and by the fastest of each. It
// needs clang, taskset and two cores that nobody else uses.
func BenchmarkMapSpeedup(b *testing.B) {
	m := newMapBench(b, true)
	fib := buildFib(b)
	m.run(b, fib, false, 20, "25", m.nodes, "75025\n")
	var all [2]time.Duration
	best := [2]time.Duration{time.Hour, time.Hour}
	b.ResetTimer()
	for range b.N {
		for i := range all {
			took := m.run(b, fib, false, 20, "33", m.nodes[:i+1], "3524578\n")
			all[i] += took
			best[i] = min(best[i], took)
		}
	}
	b.ReportMetric(float64(all[0])/float64(all[1]), "speedup")
	b.ReportMetric(float64(best[0])/float64(best[1]), "speedup-best")
	b.ReportMetric(best[0].Seconds(), "s-one-node")
}

func buildFib(b *testing.B) []byte {
	b.Helper()
	path := filepath.Join(b.TempDir(), "fib.wasm")
	build(b, exec.Command("clang", "--target=wasm32-wasi", "-O2", "-o", path, "guests/fib.c"))
	wasm, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return wasm
}

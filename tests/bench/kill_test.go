package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// node is an engine with guests, and no network.
type node struct {
	*engine.Engine
	enginetest.Modules
}

func newNode(b testing.TB) *node {
	return newNodeOf(b, guest.Config{Host: hostfuncs.New()})
}

func newNodeOf(b testing.TB, c guest.Config) *node {
	n := &node{}
	runner := guest.New(c)
	n.Engine = engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: &n.Modules, Runner: runner})
	b.Cleanup(func() {
		n.Close()
		if err := runner.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return n
}

// process is one that runs.
type process struct {
	leader *engine.Native
	pid    engine.PID
	done   chan engine.Reason
	memory uint64 // linear memory that it had at most; set before done
}

func (n *node) spawn(spec engine.Spec) *process {
	p := &process{done: make(chan engine.Reason, 1)}
	spawned := make(chan struct{})
	p.leader = n.Native(func(s *engine.Signal) {
		switch s.Kind {
		case engine.KindOutput:
			<-spawned
			p.leader.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
		case engine.KindDown:
			p.memory = s.Report.MaxMemory
			p.done <- s.Reason
		}
	})
	spec.Monitor = n.MakeRef()
	spec.Leader.PID = p.leader.PID()
	p.pid = p.leader.Spawn(n.Node(), &spec)
	close(spawned)
	return p
}

func (n *node) reductions(p engine.PID) (reductions uint64, state engine.State) {
	for _, i := range n.Processes() {
		if i.PID == p {
			return i.Reductions, i.State
		}
	}
	return 0, ""
}

// begun waits until the process has begun to run its guest, or has ended.
func (n *node) begun(p *process, s guesttest.Shape) {
	for len(p.done) == 0 {
		if r, state := n.reductions(p.pid); r > 0 || s.Blocks && state == engine.Running {
			return
		}
		runtime.Gosched()
	}
}

// BenchmarkKill measures the time from the signal to the end of the process,
// for each hostile shape, while it is in full swing.
func BenchmarkKill(b *testing.B) {
	n := newNode(b)
	var all []time.Duration
	for _, s := range guesttest.Hostile() {
		if s.Ends != "" {
			continue
		}
		m := n.Add(s.Wasm)
		var took []time.Duration
		const rounds = 25
		for i := range rounds {
			p := n.spawn(engine.Spec{Module: m})
			n.begun(p, s)
			time.Sleep(time.Duration(i) * time.Millisecond) // another point of its work each time
			begin := time.Now()
			p.leader.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
			if r := <-p.done; r.Word != engine.Killed {
				b.Fatal(s.Name, r)
			}
			took = append(took, time.Since(begin))
		}
		all = append(all, took...)
		slices.Sort(took)
		fmt.Fprintf(os.Stderr, "%-36s median %8.3f ms, worst %8.3f ms\n", s.Name, ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
	slices.Sort(all)
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(ms(all[len(all)-1]), "worst-ms")
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

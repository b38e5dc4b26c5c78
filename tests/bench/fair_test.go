package bench

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

const (
	// phase is how long one load is measured before the next.
	phase = 300 * time.Millisecond
	// pace is the time between two questions that do not come back to back.
	pace = time.Millisecond
)

// BenchmarkEcho is the round trip of 64 bytes from another process to a
// goroutine of the node and back, while guests compute.
func BenchmarkEcho(b *testing.B) {
	for name, gap := range paces() {
		b.Run(name, func(b *testing.B) {
			n, cores := newFairNode(b)
			n.underLoad(b, cores, newEcho(b, gap))
		})
	}
}

// BenchmarkNeighbour is the time from input to the answer of a guest that waits
// for it, while others compute. Asked back to back it wants more than its share.
func BenchmarkNeighbour(b *testing.B) {
	for name, gap := range paces() {
		b.Run(name, func(b *testing.B) {
			n, cores := newFairNode(b)
			n.underLoad(b, cores, n.newAnswers(b, gap))
		})
	}
}

// BenchmarkSpawnUnderLoad is the life of a process that does nothing, while
// others compute.
func BenchmarkSpawnUnderLoad(b *testing.B) {
	n, cores := newFairNode(b)
	m := n.Add(guesttest.Module{Memory: 1, Funcs: []guesttest.Func{{Export: "_start"}}}.Bytes())
	n.underLoad(b, cores, func() (took []time.Duration) {
		for begin := time.Now(); time.Since(begin) < phase; time.Sleep(pace) {
			sent := time.Now()
			if r := <-n.spawn(engine.Spec{Module: m}).done; r.Word != engine.Normal {
				b.Fatal(r)
			}
			took = append(took, time.Since(sent))
		}
		return took
	})
}

// BenchmarkStopTheWorld is how long a collection of garbage stops the program,
// from the wish to the end, while guests compute.
func BenchmarkStopTheWorld(b *testing.B) {
	n, cores := newFairNode(b)
	n.underLoad(b, cores, func() (took []time.Duration) {
		for begin := time.Now(); time.Since(begin) < phase; {
			before := pauses()
			runtime.GC()
			took = append(took, newPauses(before, pauses())...)
		}
		return took
	})
}

func paces() map[string]time.Duration {
	return map[string]time.Duration{"back to back": 0, "now and then": pace}
}

// newFairNode returns a node as cmd/wnode makes them: Go has two processors more
// than guests.
func newFairNode(b *testing.B) (n *node, cores int) {
	b.Helper()
	cores = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cores + 2)
	b.Cleanup(func() { runtime.GOMAXPROCS(cores) })
	return newNodeOf(b, guest.Config{Host: hostfuncs.New(), Slots: cores}), cores
}

// underLoad measures while nobody, as many guests as cores, and ten times as
// many compute, in turns, and reports percentiles in microseconds and their
// ratios to those with nobody.
func (n *node) underLoad(b *testing.B, cores int, measure func() []time.Duration) {
	b.Helper()
	loads := []int{0, cores, 10 * cores}
	took := make([][]time.Duration, len(loads))
	measure()
	for b.Loop() {
		for i, load := range loads {
			end := n.spin(b, load)
			took[i] = append(took[i], measure()...)
			end()
		}
	}
	for _, t := range took {
		slices.Sort(t)
	}
	for _, p := range []int{50, 99} {
		idle := took[0][len(took[0])*p/100]
		for i, load := range loads {
			d := took[i][len(took[i])*p/100]
			b.ReportMetric(float64(d.Nanoseconds())/1e3, fmt.Sprintf("p%d-us/%d", p, load))
			if load > 0 {
				b.ReportMetric(float64(d)/float64(idle), fmt.Sprintf("p%d-ratio/%d", p, load))
			}
		}
	}
}

// spin starts guests that do nothing but compute, waits until each has begun,
// and returns what ends them.
func (n *node) spin(b *testing.B, count int) (end func()) {
	b.Helper()
	var ps []*process
	loop := n.Add(guesttest.Hostile()[0].Wasm)
	for range count {
		ps = append(ps, n.spawn(engine.Spec{Module: loop}))
	}
	for _, p := range ps {
		for {
			if used, _ := n.reductions(p.pid); used > 1_000_000 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return func() {
		for _, p := range ps {
			p.leader.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
		}
		for _, p := range ps {
			if r := <-p.done; r.Word != engine.Killed {
				b.Error(r)
			}
		}
	}
}

// answers reads 16 bytes of stdin at most and writes them to stdout, for ever.
func answers() []byte {
	wasi := func(name string) guesttest.Import {
		return guesttest.Import{Module: "wasi_snapshot_preview1", Name: name,
			Params: guesttest.Repeat(4, []byte{guesttest.I32}), Results: []byte{guesttest.I32}}
	}
	transfer := func(fd int32, function int) []byte {
		c := guesttest.I32Const
		return guesttest.Code(c(fd), c(0), c(1), c(8), 0x10, function, 0x1a)
	}
	return guesttest.Module{
		Memory: 1, Data: []byte{16, 0, 0, 0, 16, 0, 0, 0}, // one buffer at 16
		Imports: []guesttest.Import{wasi("fd_read"), wasi("fd_write")},
		Funcs:   []guesttest.Func{{Export: "_start", Code: guesttest.Code(0x03, 0x40, transfer(0, 0), transfer(1, 1), 0x0c, 0, 0x0b)}},
	}.Bytes()
}

// newAnswers starts a guest that answers and returns what asks it for a phase.
func (n *node) newAnswers(b *testing.B, gap time.Duration) func() []time.Duration {
	b.Helper()
	var leader *engine.Native
	asked, answered, down := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	leader = n.Native(func(s *engine.Signal) {
		switch s.Kind {
		case engine.KindInput:
			asked <- struct{}{}
		case engine.KindOutput:
			leader.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
			answered <- struct{}{}
		case engine.KindDown:
			close(down)
		}
	})
	spec := engine.Spec{Module: n.Add(answers()), Monitor: n.MakeRef()}
	spec.Leader.PID = leader.PID()
	pid := leader.Spawn(n.Node(), &spec)
	b.Cleanup(func() {
		leader.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
		<-down
	})
	return func() (took []time.Duration) {
		for begin := time.Now(); time.Since(begin) < phase; {
			<-asked
			sent := time.Now()
			leader.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: make([]byte, 16)})
			<-answered
			took = append(took, time.Since(sent))
			if gap > 0 {
				time.Sleep(gap)
			}
		}
		return took
	}
}

// pauses returns how often collections have stopped the program for how long.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	h := *s[0].Value.Float64Histogram()
	h.Counts = slices.Clone(h.Counts)
	return &h
}

// newPauses returns the pauses between two looks, each as the upper bound of
// its bucket.
func newPauses(before, after *metrics.Float64Histogram) (took []time.Duration) {
	for i, n := range after.Counts {
		for range n - before.Counts[i] {
			took = append(took, time.Duration(after.Buckets[i+1]*1e9))
		}
	}
	return took
}

// BenchmarkBombs is BenchmarkNeighbour, now and then, with as many
// guests of each hostile shape as cores. It prints a line for each.
func BenchmarkBombs(b *testing.B) {
	n, cores := newFairNode(b)
	ask := n.newAnswers(b, pace)
	ask()
	var worst float64
	for b.Loop() {
		for _, s := range guesttest.Hostile() {
			m := n.Add(s.Wasm)
			idle := ask()
			var ps []*process
			for range cores {
				ps = append(ps, n.spawn(engine.Spec{Module: m}))
			}
			took := ask()
			for _, p := range ps {
				p.leader.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
				<-p.done
			}
			slices.Sort(idle)
			slices.Sort(took)
			p99 := func(d []time.Duration) float64 { return float64(d[len(d)*99/100].Nanoseconds()) / 1e3 }
			worst = max(worst, p99(took))
			fmt.Fprintf(os.Stderr, "%-36s p99 %8.0f us, before %8.0f us\n", s.Name, p99(took), p99(idle))
		}
	}
	b.ReportMetric(worst, "worst-p99-us")
}

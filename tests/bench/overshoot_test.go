package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
)

// BenchmarkOvershoot is how much memory the whole program takes, at most, while
// a hostile guest runs, beyond the guest's linear memory: stacks, tables, what
// the kernel gives in large pages.
func BenchmarkOvershoot(b *testing.B) {
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		b.Skip("needs Linux: ", err)
	}
	// Garbage that Go has not collected yet, as much as there is on the heap
	// already, is not the guest's.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	const limit = 64 << 20
	n := newNode(b)
	worst := 0
	for b.Loop() {
		for _, s := range guesttest.Hostile() {
			spec := engine.Spec{Module: n.Add(s.Wasm), Limits: engine.Limits{Memory: limit}}
			p := n.spawn(spec)
			n.begun(p, s) // it is compiled
			n.kill(b, p, 0)
			runtime.GC()
			debug.FreeOSMemory()
			before := status(b, "VmRSS:")
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
				b.Skip(err)
			}
			p = n.spawn(spec)
			n.kill(b, p, 300*time.Millisecond)
			over := status(b, "VmHWM:") - before - int(p.memory)
			if over > worst {
				worst = over
			}
			if testing.Verbose() {
				fmt.Fprintf(os.Stderr, "%-36s %6.1f MiB beyond its memory\n", s.Name, float64(over)/(1<<20))
			}
		}
	}
	b.ReportMetric(float64(worst)/(1<<20), "worst-MiB")
}

// kill ends a process after a time, unless it ends before.
func (n *node) kill(b *testing.B, p *process, after time.Duration) {
	b.Helper()
	select {
	case <-p.done:
		return
	case <-time.After(after):
	}
	p.leader.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
	<-p.done
}

// status returns a line of /proc/self/status, in bytes.
func status(b *testing.B, key string) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == key {
			n, err := strconv.Atoi(string(f[1]))
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("no ", key)
	return 0
}

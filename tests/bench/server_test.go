package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// serverNode runs counters, which are called by a native.
type serverNode struct {
	*spawnNode
	caller *engine.Native
	reply  chan *engine.Message
}

func newServerNode(b *testing.B) *serverNode {
	counter, err := os.ReadFile(filepath.Join("..", "..", "wasm-examples", "counter", "counter.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	s := &serverNode{spawnNode: newSpawnNode(b, counter), reply: make(chan *engine.Message, 1)}
	s.caller = s.eng.Native(func(sig *engine.Signal) {
		if sig.Kind == engine.KindMessage {
			s.reply <- sig.Message
		}
	})
	return s
}

func (s *serverNode) spawn() engine.PID {
	return s.caller.Spawn(s.eng.Node(), &engine.Spec{Module: s.module, NoInput: true})
}

// call has a counter add n and checks what it then has.
func (s *serverNode) call(b *testing.B, to engine.PID, n, want int) {
	s.caller.Send(to, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{
		Kind: engine.MessageCall, Ref: s.eng.MakeRef(), Data: fmt.Appendf(nil, "inc %d", n),
	}})
	if m := <-s.reply; string(m.Data) != strconv.Itoa(want) {
		b.Fatalf("answer %q, want %d", m.Data, want)
	}
}

// BenchmarkServerMemory is the memory of a server that has handled a message and
// sleeps, on the heap and of the whole program, and how long a call takes that
// wakes one. Each of them is called again at the end. WNODE_COUNT says how many
// there are at once.
func BenchmarkServerMemory(b *testing.B) {
	count := 20000
	if s := os.Getenv("WNODE_COUNT"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s := newServerNode(b)
		for range 1000 { // what there is but once
			s.call(b, s.spawn(), 1, 1)
		}
		heap, stack, rss := memoryUse(b)
		pids := make([]engine.PID, count)
		begin := time.Now()
		for i := range pids {
			pids[i] = s.spawn()
			s.call(b, pids[i], i, i)
		}
		b.ReportMetric(float64(time.Since(begin).Microseconds())/float64(count), "us/spawn")
		heap2, stack2, rss2 := memoryUse(b)
		b.ReportMetric(float64(heap2-heap)/float64(count), "heap-B/process")
		b.ReportMetric(float64(stack2-stack)/float64(count), "stack-B/process")
		b.ReportMetric(float64(rss2-rss)/float64(count), "rss-B/process")
		b.ReportMetric(float64(rss2)/(1<<30), "rss-GiB")
		begin = time.Now()
		for i, pid := range pids {
			s.call(b, pid, 1, i+1)
		}
		b.ReportMetric(float64(time.Since(begin).Microseconds())/float64(count), "us/waking-call")
	}
}

// BenchmarkServerCall is a call of a server that is awake.
func BenchmarkServerCall(b *testing.B) {
	s := newServerNode(b)
	pid := s.spawn()
	n := 0
	for b.Loop() {
		n++
		s.call(b, pid, 1, n)
	}
}

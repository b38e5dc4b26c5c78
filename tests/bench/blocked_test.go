package bench

import (
	"encoding/hex"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
)

// spawnReads waits for its stdin.
//
//	(module (import "wasi_snapshot_preview1" "fd_read" (func $r (param i32 i32 i32 i32) (result i32)))
//	  (memory 1) (data (i32.const 0) "\10\00\00\00\01\00\00\00")
//	  (func (export "_start") (drop (call $r (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))
const spawnReads = "0061736d01000000010c0260047f7f7f7f017f60000002220116776173695f736e617073686f745f70726576696577310766645f726561640000030201010503010001070a01065f737461727400010a0f010d00410041004101410810001a0b0b0e010041000b081000000001000000"

// BenchmarkBlocked is the memory of a process that waits in a host function:
// on the heap, in stacks of goroutines, and of the whole program, with its
// guest's memory. WNODE_COUNT says how many there are at once.
func BenchmarkBlocked(b *testing.B) {
	module, err := hex.DecodeString(spawnReads)
	if err != nil {
		b.Fatal(err)
	}
	count := 5000
	if s := os.Getenv("WNODE_COUNT"); s != "" {
		if count, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := newSpawnNode(b, module)
		n.run(b, 1, 1) // compiled
		reads := make(chan engine.PID, count)
		leader := n.eng.Native(func(s *engine.Signal) {
			switch s.Kind {
			case engine.KindInput:
				reads <- s.From
			case engine.KindDown:
				n.down <- s
			}
		})
		heap, stack, rss := memoryUse(b)
		var pids []engine.PID
		for range count {
			spec := &engine.Spec{Module: n.module, Monitor: n.eng.MakeRef()}
			spec.Leader.PID = leader.PID()
			leader.Spawn(n.eng.Node(), spec)
			pids = append(pids, <-reads)
		}
		heap2, stack2, rss2 := memoryUse(b)
		b.ReportMetric(float64(heap2-heap)/float64(count), "heap-B/process")
		b.ReportMetric(float64(stack2-stack)/float64(count), "stack-B/process")
		b.ReportMetric(float64(rss2-rss)/float64(count), "rss-B/process")
		for _, pid := range pids {
			leader.Send(pid, &engine.Signal{Kind: engine.KindInputData})
			<-n.down
		}
	}
}

// memoryUse returns bytes in use after a collection; rss is 0 where there is no
// /proc.
func memoryUse(b *testing.B) (heap, stack, rss int) {
	b.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		if err != nil {
			b.Fatal(err)
		}
		rss = pages * os.Getpagesize()
	}
	return int(m.HeapAlloc), int(m.StackInuse), rss
}

package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// leastGarbage is how much garbage there is before a node collects it: the heap of
	// one with little to hold is a few megabytes, and Go would collect it each time
	// as much has been allocated, which is 20 times a second with many short processes.
	leastGarbage = 32 << 20
	// mostPercent bounds what that makes of a tiny heap.
	mostPercent = 800
	lookAtHeap  = time.Second
)

// collectLess has the garbage collector run less often while the heap is small, until
// stop is closed. An explicit GOGC in the environment stays as it is.
func collectLess(stop <-chan struct{}) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	t := time.NewTicker(lookAtHeap)
	defer t.Stop()
	now := 100
	for {
		metrics.Read(live)
		// The change stops all goroutines for a moment: not for a small one.
		if want := percent(live[0].Value.Uint64()); want > now*5/4 || want < now*4/5 {
			debug.SetGCPercent(want)
			now = want
		}
		select {
		case <-stop:
			return
		case <-t.C:
		}
	}
}

// percent returns Go's GOGC for a heap that holds so many bytes.
func percent(live uint64) int {
	return int(min(mostPercent, max(100, 100*leastGarbage/max(1, live))))
}

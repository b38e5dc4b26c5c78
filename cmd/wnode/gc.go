package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// busyWork is how many processes start and messages come in a second for a node to
	// be busy, and busyGarbage how much garbage it then has before it is collected. The
	// heap of a node with little to hold is a few megabytes, and Go would collect it
	// each time as much has been allocated, 20 times a second. One that is not so busy
	// needs its memory less than others do.
	busyWork    = 5000
	busyGarbage = 32 << 20
	// mostPercent bounds what that makes of a tiny heap.
	mostPercent = 800
	lookAtWork  = time.Second / 4
)

// collectLess has the garbage collector run less often while there is much to do with a
// small heap, until stop is closed. work counts that. An explicit GOGC in the
// environment stays as it is.
func collectLess(work func() uint64, stop <-chan struct{}) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	t := time.NewTicker(lookAtWork)
	defer t.Stop()
	now, done, at := 100, work(), time.Now()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		w, passed := work(), time.Since(at)
		metrics.Read(live)
		want := percent(live[0].Value.Uint64(), float64(w-done)/passed.Seconds())
		done, at = w, at.Add(passed)
		// The change stops all goroutines for a moment: not for a small one.
		if want > now*5/4 || want < now*4/5 {
			debug.SetGCPercent(want)
			now = want
		}
	}
}

// percent returns Go's GOGC for a heap that holds so many bytes, and so much work in a
// second.
func percent(live uint64, work float64) int {
	if work < busyWork {
		return 100
	}
	return int(min(mostPercent, max(100, 100*busyGarbage/max(1, live))))
}

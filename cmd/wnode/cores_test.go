package main

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestWantedProcessors(t *testing.T) {
	for _, c := range []struct{ heavy, more, cores, want int }{
		{0, 0, 1, 1}, {0, 0, 8, 1}, // messages alone: one
		{1, 0, 1, 3}, {1, 0, 8, 2}, {7, 0, 8, 8}, // a guest that computes has its own
		{8, 0, 8, 10}, {100, 0, 8, 10}, // all cores: two to spare
		{0, 3, 8, 4}, {2, 3, 8, 6}, {0, 30, 8, 10},
	} {
		if got := wanted(c.heavy, c.more, c.cores); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestExplicitProcessors(t *testing.T) {
	t.Setenv("GOMAXPROCS", "3")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	if slots, p := cores(); slots != min(1, runtime.NumCPU()) || p != nil {
		t.Errorf("%d slots, %v", slots, p)
	}
}

// More processors come at once, fewer when it has been calm for a while.
func TestProcessorsFollow(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	synctest.Test(t, func(t *testing.T) {
		p := &processors{cores: 2, now: 2}
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() { defer close(done); p.adapt(stop) }()
		now := func() int { p.mu.Lock(); defer p.mu.Unlock(); return p.now }
		time.Sleep(2 * calm)
		if n := now(); n != 1 {
			t.Errorf("idle: %d", n)
		}
		p.Heavy(2)
		if n := now(); n != 4 {
			t.Errorf("two guests compute: %d", n)
		}
		p.Heavy(0)
		if n := now(); n != 4 {
			t.Errorf("just ended: %d", n)
		}
		time.Sleep(2 * calm)
		if n := now(); n != 1 {
			t.Errorf("calm again: %d", n)
		}
		close(stop)
		<-done
	})
}

package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// spare is how many processors Go gets besides those that guests keep busy, when
	// they keep all cores busy: one waits for the network, the other runs what comes
	// from there, or a guest that goes ahead of others.
	spare = 2
	// calm is how long there must be less to do before Go gets fewer processors,
	// and look how often that is looked at.
	calm = 200 * time.Millisecond
	look = 20 * time.Millisecond
)

// processors gives Go as many processors as are of use. Each wakes others for work
// that it sees, which takes the system longer than most messages take to handle: a
// round trip between guests of two nodes takes a third of the time if each node has
// one processor. But on that one a guest that computes would keep the network
// waiting.
type processors struct {
	cores int
	heavy atomic.Int32 // what computes for long, as wnode.Config has it

	mu   sync.Mutex
	now  int
	more int // beyond what heavy says, as those that there are were all busy
}

// cores returns how many guests may run at once, and how many processors Go has for
// how much there is to do. An explicit GOMAXPROCS in the environment stays as it is,
// and guests get what it leaves; then there is nothing to adapt.
func cores() (slots int, p *processors) {
	now := runtime.GOMAXPROCS(0) // the number of cores, or the limit on them that a container has
	if os.Getenv("GOMAXPROCS") != "" {
		return max(1, min(now-spare, runtime.NumCPU())), nil
	}
	return now, &processors{cores: now, now: now}
}

// wanted returns how many processors Go should have when so many compute for long.
func wanted(heavy, more, cores int) int {
	n := 1 + heavy + more
	if heavy >= cores {
		n = cores + spare
	}
	return min(n, cores+spare)
}

// Heavy is told how much computes for long. More processors come at once, fewer
// after a while.
func (p *processors) Heavy(n int) {
	p.heavy.Store(int32(n))
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := wanted(n, p.more, p.cores); want > p.now {
		p.set(want)
	}
}

// begin begins with one: for a program that computes nothing itself.
func (p *processors) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(wanted(0, 0, p.cores))
}

// set changes the number. p.mu is held.
func (p *processors) set(n int) {
	p.now = n
	runtime.GOMAXPROCS(n)
}

// adapt looks from time to time whether there are too many processors, or too few
// for what is done besides guests, until stop is closed.
func (p *processors) adapt(stop <-chan struct{}) {
	t := time.NewTicker(look)
	defer t.Stop()
	used, at := cpuTime(), time.Now()
	var quiet, full time.Duration // since when there are too many, or too few
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		now, cpu := time.Now(), cpuTime()
		passed := now.Sub(at)
		load := float64(cpu-used) / float64(passed)
		used, at = cpu, now
		p.mu.Lock()
		if load > 0.97*float64(p.now) {
			full += passed
		} else {
			full = 0
		}
		if load < 0.6*float64(p.now-1) || p.more == 0 {
			quiet += passed
		} else {
			quiet = 0
		}
		switch {
		case full >= calm && p.now < p.cores:
			p.more++
			p.set(wanted(int(p.heavy.Load()), p.more, p.cores))
			full, quiet = 0, 0
		case quiet >= calm:
			p.more = max(0, p.more-1)
			if want := wanted(int(p.heavy.Load()), p.more, p.cores); want < p.now {
				p.set(want)
			}
			quiet = 0
		}
		p.mu.Unlock()
	}
}

// cpuTime returns how much time of processors the program has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package slots

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever guests do and whenever they are told to end, no slot is lost, not too
// many run, and each gets on: one that does not would hang the bubble.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type step struct {
			kind byte // 0 compute and yield, 1 block
			d    time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{
				kind: rapid.ByteRange(0, 1).Draw(r, "kind"),
				d:    time.Duration(rapid.IntRange(0, 1500).Draw(r, "us")) * time.Microsecond,
			}
		}), 0, 20)
		slots := rapid.IntRange(1, 3).Draw(r, "slots")
		scripts := rapid.SliceOfN(steps, 1, 10).Draw(r, "scripts")
		kills := make([]time.Duration, len(scripts))
		for i := range kills {
			kills[i] = time.Duration(rapid.IntRange(0, 20_000).Draw(r, "kill")) * time.Microsecond
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slots)
			for i, script := range scripts {
				w.wg.Go(func() {
					kill := make(chan struct{})
					defer time.AfterFunc(kills[i], func() { close(kill) }).Stop()
					g := &guest{world: w, turn: w.s.Turn(until{kill})}
					defer g.turn.Leave()
					if !g.turn.Enter() {
						return
					}
					for _, s := range script {
						if !g.turn.held {
							return
						}
						if s.kind == 0 {
							g.compute(s.d, 100*time.Microsecond)
						} else {
							g.block(s.d)
						}
					}
				})
			}
			w.wg.Wait()
			w.check()
		})
		if t.Failed() {
			r.Fatal("see above")
		}
	})
}

// The same on real threads, for the race detector.
func TestHammer(t *testing.T) {
	const n = 2
	s := New(n)
	var active atomic.Int32
	var wg sync.WaitGroup
	end := make(chan struct{})
	for range 20 {
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				kill := make(chan struct{})
				timer := time.AfterFunc(rand.N(5*time.Millisecond), func() { close(kill) })
				turn := s.Turn(until{kill})
				turn.Enter()
				for range rand.N(100) {
					if turn.held {
						if got := active.Add(1); got > n+1 {
							t.Errorf("%d run", got)
						}
						for begin := time.Now(); time.Since(begin) < 20*time.Microsecond; {
						}
						active.Add(-1)
					}
					if rand.N(10) > 0 {
						turn.Yield()
						continue
					}
					turn.Pause()
					turn.Resume()
				}
				turn.Leave()
				timer.Stop()
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(end)
	wg.Wait()
	(&world{t: t, s: s, n: n}).check()
}

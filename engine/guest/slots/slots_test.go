package slots

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world runs guests in virtual time: computing is sleeping with a slot.
type world struct {
	t      *testing.T
	s      *Slots
	n      int
	stop   chan struct{}
	wg     sync.WaitGroup
	active atomic.Int32
}

func newWorld(t *testing.T, n int) *world {
	return &world{t: t, s: New(n), n: n, stop: make(chan struct{})}
}

// end tells all guests to end, waits for them and checks that no slot is lost.
func (w *world) end() {
	w.t.Helper()
	close(w.stop)
	w.wg.Wait()
	w.check()
}

func (w *world) check() {
	w.t.Helper()
	s := w.s
	if s.free != w.n || s.extra || len(s.running) != 0 || len(s.queue) != 0 || s.waiting.Load() != 0 || s.urgent.Load() != never {
		w.t.Errorf("at the end %d of %d free, extra taken %v, %d run, %d queue, told %d and %d",
			s.free, w.n, s.extra, len(s.running), len(s.queue), s.waiting.Load(), s.urgent.Load())
	}
}

// until is a context that is done when a channel is closed.
type until struct{ done <-chan struct{} }

func (u until) Done() <-chan struct{}          { return u.done }
func (until) Deadline() (t time.Time, ok bool) { return t, false }
func (until) Value(any) any                    { return nil }
func (u until) Err() error {
	select {
	case <-u.done:
		return context.Canceled
	default:
		return nil
	}
}

// guest is one that runs in a world.
type guest struct {
	*world
	turn Turn
	time atomic.Int64 // computed, nanoseconds
}

// start runs f as a guest.
func (w *world) start(f func(g *guest)) *guest {
	g := &guest{world: w, turn: w.s.Turn(until{w.stop})}
	w.wg.Go(func() {
		defer g.turn.Leave()
		if g.turn.Enter() {
			f(g)
		}
	})
	return g
}

// did returns how long it has computed.
func (g *guest) did() time.Duration { return time.Duration(g.time.Load()) }

func (g *guest) ended() bool {
	select {
	case <-g.stop:
		return true
	default:
		return false
	}
}

// compute does so for a while, in steps between which it yields, or until the
// guest is told to end.
func (g *guest) compute(d, step time.Duration) {
	for d > 0 && g.turn.held && !g.ended() {
		now := min(d, step)
		if n := g.active.Add(1); int(n) > g.n+1 {
			g.t.Errorf("%d guests run at once in %d slots and one", n, g.n)
		}
		time.Sleep(now)
		g.active.Add(-1)
		g.time.Add(int64(now))
		d -= now
		g.turn.Yield()
	}
}

// block does so for a while, and returns how long it then waited for a slot.
func (g *guest) block(d time.Duration) time.Duration {
	g.turn.Pause()
	time.Sleep(d)
	begin := time.Now()
	g.turn.Resume()
	return time.Since(begin)
}

const ever = time.Duration(never)

// hogs starts guests that only compute.
func (w *world) hogs(n int) (all []*guest) {
	for i := range n {
		step := time.Duration(20+10*i) * time.Microsecond
		all = append(all, w.start(func(g *guest) { g.compute(ever, step) }))
	}
	return all
}

// within reports whether a share of time is what it should be, to a part.
func within(got, want time.Duration, part float64) bool {
	return float64(got) > float64(want)*(1-part) && float64(got) < float64(want)*(1+part)
}

// Guests that compute get equal shares, however often they yield.
func TestEqualShares(t *testing.T) {
	for _, c := range []struct{ slots, guests int }{{1, 1}, {1, 2}, {2, 2}, {2, 3}, {1, 7}, {2, 7}, {8, 20}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, c.slots)
			all := w.hogs(c.guests)
			const lasts = time.Second
			time.Sleep(lasts)
			w.end()
			want := lasts * time.Duration(min(c.slots, c.guests)) / time.Duration(c.guests)
			for i, g := range all {
				if !within(g.did(), want, 0.02) {
					t.Errorf("%d slots, %d guests: number %d computed %v, want %v", c.slots, c.guests, i, g.did(), want)
				}
			}
		})
	}
}

// A guest that wakes up, having done little, goes on at once; of many that wake
// up at once each waits no longer than the others need, and a step.
func TestWokenGoAhead(t *testing.T) {
	for _, wakers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 2)
			w.hogs(20)
			time.Sleep(50 * time.Millisecond)
			const work, step = 50 * time.Microsecond, 210 * time.Microsecond // of the hogs the longest
			most := time.Duration(wakers-1) * (work + step)
			for range wakers {
				w.start(func(g *guest) {
					for range 100 {
						if d := g.block(5 * time.Millisecond); d > most {
							t.Errorf("one of %d waited %v, want %v at most", wakers, d, most)
						}
						g.compute(work, work)
					}
				})
			}
			time.Sleep(time.Second)
			w.end()
		})
	}
}

// A guest that begins goes on at once, among however many that compute.
func TestNewGoAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.hogs(20)
		time.Sleep(50 * time.Millisecond) // they are a flood themselves
		for range 100 {
			time.Sleep(7 * time.Millisecond)
			begin := time.Now()
			var waited time.Duration
			done := make(chan struct{})
			w.start(func(g *guest) {
				waited = time.Since(begin)
				g.compute(100*time.Microsecond, 50*time.Microsecond)
				close(done)
			})
			<-done
			if waited > 0 {
				t.Errorf("waited %v", waited)
			}
		}
		w.end()
	})
}

// Whatever guests do to seem to have done little, those that only compute get
// their shares.
func TestNoGain(t *testing.T) {
	const us = time.Microsecond
	for _, c := range []struct {
		name  string
		clock func(*guest) // once around
	}{
		{"blocks briefly before its slice ends", func(g *guest) { g.compute(900*us, 50*us); g.block(us) }},
		{"blocks briefly before it is to breathe", func(g *guest) { g.compute(290*us, 50*us); g.block(10 * us) }},
		{"blocks often", func(g *guest) { g.compute(10*us, 10*us); g.block(us) }},
		{"sleeps, then computes", func(g *guest) { g.compute(2000*us, 50*us); g.block(2000 * us) }},
		{"sleeps for long, then computes", func(g *guest) { g.compute(100_000*us, 50*us); g.block(100_000 * us) }},
		{"gives up its slot instead of yielding", func(g *guest) { g.compute(50*us, 50*us); g.block(0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				honest := w.hogs(4)
				sly := w.start(func(g *guest) {
					for !g.ended() {
						c.clock(g)
					}
				})
				const lasts = 2 * time.Second
				time.Sleep(lasts)
				w.end()
				// In the extra slot it may compute besides them: more than its
				// share of one slot, but no more than each of them.
				for i, g := range honest {
					if g.did() < lasts/5*95/100 || g.did() < sly.did()*95/100 {
						t.Errorf("number %d computed %v of %v, the other one %v", i, g.did(), lasts, sly.did())
					}
				}
			})
		})
	}
}

// A flood of new guests, four at a time, gets no more than four guests would.
func TestFlood(t *testing.T) {
	for _, work := range []time.Duration{50 * time.Microsecond, 250 * time.Microsecond, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			honest := w.hogs(3)
			var served atomic.Int64
			for range 4 {
				w.wg.Go(func() {
					for {
						g := &guest{world: w, turn: w.s.Turn(until{w.stop})}
						if !g.turn.Enter() || g.ended() {
							g.turn.Leave()
							return
						}
						g.compute(work, 50*time.Microsecond)
						g.turn.Leave()
						served.Add(int64(g.did()))
					}
				})
			}
			const lasts = 2 * time.Second
			time.Sleep(lasts)
			w.end()
			for i, g := range honest {
				if g.did() < lasts/7*95/100 {
					t.Errorf("work %v: number %d computed %v of %v", work, i, g.did(), lasts)
				}
			}
			if got := time.Duration(served.Load()); got < lasts/20 {
				t.Errorf("work %v: the flood computed %v of %v", work, got, lasts)
			}
		})
	}
}

// A guest that was alone for long is equal to one that comes later.
func TestAloneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		alone := w.start(func(g *guest) {
			for !g.ended() {
				g.compute(100*time.Microsecond, 50*time.Microsecond)
				g.block(time.Microsecond)
			}
		})
		time.Sleep(3 * time.Second)
		before := alone.did()
		later := w.hogs(1)[0]
		const lasts = time.Second
		time.Sleep(lasts)
		w.end()
		if did := alone.did() - before; !within(did, lasts/2, 0.05) || !within(later.did(), lasts/2, 0.05) {
			t.Errorf("computed %v and %v of %v", did, later.did(), lasts)
		}
	})
}

// A guest that is told to end leaves the queue at once, and its turn does
// nothing from then on.
func TestEndInQueue(t *testing.T) {
	for _, at := range []string{"enter", "resume", "yield"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				begin := time.Now()
				kill := make(chan struct{})
				g := &guest{world: w, turn: w.s.Turn(until{kill})}
				ended := make(chan struct{})
				begun := make(chan struct{})
				go func() {
					defer close(ended)
					if at != "enter" {
						g.turn.Enter()
					}
					close(begun)
					switch at {
					case "enter":
						time.Sleep(10 * time.Millisecond)
						if g.turn.Enter() {
							t.Error("got a slot")
						}
					case "resume":
						g.block(10 * time.Millisecond)
					case "yield":
						time.Sleep(10 * time.Millisecond)
						g.turn.Yield()
					}
					if d := time.Since(begin); d != 20*time.Millisecond {
						t.Errorf("ended after %v", d)
					}
					if g.turn.held {
						t.Error("holds a slot")
					}
					g.turn.Yield()
					g.turn.Pause()
					g.turn.Resume()
					g.turn.Leave()
					g.turn.Leave()
				}()
				<-begun
				time.Sleep(time.Millisecond)
				// One that never yields, and the extra slot is taken as well.
				w.s.mu.Lock()
				w.s.extra = true
				w.s.mu.Unlock()
				w.start(func(g *guest) { <-w.stop })
				time.Sleep(19 * time.Millisecond)
				close(kill)
				<-ended
				w.s.extra = false
				w.end()
			})
		})
	}
}

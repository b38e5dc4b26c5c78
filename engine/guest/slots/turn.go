package slots

import (
	"context"
	"time"
)

// Turn is one guest's place among the others. One goroutine uses it, the one
// that runs the guest: Enter, then any of Yield, Pause and Resume, then Leave,
// whatever happened in between. It must not be copied after Enter.
//
// When the guest is told to end, Enter and Resume return without a slot. The
// other methods then do nothing, so that what the goroutine has still to do can
// be done as ever.
type Turn struct {
	slots *Slots
	life  context.Context // done when the guest is told to end

	// Of the goroutine.
	busy    time.Duration // how much more it has computed than it was blocked, lately
	paused  time.Duration // when
	heavy   bool          // it has computed for long, and is counted
	breathe time.Duration // when other threads are to go first the next time
	ready   chan struct{} // has one element when a slot was given; nil until first needed

	// Changed under the lock of the slots. While the guest holds a slot, only
	// by its goroutine, which therefore reads them without.
	held   bool
	extra  bool          // its slot is the extra one
	since  time.Duration // when it got its slot
	used   time.Duration // its virtual time until then
	born   time.Duration // its virtual time at first
	fresh  bool          // it has not given up a slot yet
	ahead  bool          // in the queue: it has just begun or woken up
	index  int           // in the queue
	number uint64        // breaks ties in the queue
}

// Turn returns the turn of a guest that has not begun. The guest is told to end
// by the context.
func (s *Slots) Turn(life context.Context) Turn { return Turn{slots: s, life: life} }

// Enter waits for a slot. It reports whether there is one: not if the guest is
// told to end before.
func (t *Turn) Enter() bool {
	s := t.slots
	s.mu.Lock()
	now := s.now()
	least := s.least(now)
	s.births = min(max(s.births, least-bonus), least+slice)
	t.used = s.births
	t.born, t.fresh = t.used, true
	s.births += birth
	held := s.start(t, now)
	s.mu.Unlock()
	return held || t.wait()
}

// wait waits in the queue.
func (t *Turn) wait() (held bool) {
	s := t.slots
	select {
	case <-t.ready:
		s.mu.Lock()
		defer s.mu.Unlock()
		t.since = s.now() // it could not run before
		return true
	case <-t.life.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.held { // meanwhile
		<-t.ready
		return true
	}
	s.queue.remove(t)
	s.tell()
	return false
}

// charge adds what has been used of the slot. The lock is held.
func (t *Turn) charge(now time.Duration) {
	t.used += now - t.since
	t.busy = min(t.busy+now-t.since, 2*short)
	t.since = now
}

// Yield is called by the guest as often as possible: it gives the slot to
// another one if it is time to, and waits for the next.
func (t *Turn) Yield() {
	if !t.held {
		return
	}
	s := t.slots
	now := s.now()
	held := now - t.since
	if !t.heavy && t.busy+held >= short {
		t.heavy = true
		s.weigh(1)
	}
	switch {
	case s.waiting.Load() > 0 && (held >= slice || int64(t.used+held) > s.urgent.Load()), t.extra && held >= short:
		t.giveWay(now)
	case now >= t.breathe && t.busy+held >= short:
		breathe()
		t.breathe = s.now() + breath
	}
}

// giveWay gives the slot to the first in the queue, and waits there for another.
func (t *Turn) giveWay(now time.Duration) {
	s := t.slots
	s.mu.Lock()
	extra := t.extra
	if len(s.queue) == 0 && !extra { // it was not, just now
		s.mu.Unlock()
		return
	}
	s.release(t, now)
	held := s.take(t, now, extra)
	s.mu.Unlock()
	if !held {
		t.wait()
	}
}

// Pause gives up the slot before the goroutine waits for something else.
func (t *Turn) Pause() {
	if !t.held {
		return
	}
	s := t.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	t.paused = s.now()
	s.release(t, t.paused)
}

// Resume waits for a slot after Pause. The guest goes on without one if it is
// told to end.
func (t *Turn) Resume() {
	if t.held {
		return
	}
	s := t.slots
	s.mu.Lock()
	now := s.now()
	t.busy = max(0, t.busy-(now-t.paused))
	t.used = max(t.used, s.least(now)-bonus)
	held := s.start(t, now)
	s.mu.Unlock()
	if !held {
		t.wait()
	}
}

// Leave gives up the slot, if there is one, at the end of the guest.
func (t *Turn) Leave() { t.Pause() }

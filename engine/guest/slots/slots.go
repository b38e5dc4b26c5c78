package slots

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// slice is how long a guest holds a slot while others wait for one.
	slice = time.Millisecond
	// bonus is how far below the least virtual time a guest begins or wakes up.
	bonus = slice
	// birth is what a guest that begins costs the common account, until it is
	// known how long it held its first slot.
	birth = slice / 4
	// short is how long a guest may hold the extra slot, and how long it may
	// compute before it has to let other threads go first: most processes end
	// before.
	short = 300 * time.Microsecond
	// breath is the least time between two occasions for other threads.
	breath = 100 * time.Microsecond
)

// Slots are the right to run guest code. They are safe for concurrent use.
type Slots struct {
	begin time.Time
	tend  func(heavy int) // told when heavy changes; may be nil

	// What is looked at without the lock.
	heavy   atomic.Int32 // guests that compute for long, and what else does
	waiting atomic.Int32 // guests in the queue
	urgent  atomic.Int64 // virtual time of the first one if it goes ahead, else never

	mu      sync.Mutex
	free    int           // above 0 only if the queue is empty
	extra   bool          // the extra slot is taken
	running []*Turn       // who holds a slot
	queue   queue         // who waits for one
	number  uint64        // of who queued last
	floor   time.Duration // least virtual time of all of these; never falls
	births  time.Duration // virtual time of the account of those that begin
}

const never = math.MaxInt64

// New returns n slots, at least one, and the extra one.
func New(n int) *Slots {
	n = max(1, n)
	s := &Slots{begin: time.Now(), free: n, running: make([]*Turn, 0, n+1)}
	s.urgent.Store(never)
	return s
}

// Tell has f called when the number of those changes that compute for longer than a
// short process does: guests, and what [Slots.Heavy] counts. It is called on their
// goroutines, several at once, and must be quick. Call it before the first Turn.
func (s *Slots) Tell(f func(heavy int)) { s.tend = f }

// Heavy counts n more that compute for long and are no guests, until the function
// is called that it returns.
func (s *Slots) Heavy(n int) (over func()) {
	s.weigh(n)
	return func() { s.weigh(-n) }
}

// Load returns how many guests have a slot or wait for one, and how many slots there
// are.
func (s *Slots) Load() (guests, slots int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running) + len(s.queue), cap(s.running) - 1
}

func (s *Slots) weigh(n int) {
	if now := s.heavy.Add(int32(n)); s.tend != nil {
		s.tend(int(now))
	}
}

// now returns the time since the slots were made.
func (s *Slots) now() time.Duration { return time.Since(s.begin) }

// least returns the virtual time that those who begin or wake up are compared
// with. s.mu is held.
func (s *Slots) least(now time.Duration) time.Duration {
	least := time.Duration(never)
	for _, t := range s.running {
		least = min(least, t.used+now-t.since)
	}
	if len(s.queue) > 0 {
		least = min(least, s.queue[0].used)
	}
	if least != never {
		s.floor = max(s.floor, least)
	}
	return s.floor
}

// start gives a guest that begins or wakes up a slot, or queues it, ahead of
// those that compute. s.mu is held.
func (s *Slots) start(t *Turn, now time.Duration) (held bool) {
	if s.free == 0 && !s.extra && t.used < s.least(now) {
		s.extra = true
		s.hold(t, now, true)
		return true
	}
	return s.take(t, now, true)
}

// take gives t a slot if one is free, else queues it. s.mu is held.
func (s *Slots) take(t *Turn, now time.Duration, ahead bool) (held bool) {
	if s.free > 0 {
		s.free--
		s.hold(t, now, false)
		return true
	}
	if t.ready == nil {
		t.ready = make(chan struct{}, 1)
	}
	s.number++
	t.number, t.ahead = s.number, ahead
	s.queue.push(t)
	s.tell()
	return false
}

// hold makes t one that runs. s.mu is held.
func (s *Slots) hold(t *Turn, now time.Duration, extra bool) {
	t.held, t.extra, t.since = true, extra, now
	s.running = append(s.running, t)
}

// release takes t's slot and gives it to the first in the queue. s.mu is held.
func (s *Slots) release(t *Turn, now time.Duration) {
	t.charge(now)
	s.least(now) // t may be the only one
	if t.fresh {
		t.fresh = false
		s.births += t.used - t.born - birth
	}
	t.held = false
	if t.heavy {
		t.heavy = false
		s.weigh(-1)
	}
	last := len(s.running) - 1
	for i, r := range s.running {
		if r == t {
			s.running[i], s.running[last] = s.running[last], nil
			s.running = s.running[:last]
			break
		}
	}
	switch {
	case t.extra && (len(s.queue) == 0 || !s.queue[0].ahead):
		s.extra = false
	case len(s.queue) == 0:
		s.free++
	default:
		next := s.queue.pop()
		s.tell()
		s.hold(next, now, t.extra)
		next.ready <- struct{}{}
	}
}

// tell tells those who run what the queue is like. s.mu is held.
func (s *Slots) tell() {
	urgent := int64(never)
	if len(s.queue) > 0 && s.queue[0].ahead {
		urgent = int64(s.queue[0].used)
	}
	s.urgent.Store(urgent)
	s.waiting.Store(int32(len(s.queue)))
}

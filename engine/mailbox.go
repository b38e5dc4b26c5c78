package engine

import (
	"sync"
	"time"
)

const (
	// DefaultMailbox is the limit of a mailbox of a spec that gives none, in bytes:
	// the data of all messages and 128 for each. Exits, Downs and what timers send
	// do not count, as each was asked for.
	DefaultMailbox = 16 << 20
	// fullTime is how long a mailbox may be full, or have nodes wait, without that a
	// message is taken.
	fullTime = 5 * time.Second
	// maxBeyond is how much of one node a mailbox takes after it asked the node to
	// stop: what can be under way of a node that does as asked. It is also how much
	// there may be of messages that do not count.
	maxBeyond = 64 << 20
)

// mailbox holds a process's messages in the order of their arrival. Others add,
// and only the process itself looks and takes.
type mailbox struct {
	limit int

	mu          sync.Mutex
	first, last *Message
	bytes, len  int
	free        int // bytes of messages that do not count
	nextID      uint64
	dropped     uint64

	drop    bool // messages that find it full are dropped
	closed  bool
	rests   bool          // the process has no goroutine until there is something for it
	waits   bool          // the process waits for a message, or to be ended
	wake    chan struct{} // has one element when it need not; nil until it waits
	arrived chan struct{} // closed by the next message; nil while nobody asks

	room   chan struct{}    // closed when there is room again; nil while nobody waits for it
	full   *time.Timer      // runs while it is full or nodes wait
	since  time.Time        // when it began to run
	paused map[*Session]int // nodes that wait, and what they sent since they were asked to
}

// add appends a message, or drops it if the mailbox is closed. sig is what it came
// with from another node, else nil.
func (b *mailbox) add(m *Message, sig *Signal, p *Process) {
	b.mu.Lock()
	asked, beyond := b.append(m, sig, p)
	b.pressed(asked, beyond, sig, p)
}

// pressed does what is left of append when the process's lock is not held.
func (b *mailbox) pressed(asked, beyond bool, sig *Signal, p *Process) {
	if asked && !p.bind(sig.session) {
		b.forget(sig.session)
	}
	if beyond {
		sig.session.Close(Reasonf(MailboxOverflow, "more than %d MiB to one process after it was asked to wait", maxBeyond>>20))
	}
}

// offer is add for a sender that can wait: it returns a channel that is closed when
// there is room, or nil. The process itself would wait in vain: it may go on for as
// much again.
func (b *mailbox) offer(m *Message, p *Process) (room <-chan struct{}) {
	b.mu.Lock()
	limit := b.limit
	if m.From == p.pid {
		limit *= 2
	}
	if !b.closed && !b.drop && b.bytes >= limit {
		defer b.mu.Unlock()
		if b.room == nil {
			b.room = make(chan struct{})
		}
		return b.room
	}
	b.append(m, nil, p)
	return nil
}

// append adds a message and unlocks b.mu. What it returns is for pressed.
func (b *mailbox) append(m *Message, sig *Signal, p *Process) (asked, beyond bool) {
	cost := m.cost()
	if b.drop && cost > 0 && b.bytes >= b.limit {
		b.dropped++
		b.mu.Unlock()
		return false, false
	}
	if b.closed {
		b.mu.Unlock()
		return false, false
	}
	p.eng.work.Add(1)
	b.nextID++
	m.id = b.nextID
	if m.prev = b.last; m.prev != nil {
		m.prev.next = m
	} else {
		b.first = m
	}
	b.last = m
	b.count(m, 1)
	if cost > 0 && b.bytes >= b.limit/2 && !b.drop {
		asked, beyond = b.press(cost, sig, p)
	}
	if b.full == nil && b.free > maxBeyond {
		b.full = time.AfterFunc(0, func() { p.overflow() })
	}
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
	b.rouse(p)
	return asked, beyond
}

// press is called when a message leaves the mailbox at least half full: its node
// is asked to wait, and when it is full or a node waits the time runs. It reports
// whether the node was asked for the first time, and whether it did not do as
// asked. b.mu is held.
func (b *mailbox) press(cost int, sig *Signal, p *Process) (asked, beyond bool) {
	if sig != nil && sig.session != nil {
		from := sig.session
		n, was := b.paused[from]
		if b.paused == nil {
			b.paused = map[*Session]int{}
		}
		b.paused[from] = n + cost
		if !was || sig.Name != "" {
			from.link.Send(&Signal{Kind: KindWait, From: p.pid, To: from.someone(), Name: sig.Name, N: 1})
		}
		asked, beyond = !was, n+cost > maxBeyond
	}
	if b.full == nil && (b.bytes >= b.limit || b.waited()) {
		b.since = time.Now()
		b.full = time.AfterFunc(fullTime, func() { p.overflow() })
	}
	return asked, beyond
}

// waited reports whether nodes wait. b.mu is held.
func (b *mailbox) waited() bool { return len(b.paused) > 0 }

// relax has the time run no more if nobody waits, or begin again if nodes still do.
// b.mu is held.
func (b *mailbox) relax() {
	switch {
	case b.full == nil || b.bytes >= b.limit || b.free > maxBeyond:
	case b.waited():
		b.since = time.Now()
		b.full.Reset(fullTime)
	default:
		b.full.Stop()
		b.full = nil
	}
}

// overdue reports whether the process is to end because of its mailbox. b.mu is held.
func (b *mailbox) overdue() bool {
	return b.full != nil && (b.free > maxBeyond || time.Since(b.since) >= fullTime)
}

// take removes a message.
func (b *mailbox) take(m *Message, p *Process) {
	b.mu.Lock()
	b.unlink(m)
	if b.bytes < b.limit && b.room != nil {
		close(b.room)
		b.room = nil
	}
	if b.bytes <= b.limit/4 {
		b.goOn(p)
	}
	b.relax()
	b.mu.Unlock()
}

func (b *mailbox) unlink(m *Message) {
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		b.first = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		b.last = m.prev
	}
	m.next, m.prev = nil, nil
	b.count(m, -1)
}

// count counts a message that comes, n is 1, or goes, -1.
func (b *mailbox) count(m *Message, n int) {
	b.len += n
	if cost := m.cost(); cost > 0 {
		b.bytes += n * cost
	} else {
		b.free += n * (messageCost + len(m.Data))
	}
}

// goOn tells nodes that were asked to wait that they need not any more. b.mu is
// held: else it could come after the next wish to wait.
func (b *mailbox) goOn(p *Process) {
	for s := range b.paused {
		s.link.Send(&Signal{Kind: KindWait, From: p.pid, To: s.someone()})
	}
	b.paused = nil
}

// close drops all messages and releases who waits for room.
func (b *mailbox) close(p *Process) {
	b.mu.Lock()
	b.closed = true
	b.first, b.last, b.len, b.bytes, b.free = nil, nil, 0, 0, 0
	if b.full != nil {
		b.full.Stop()
		b.full = nil
	}
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
	b.goOn(p)
	b.mu.Unlock()
}

// forget drops what is kept of a session that is lost.
func (b *mailbox) forget(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.paused, s)
	b.relax()
}

// find returns the first message behind *after, or of all if that is nil, that
// matches, and moves *after to the last one that does not. If there is none and
// wait, the process is about to wait.
func (b *mailbox) find(match *Match, after **Message, wait bool) *Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.first
	if *after != nil {
		m = (*after).next
	}
	for ; m != nil; m = m.next {
		if match.Matches(m) {
			return m
		}
		*after = m
	}
	if wait && !b.closed {
		if b.wake == nil {
			b.wake = make(chan struct{}, 1)
		}
		b.waits = true
	}
	return nil
}

// rouse has the process look what there is, if it waits or rests. It unlocks b.mu.
func (b *mailbox) rouse(p *Process) {
	waits, rests := b.waits, b.rests
	b.waits, b.rests = false, false
	b.mu.Unlock()
	switch {
	case waits:
		b.wake <- struct{}{}
	case rests:
		p.eng.workers.run(p)
	}
}

// poke is called when the process is to end.
func (b *mailbox) poke(p *Process) {
	b.mu.Lock()
	b.rouse(p)
}

// rest lets the process be without a goroutine, if there is no message.
func (b *mailbox) rest() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rests = b.first == nil
	return b.rests
}

// stopWaiting is called instead of waiting for wake after find.
func (b *mailbox) stopWaiting() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.waits {
		<-b.wake
	}
	b.waits = false
}

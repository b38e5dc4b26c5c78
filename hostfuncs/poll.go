package hostfuncs

import (
	"math"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// subscription is one thing that poll_oneoff waits for.
//
//	userdata u64, tag u8, pad to 16, then
//	clock: id u32, pad, timeout u64, precision u64, flags u16
//	fd:    descriptor u32
type subscription struct {
	userdata uint64
	tag      uint8
	fd       uint32
	clock    uint32
	timeout  uint64 // nanoseconds
	flags    uint16
}

// parseSubscription reads the 48 bytes of a subscription.
func parseSubscription(b []byte) subscription {
	s := subscription{userdata: le.Uint64(b), tag: b[8], fd: le.Uint32(b[16:])}
	if s.tag == abi.EventClock {
		s.clock, s.timeout, s.flags = le.Uint32(b[16:]), le.Uint64(b[24:]), le.Uint16(b[40:])
	}
	return s
}

// putEvent writes an event: userdata u64, errno u16, type u8, pad, bytes that
// can be read or written u64, flags u16.
func putEvent(b []byte, s subscription, errno abi.Errno) {
	clear(b[:abi.SizeEvent])
	le.PutUint64(b, s.userdata)
	le.PutUint16(b[8:], uint16(errno))
	b[10] = s.tag
	if s.tag != abi.EventClock && errno == 0 {
		le.PutUint64(b[16:], 1) // at least: a read or write will not block
	}
}

// waiting is a subscription and what is known of it.
type waiting struct {
	subscription
	deadline uint64 // on its clock, of clocks
	stdin    bool   // waits for input
	mailbox  bool   // waits for a message
	ready    bool   // at once: files, output, and errors
	errno    abi.Errno
}

// watch finds out what a subscription waits for.
func (c *call) watch(s subscription) waiting {
	w := waiting{subscription: s, ready: true}
	if s.tag == abi.EventClock {
		w.deadline, w.errno = c.deadline(s)
		w.ready = w.errno != 0
		return w
	}
	if d, errno := c.fds.get(uint64(s.fd), abi.RightPollFdReadwrite); errno == 0 && d.kind == kindMailbox {
		w.mailbox, w.ready = s.tag == abi.EventFdRead, s.tag != abi.EventFdRead
		return w
	}
	right := abi.RightPollFdReadwrite | abi.RightFdRead
	if s.tag == abi.EventFdWrite {
		right = abi.RightPollFdReadwrite | abi.RightFdWrite
	}
	var d *descriptor
	if d, w.errno = c.fds.get(uint64(s.fd), right); w.errno != 0 {
		return w
	}
	if d.kind == kindStdin {
		w.stdin, w.ready = true, false
	}
	return w
}

// deadline returns when a clock subscription is due, on its clock.
func (g *guest) deadline(s subscription) (uint64, abi.Errno) {
	now, errno := g.now(s.clock)
	switch {
	case errno != 0:
		return 0, errno
	case s.flags&^abi.ClockAbsolute != 0:
		return 0, abi.EINVAL
	case s.flags&abi.ClockAbsolute != 0:
		return s.timeout, 0
	case s.timeout > math.MaxUint64-now:
		return math.MaxUint64, 0
	}
	return now + s.timeout, 0
}

// pollOneoff waits until one of n subscriptions has an event, at least, and
// writes the events that there are, in the order of the subscriptions, and how
// many, u32. A clock's event is its deadline; a wrong descriptor or clock is an
// event with an errno. Only stdin and the mailbox are waited for: files and output are always
// ready, as a write blocks but does not fail. EINVAL for none, for more than
// 4096, and for events that do not exist. It blocks.
func pollOneoff(c *call, a []uint64) abi.Errno {
	n := uint32(a[2])
	in, errno := c.mem.array(a[0], a[2], abi.SizeSubscription)
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.array(a[1], a[2], abi.SizeEvent)
	if errno != 0 {
		return errno
	}
	count, errno := c.mem.bytes(a[3], 4)
	if errno != 0 {
		return errno
	}
	if n == 0 || n > abi.MaxSubscriptions {
		return abi.EINVAL
	}
	// All are read before an event is written: the arrays may overlap.
	list := make([]waiting, n)
	for i := range list {
		s := parseSubscription(in[i*abi.SizeSubscription:])
		if s.tag > abi.EventFdWrite {
			return abi.EINVAL
		}
		list[i] = c.watch(s)
	}
	for {
		if k := c.events(list, out); k > 0 {
			le.PutUint32(count, uint32(k))
			return 0
		}
		c.sleep(list)
	}
}

// events writes the events that there are now and returns how many.
func (c *call) events(list []waiting, out []byte) (n int) {
	var input <-chan struct{}
	for _, w := range list {
		switch {
		case w.ready:
		case w.mailbox:
			select {
			case <-c.self.Arrived(c.seen):
			default:
				continue
			}
		case w.stdin:
			if input == nil {
				input = c.p.Readable()
			}
			select {
			case <-input:
			default:
				continue
			}
		default:
			if now, _ := c.now(w.clock); now < w.deadline {
				continue
			}
		}
		putEvent(out[n*abi.SizeEvent:], w.subscription, w.errno)
		n++
	}
	return n
}

// maxSleep bounds one sleep towards a point in real time, because that clock
// can be set meanwhile.
const maxSleep = time.Minute

// elapse lets so much time pass at once, for a guest whose time is not real:
// the clocks that are due then have their events, also where time stands still.
func (c *call) elapse(list []waiting, n uint64) {
	for i := range list {
		w := &list[i]
		now, _ := c.now(w.clock)
		w.ready = w.ready || w.deadline-min(now, w.deadline) <= n
	}
	c.clock.pass(n)
}

// sleep waits until an event may be there, or unwinds the guest.
func (c *call) sleep(list []waiting) {
	var input, message <-chan struct{}
	var timer <-chan time.Time
	least := time.Duration(math.MaxInt64)
	for _, w := range list {
		if w.mailbox {
			message = c.self.Arrived(c.seen)
			continue
		}
		if w.stdin {
			if input == nil {
				input = c.p.Readable()
			}
			continue
		}
		now, _ := c.now(w.clock)
		left := time.Duration(min(w.deadline-min(now, w.deadline), math.MaxInt64))
		if w.clock == abi.ClockRealtime && c.clock.Kind == engine.ClockReal {
			left = min(left, maxSleep)
		}
		least = min(least, left)
	}
	if c.clock.Kind != engine.ClockReal {
		// Input or a message is always sooner than any time that is not real.
		if input == nil && message == nil && least < math.MaxInt64 {
			c.elapse(list, uint64(least))
			return
		}
		least = math.MaxInt64
	}
	if least < math.MaxInt64 {
		t := time.NewTimer(least)
		defer t.Stop()
		timer = t.C
	}
	c.wait(input, message, timer)
}

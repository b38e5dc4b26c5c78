package hostfuncs

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// sub is a subscription of a test; its userdata is its index + 100.
type sub struct {
	tag     uint8
	fd      uint32 // or clock
	timeout uint64
	flags   uint16
}

// subscribe writes the subscriptions at 8192, with room for the events behind
// them, and returns the arguments of poll_oneoff.
func (x *proxy) subscribe(subs []sub) (args []uint64) {
	m := x.mod.Memory()
	x.eventsAt = 8192 + uint32(len(subs))*abi.SizeSubscription
	if end := x.eventsAt + uint32(len(subs))*abi.SizeEvent; end > m.Size() {
		m.Grow((end-m.Size())>>16 + 1)
	}
	for i, s := range subs {
		at := 8192 + uint32(i)*abi.SizeSubscription
		m.Write(at, make([]byte, abi.SizeSubscription))
		m.WriteUint64Le(at, uint64(i)+100)
		m.WriteByte(at+8, s.tag)
		m.WriteUint32Le(at+16, s.fd)
		m.WriteUint64Le(at+24, s.timeout)
		m.WriteUint16Le(at+40, s.flags)
	}
	return []uint64{8192, uint64(x.eventsAt), uint64(len(subs)), 68}
}

// event is what a test sees of an event.
type event struct {
	index uint64
	errno abi.Errno
	tag   uint8
}

func (x *proxy) events() (list []event) {
	for i := range x.u32(68) {
		at := x.eventsAt + i*abi.SizeEvent
		list = append(list, event{x.u64(at) - 100, abi.Errno(x.u32(at+8) & 0xffff), uint8(x.u32(at+8) >> 16)})
	}
	return list
}

func TestPoll(t *testing.T) {
	const never = math.MaxUint64
	clock := func(id uint32, timeout uint64, flags uint16) sub { return sub{abi.EventClock, id, timeout, flags} }
	fd := func(tag uint8, fd uint32) sub { return sub{tag: tag, fd: fd} }
	past := uint64(time.Now().UnixNano())
	for name, c := range map[string]struct {
		input string
		subs  []sub
		want  []event
	}{
		"output is ready, a clock is not": {
			subs: []sub{clock(abi.ClockMonotonic, never, 0), fd(abi.EventFdWrite, 1), fd(abi.EventFdWrite, 2)},
			want: []event{{1, 0, abi.EventFdWrite}, {2, 0, abi.EventFdWrite}},
		},
		"relative clock": {subs: []sub{clock(abi.ClockMonotonic, 1000, 0)}, want: []event{{0, 0, abi.EventClock}}},
		"clock with no time": {
			subs: []sub{clock(abi.ClockRealtime, 0, 0), clock(abi.ClockRealtime, never, 0)},
			want: []event{{0, 0, abi.EventClock}},
		},
		"absolute clocks": {
			subs: []sub{clock(abi.ClockRealtime, past, abi.ClockAbsolute), clock(abi.ClockMonotonic, 1, abi.ClockAbsolute), clock(abi.ClockRealtime, never, abi.ClockAbsolute)},
			want: []event{{0, 0, abi.EventClock}, {1, 0, abi.EventClock}},
		},
		"stdin with input": {
			input: "x", subs: []sub{fd(abi.EventFdRead, 0), fd(abi.EventFdRead, 0)},
			want: []event{{0, 0, abi.EventFdRead}, {1, 0, abi.EventFdRead}},
		},
		"stdin without input, and a clock": {
			subs: []sub{fd(abi.EventFdRead, 0), clock(abi.ClockMonotonic, 1000, 0)},
			want: []event{{1, 0, abi.EventClock}},
		},
		"what is wrong is an event": {
			subs: []sub{fd(abi.EventFdRead, 99), fd(abi.EventFdRead, 1), clock(9, 0, 0), clock(abi.ClockProcessCPUTime, 0, 0), clock(0, 0, 2)},
			want: []event{{0, abi.EBADF, abi.EventFdRead}, {1, abi.ENOTCAPABLE, abi.EventFdRead}, {2, abi.EINVAL, abi.EventClock}, {3, abi.ENOTSUP, abi.EventClock}, {4, abi.EINVAL, abi.EventClock}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newProxy(t, &engine.Spec{})
			if c.input != "" {
				x.p.feed(c.input, false)
			}
			x.want(0, "poll_oneoff", x.subscribe(c.subs)...)
			got := x.events()
			if len(got) != len(c.want) {
				t.Fatalf("events %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("events %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestPollArguments(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	x.want(abi.EINVAL, "poll_oneoff", 0, 0, 0, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, 4097, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, math.MaxUint32, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, 1<<32/abi.SizeSubscription+1, 0) // 32 bytes, modulo 1<<32
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, 1<<32/abi.SizeEvent, 0)
	x.want(abi.EFAULT, "poll_oneoff", 65500, 0, 1, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 65520, 1, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, 1, 65533)
	x.want(abi.EINVAL, "poll_oneoff", x.subscribe([]sub{{tag: 3}})...)
	x.mod.Memory().Grow(10)
	x.want(abi.EINVAL, "poll_oneoff", 0, 0, 4097, 0)
}

// Input that comes while the guest waits wakes it, and the events may be
// written over the subscriptions.
func TestPollWaitsForInput(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	args := x.subscribe([]sub{{tag: abi.EventFdRead}, {abi.EventClock, abi.ClockMonotonic, math.MaxUint64, 0}})
	args[1] = args[0]
	go func() { <-x.p.blocked; x.p.feed("x", false) }()
	x.want(0, "poll_oneoff", args...)
	if x.u32(68) != 1 || x.u64(8192) != 100 {
		t.Errorf("%d events, first %d", x.u32(68), x.u64(8192))
	}
}

func TestPollOfFiles(t *testing.T) {
	x, _ := newFiles(t)
	f := uint32(x.open("f", creat, rw, 0))
	x.want(0, "poll_oneoff", x.subscribe([]sub{{tag: abi.EventFdRead, fd: f}, {tag: abi.EventFdWrite, fd: f}})...)
	if got := x.events(); len(got) != 2 {
		t.Errorf("events %v", got)
	}
}

// Thousands of clocks and descriptors: the earliest deadline ends the wait, to
// the nanosecond, and only what is due has an event, in order.
func TestPollOfVeryMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newProxy(t, &engine.Spec{})
		begin := time.Now()
		var subs []sub
		for i := range uint64(abi.MaxSubscriptions) {
			s := sub{abi.EventClock, abi.ClockMonotonic, uint64(time.Hour) + i, 0}
			switch {
			case i%1000 == 7:
				s.timeout = uint64(90 * time.Second)
			case i%4 == 1:
				s = sub{abi.EventClock, abi.ClockRealtime, uint64(begin.Add(time.Hour).UnixNano()), abi.ClockAbsolute}
			case i%4 == 2:
				s = sub{tag: abi.EventFdRead}
			case i == 3000:
				s = sub{abi.EventClock, abi.ClockRealtime, uint64(begin.Add(90 * time.Second).UnixNano()), abi.ClockAbsolute}
			}
			subs = append(subs, s)
		}
		args := x.subscribe(subs)
		x.want(0, "poll_oneoff", args...)
		want := []event{{7, 0, 0}, {1007, 0, 0}, {2007, 0, 0}, {3000, 0, 0}, {3007, 0, 0}, {4007, 0, 0}}
		if got := x.events(); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if d := time.Since(begin); d != 90*time.Second {
			t.Errorf("waited %v", d)
		}
		subs[3000] = sub{tag: abi.EventFdRead} // its time has come and stays
		args = x.subscribe(subs)
		go func() {
			synctest.Wait()
			x.p.feed("x", false)
		}()
		x.want(0, "poll_oneoff", args...)
		got := x.events()
		if len(got) != abi.MaxSubscriptions/4+1 || got[0] != (event{2, 0, abi.EventFdRead}) || got[1].index != 6 {
			t.Errorf("%d events of input", len(got))
		}
	})
}

// A stdin that does not block: nothing is EAGAIN, a poll waits for something,
// and its end is no error.
func TestPollOfStdinThatDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newProxy(t, &engine.Spec{})
		x.want(0, "fd_fdstat_set_flags", 0, uint64(abi.FdNonblock))
		args := x.subscribe([]sub{{tag: abi.EventFdRead}})
		for _, in := range []string{"abc", ""} {
			iov, n := x.iovs(100, 2, 200, 8)
			x.want(abi.EAGAIN, "fd_read", 0, iov, n, 68)
			go func() {
				synctest.Wait()
				x.p.feed(in, in == "")
			}()
			x.want(0, "poll_oneoff", args...)
			if got := x.events(); !slices.Equal(got, []event{{0, 0, abi.EventFdRead}}) {
				t.Errorf("events %v", got)
			}
			x.want(0, "fd_read", 0, iov, n, 68)
			if got := x.u32(68); got != uint32(len(in)) {
				t.Errorf("read %d bytes of %q", got, in)
			}
		}
	})
}

func FuzzSubscription(f *testing.F) {
	f.Add(make([]byte, abi.SizeSubscription))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < abi.SizeSubscription {
			return
		}
		s := parseSubscription(b)
		g := &guest{host: New()}
		out := make([]byte, abi.SizeEvent)
		if s.tag == abi.EventClock {
			if _, errno := g.deadline(s); errno == 0 && s.clock > abi.ClockMonotonic {
				t.Errorf("clock %d has a deadline", s.clock)
			}
		}
		putEvent(out, s, 0)
		if le.Uint64(out) != s.userdata || out[10] != s.tag {
			t.Errorf("event % x of subscription % x", out, b)
		}
	})
}

package hostfuncs

import (
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// now returns the time of a clock in nanoseconds. The monotonic one starts with
// the node, not with the run: an instance that is used again must not see it go
// back. ENOTSUP for CPU time, EINVAL for clocks that do not exist.
func (g *guest) now(clock uint32) (uint64, abi.Errno) {
	switch clock {
	case abi.ClockRealtime:
		if g.clock.Kind != engine.ClockReal {
			return uint64(g.clock.Start) + g.clock.passed, 0
		}
		return uint64(time.Now().UnixNano()), 0
	case abi.ClockMonotonic:
		if g.clock.Kind != engine.ClockReal {
			return g.clock.passed + 1, 0
		}
		return uint64(time.Since(g.host.start)) + 1, 0 // Go guests take 0 for a broken clock
	case abi.ClockProcessCPUTime, abi.ClockThreadCPUTime:
		return 0, abi.ENOTSUP
	}
	return 0, abi.EINVAL
}

// clock is the time of a guest that does not have the machine's.
type clock struct {
	engine.Clock
	passed uint64 // nanoseconds since its begin
}

// tick is how much a look at a virtual clock moves it on, so that who waits for
// a time by looking at it gets there.
const tick = uint64(time.Microsecond)

// pass moves a virtual clock on.
func (c *clock) pass(n uint64) {
	if c.Kind == engine.ClockVirtual {
		c.passed += n
	}
}

// clockResGet writes the resolution of a clock, u64 nanoseconds: 1. ENOTSUP
// for CPU time, EINVAL for other clocks.
func clockResGet(c *call, a []uint64) abi.Errno {
	if _, errno := c.now(uint32(a[0])); errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], 8)
	if errno == 0 {
		le.PutUint64(p, 1)
	}
	return errno
}

// clockTimeGet writes the time of a clock, u64 nanoseconds; the precision is
// not looked at. Errors as of clock_res_get.
func clockTimeGet(c *call, a []uint64) abi.Errno {
	c.clock.pass(tick)
	t, errno := c.now(uint32(a[0]))
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[2], 8)
	if errno == 0 {
		le.PutUint64(p, t)
	}
	return errno
}

// random is a source of random bytes.
type random struct{ seeded *mathrand.ChaCha8 } // nil: the machine's

// newRandom returns the machine's source for seed 0, else one whose bytes
// follow from the seed alone, on every machine.
func newRandom(seed uint64) random {
	if seed == 0 {
		return random{}
	}
	key := [32]byte{}
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], "wnode guest random_get 1")
	return random{mathrand.NewChaCha8(key)}
}

func (r random) read(b []byte) {
	if r.seeded != nil {
		r.seeded.Read(b)
	} else {
		rand.Read(b)
	}
}

// randomGet fills a buffer with random bytes: of a cryptographic source, or
// those that follow from the spec's seed.
func randomGet(c *call, a []uint64) abi.Errno {
	b, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	for len(b) > 0 {
		n := min(len(b), 1<<20) // about a millisecond
		c.random.read(b[:n])
		b = b[n:]
		c.step()
	}
	return 0
}

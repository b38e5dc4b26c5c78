package hostfuncs

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

func sum256(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// A clock that is not real shows what the spec says, and waiting takes no time.
func TestClockKinds(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	hour := uint64(time.Hour)
	for _, c := range []struct {
		kind        engine.ClockKind
		tick, slept uint64
	}{
		{engine.ClockFixed, 0, 0},
		{engine.ClockVirtual, uint64(time.Microsecond), hour},
	} {
		x := newProxy(t, &engine.Spec{Clock: engine.Clock{Kind: c.kind, Start: start}})
		look := func(id uint64) uint64 {
			x.want(0, "clock_time_get", id, 0, 80)
			return x.u64(80)
		}
		if got := look(abi.ClockRealtime); got != uint64(start)+c.tick {
			t.Errorf("%d: begins at %d", c.kind, got)
		}
		if got := look(abi.ClockMonotonic); got != 2*c.tick+1 {
			t.Errorf("%d: monotonic %d", c.kind, got)
		}
		// Of two waits the shorter one ends, at once.
		x.want(0, "poll_oneoff", x.subscribe([]sub{{abi.EventClock, abi.ClockMonotonic, 2 * hour, 0}, {abi.EventClock, abi.ClockRealtime, hour, 0}})...)
		if got := x.events(); len(got) != 1 || got[0].index != 1 {
			t.Errorf("%d: events %v", c.kind, got)
		}
		if got := look(abi.ClockRealtime); got != uint64(start)+3*c.tick+c.slept {
			t.Errorf("%d: after an hour %d", c.kind, got-uint64(start))
		}
		// Input is sooner than any time.
		x.p.feed("x", false)
		x.want(0, "poll_oneoff", x.subscribe([]sub{{abi.EventClock, abi.ClockMonotonic, hour, 0}, {tag: abi.EventFdRead, fd: 0}})...)
		if got := x.events(); len(got) != 1 || got[0].index != 1 {
			t.Errorf("%d: events %v", c.kind, got)
		}
	}
}

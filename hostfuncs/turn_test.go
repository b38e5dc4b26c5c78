package hostfuncs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// A guest gives up its core while it sleeps or polls in vain, not for what is
// there already, and lets others go first in the midst of long work.
func TestTurn(t *testing.T) {
	gave := []string{"pause", "resume"}
	for _, c := range []struct {
		name string
		does func(x *proxy)
		want []string
	}{
		{"asks for the time", func(x *proxy) { x.want(0, "clock_time_get", 0, 0, 64) }, nil},
		{"takes many random bytes", func(x *proxy) {
			x.mod.Memory().Grow(32)
			x.want(0, "random_get", 0, 2<<20)
		}, []string{"yield", "yield"}},
		{"writes", func(x *proxy) { x.write(1, "x") }, nil},
		{"polls what is ready", func(x *proxy) {
			x.want(0, "poll_oneoff", x.subscribe([]sub{{tag: abi.EventFdWrite, fd: 1}})...)
		}, nil},
		{"sleeps", func(x *proxy) {
			x.want(0, "poll_oneoff", x.subscribe([]sub{{abi.EventClock, abi.ClockMonotonic, uint64(time.Second), 0}})...)
		}, gave},
		{"waits for input", func(x *proxy) {
			time.AfterFunc(time.Second, func() { x.p.feed("x", false) })
			x.want(0, "poll_oneoff", x.subscribe([]sub{{tag: abi.EventFdRead, fd: 0}})...)
		}, gave},
		{"lets others run", func(x *proxy) { x.want(0, "sched_yield") }, gave},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newProxy(t, &engine.Spec{})
				c.does(x)
				if !slices.Equal(x.p.turns, c.want) {
					t.Errorf("%q, want %q", x.p.turns, c.want)
				}
			})
		})
	}
}

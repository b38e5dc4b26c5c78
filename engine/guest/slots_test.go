package guest_test

import (
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// hostile returns a hostile module by its name.
func hostile(t *testing.T, name string) []byte {
	t.Helper()
	for _, s := range guesttest.Hostile() {
		if s.Name == name {
			return s.Wasm
		}
	}
	t.Fatalf("no hostile module %q", name)
	return nil
}

// Many more guests than slots all get on, those that wait take no slot, and each
// can be killed whether it has one or not.
func TestSlots(t *testing.T) {
	n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), Slots: 1})
	kill := func(r *run) {
		r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
	}
	var blocked, computing []*run
	for range 4 {
		r := n.startInput(hostile(t, "blocked in fd_read"), engine.Spec{})
		n.computes(t, r, true)
		blocked = append(blocked, r)
	}
	for _, name := range []string{"loop", "start function", "exponential calls", "memory.fill", "host calls: fd_write", "host calls: sched_yield"} {
		computing = append(computing, n.startInput(hostile(t, name), engine.Spec{}))
	}
	for _, r := range computing {
		n.computes(t, r, false)
	}
	for range 10 {
		if got := n.start(example(t, "hello-c"), engine.Spec{}).end(t); got.Word != engine.Normal {
			t.Errorf("a short one among many: %+v", got)
		}
	}
	for _, r := range append(blocked, computing...) {
		kill(r)
	}
	for _, r := range append(blocked, computing...) {
		if got := r.end(t); got.Word != engine.Killed {
			t.Errorf("killed: %+v", got)
		}
	}
	// No slot has been lost on the way.
	if got := n.start(example(t, "hello-c"), engine.Spec{}).end(t); got.Word != engine.Normal {
		t.Errorf("afterwards: %+v", got)
	}
}

package guest_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
)

// computes waits until the process has begun to run its guest.
func (n *node) computes(t testing.TB, r *run, blocks bool) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 20*time.Second; runtime.Gosched() {
		for _, p := range n.eng.Processes() {
			if p.PID == r.pid && (p.Reductions > 0 || blocks && p.State == engine.Running) {
				return
			}
		}
		select {
		case <-r.done:
			return // by itself
		default:
		}
	}
	t.Fatal("the guest does not begin")
}

// Whatever a guest does, it ends when it is told to, by its fuel and by its
// time; and the garbage collector gets its turn.
func TestHostile(t *testing.T) {
	n := newNode(t, "")
	for _, s := range guesttest.Hostile() {
		t.Run(s.Name, func(t *testing.T) {
			r := n.startInput(s.Wasm, engine.Spec{})
			n.computes(t, r, true)
			runtime.GC()
			r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: "enough"}})
			if got := r.end(t); got.Word != engine.Killed && (s.Ends == "" || got.Word != engine.Word(s.Ends)) {
				t.Errorf("killed: %+v", got)
			}
			if s.Ends != "" {
				if got := n.startInput(s.Wasm, engine.Spec{}).end(t); got.Word != engine.Word(s.Ends) {
					t.Errorf("left alone: %+v", got)
				}
				return
			}
			if got := n.startInput(s.Wasm, engine.Spec{Limits: engine.Limits{Wall: 30 * time.Millisecond}}).end(t); got.Word != engine.Timeout {
				t.Errorf("timeout: %+v", got)
			}
			if s.Blocks {
				return
			}
			var used []uint64
			for range 2 {
				r := n.startInput(s.Wasm, engine.Spec{Limits: engine.Limits{Fuel: 1_234_567}})
				if got := r.end(t); got.Word != engine.Fuel {
					t.Errorf("fuel: %+v", got)
				}
				used = append(used, r.down.Report.Fuel)
			}
			if used[0] != 1_234_567 || used[1] != used[0] {
				t.Errorf("used %d", used)
			}
		})
	}
}

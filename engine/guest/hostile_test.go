package guest_test

import (
	"math/rand/v2"
	"os"
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

// Processes of all shapes come and are killed, at any point of their lives: each
// ends, and the node has all back that they had.
func TestCycles(t *testing.T) {
	count := 100
	if os.Getenv("WNODE_SOAK") != "" {
		count = 10_000
	}
	seed := rand.Uint64()
	t.Logf("%d cycles, seed %d", count, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	n := newNode(t, "")
	shapes := guesttest.Hostile()
	var pending []*run
	end := func() {
		r := pending[0]
		pending = pending[1:]
		if got := r.end(t); got.Word != engine.Killed && got.Word != engine.Stack {
			t.Errorf("seed %d: %+v", seed, got)
		}
	}
	for range count {
		s := shapes[random.IntN(len(shapes))]
		r := n.startInput(s.Wasm, engine.Spec{})
		after := time.Duration(random.IntN(3_000)) * time.Microsecond
		time.AfterFunc(after, func() {
			r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
		})
		if pending = append(pending, r); len(pending) > 8 {
			end()
		}
	}
	for len(pending) > 0 {
		end()
	}
	if left := n.eng.Processes(); len(left) != 0 {
		t.Errorf("seed %d: left: %+v", seed, left)
	}
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

package guest_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
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

// tiers are the ways in which first runs are begun, as Config.InterpretAbove.
func tiers() map[string]time.Duration {
	return map[string]time.Duration{"compiled": -1, "by default": 0, "interpreted first": 1}
}

// patientNode is a node on which a compilation may take a minute.
func patientNode(t *testing.T, c guest.Config) *node {
	t.Helper()
	n := newNodeOf(t, c)
	if err := n.runner.CompileFor(time.Minute); err != nil {
		t.Fatal(err)
	}
	return n
}

// large is above what size, in bytes, a module is not run on one node after the other, each
// of which would compile it. It takes long enough to begin in the interpreter by
// default.
const large = 64 << 10

// Processes of all shapes come and are killed, at any point of their lives: each
// ends, and the node has all back that they had.
func TestCycles(t *testing.T) {
	count := 100
	if os.Getenv("WNODE_SOAK") != "" {
		count = 10_000
	}
	seed := rand.Uint64()
	t.Logf("%d cycles, seed %d", count, seed)
	for name, above := range tiers() {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			each := count
			if above > 0 {
				each = 20 // and then a node that has seen no module yet
			}
			for left := count; left > 0; left -= each {
				cycles(t, random, each, guest.Config{Host: hostfuncs.New(), InterpretAbove: above, Slots: 1 + random.IntN(2)})
			}
		})
	}
}

func cycles(t *testing.T, random *rand.Rand, count int, c guest.Config) {
	n := patientNode(t, c)
	shapes := slices.DeleteFunc(guesttest.Hostile(), func(s guesttest.Shape) bool { return c.InterpretAbove > 0 && len(s.Wasm) > large })
	var pending []*run
	end := func() {
		r := pending[0]
		pending = pending[1:]
		if got := r.end(t); got.Word != engine.Killed && got.Word != engine.Stack {
			t.Errorf("%+v", got)
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
		t.Errorf("left: %+v", left)
	}
	closeNode(t, n)
}

// Whatever a guest does, it ends when it is told to, by its fuel and by its
// time; and the garbage collector gets its turn.
func TestHostile(t *testing.T) {
	for name, above := range tiers() {
		t.Run(name, func(t *testing.T) {
			c := guest.Config{Host: hostfuncs.New(), InterpretAbove: above}
			n := patientNode(t, c)
			for _, s := range guesttest.Hostile() {
				if above > 0 && len(s.Wasm) > large {
					continue
				}
				t.Run(s.Name, func(t *testing.T) {
					testHostile(t, s, func() *node {
						if above > 0 { // one that has not seen the module
							return patientNode(t, c)
						}
						return n
					})
				})
			}
		})
	}
}

// testHostile runs a shape in all ways, each on the node that next returns.
func testHostile(t *testing.T, s guesttest.Shape, next func() *node) {
	start := func(l engine.Limits) *run { return next().startInput(s.Wasm, engine.Spec{Limits: l}) }
	n := next()
	r := n.startInput(s.Wasm, engine.Spec{})
	n.computes(t, r, true)
	runtime.GC()
	r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: "enough"}})
	if got := r.end(t); got.Word != engine.Killed && (s.Ends == "" || got.Word != engine.Word(s.Ends)) {
		t.Errorf("killed: %+v", got)
	}
	if s.Ends != "" {
		if got := start(engine.Limits{}).end(t); got.Word != engine.Word(s.Ends) {
			t.Errorf("left alone: %+v", got)
		}
		return
	}
	if got := start(engine.Limits{Wall: 30 * time.Millisecond}).end(t); got.Word != engine.Timeout {
		t.Errorf("timeout: %+v", got)
	}
	if s.Blocks {
		return
	}
	var used []uint64
	for range 2 {
		r := start(engine.Limits{Fuel: 1_234_567})
		if got := r.end(t); got.Word != engine.Fuel {
			t.Errorf("fuel: %+v", got)
		}
		used = append(used, r.down.Report.Fuel)
	}
	if used[0] != 1_234_567 || used[1] != used[0] {
		t.Errorf("used %d", used)
	}
}

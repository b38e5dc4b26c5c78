package guest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// canary returns a module that looks for what others left, and leaves secrets
// itself. pages is the size of its memory, below 64, and second an address there,
// with five digits in hex and a multiple of 8.
//
//	(module
//	  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//	  (memory PAGES)
//	  (global $a (mut i32) (i32.const 5))
//	  (global $b (mut i64) (i64.const -6))
//	  (global $c (mut f32) (f32.const 7.5))
//	  (global $d (mut f64) (f64.const 8.5))
//	  (data (i32.const 16) "datadata")
//	  (data (i32.const SECOND) "DATADATA")
//	  (func $deep (param i32) (result i32)
//	    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
//	  (func $spin (loop (br 0)))
//	  (func (export "run") (param $mode i32) (param $grow i32) (param $secret i64) (result i32)
//	    (local $at i32) (local $end i32)
//	    (if (i32.ne (memory.size) (i32.const PAGES)) (then (return (i32.const 1))))
//	    (if (i32.or (i32.or (i32.ne (global.get $a) (i32.const 5)) (i64.ne (global.get $b) (i64.const -6)))
//	                (i32.or (f32.ne (global.get $c) (f32.const 7.5)) (f64.ne (global.get $d) (f64.const 8.5))))
//	      (then (return (i32.const 2))))
//	    (drop (memory.grow (local.get $grow)))
//	    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
//	    (loop
//	      (if (i64.ne (i64.load (local.get $at))
//	            (select (i64.const 0x6174616461746164)
//	              (select (i64.const 0x4154414441544144) (i64.const 0) (i32.eq (local.get $at) (i32.const SECOND)))
//	              (i32.eq (local.get $at) (i32.const 16))))
//	        (then (return (i32.const 3))))
//	      (i64.store (local.get $at) (local.get $secret))
//	      (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
//	    (global.set $a (i32.wrap_i64 (local.get $secret)))
//	    (global.set $b (local.get $secret))
//	    (global.set $c (f32.convert_i64_s (local.get $secret)))
//	    (global.set $d (f64.convert_i64_s (local.get $secret)))
//	    (block (block (block (block (br_table 0 1 2 3 (local.get $mode)))
//	      (call $exit (i32.const 7)))
//	      unreachable)
//	      (call $spin))
//	    (drop (call $deep (i32.const 20000)))
//	    (i32.const 0)))
func canary(t testing.TB, pages, second int) []byte {
	t.Helper()
	const code = "0061736d0100000001140460017f0060017f017f60000060037f7f7e017f02240116776173695f736e617073686f745f70726576696577310970726f" +
		"635f6578697400000304030102030503010002061f047f0141050b7e01427a0b7d01430000f0400b7c014400000000000021400b0707010372756e00" +
		"030ae3010314002000047f4101200041016b10016a0541000b0b070003400c000b0bc30101027f3f00410247044041010f0b23004105472301427a52" +
		"722302430000f0405c2303440000000000002140627272044041020f0b200140001a3f00418080046c21040340200329030042e4c2d18bc6ac98bae1" +
		"0042c482d18ac4a890aac1004200200341f0a204461b20034110461b52044041030f0b20032002370300200341086a22032004490d000b2002a72400" +
		"200224012002b424022002b92403024002400240024020000e03000102030b410710000b000b10020b41a09c0110011a41000b0b1d020041100b0864" +
		"617461646174610041f0a2040b084441544144415441"
	address := fmt.Sprintf("41%02x%02x%02x", second&0x7f|0x80, second>>7&0x7f|0x80, second>>14)
	s := strings.ReplaceAll(code, "41f0a204", address)
	s = strings.Replace(s, "0503010002", fmt.Sprintf("05030100%02x", pages), 1)
	s = strings.Replace(s, "3f004102", fmt.Sprintf("3f0041%02x", pages), 1)
	return fromHex(t, s)
}

// Modes of canary.
const (
	exits = iota
	traps
	spins
	returns
)

// No process sees what another one wrote, however that one ended.
func TestCanary(t *testing.T) {
	runs, flight := 100, 6
	if os.Getenv("WNODE_SOAK") != "" {
		runs = 20_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	modules := [][]byte{
		canary(t, 2, 70_000),   // in a slot
		canary(t, 16, 40_000),  // in a reservation
		canary(t, 16, 600_000), // with an image that is mapped
	}
	n := newNode(t, "")
	var wg sync.WaitGroup
	free := make(chan struct{}, flight)
	for range runs {
		module, mode, grow := modules[r.IntN(len(modules))], r.IntN(4), []int{0, 0, 1, 10, 30, 200, 5000}[r.IntN(7)]
		spec := engine.Spec{Entry: "run", Args: []string{strconv.Itoa(mode), strconv.Itoa(grow), "0x5ec7e75ec7e75ec7"}}
		if mode == spins {
			spec.Limits.Wall = time.Duration(1+r.IntN(5)) * time.Millisecond
		}
		kill := r.IntN(5) == 0
		free <- struct{}{}
		p := n.start(module, spec)
		if kill {
			p.leader.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
		}
		wg.Go(func() {
			defer func() { <-free }()
			got := p.end(t)
			want, out := []engine.Word{engine.Exited, engine.Trap, engine.Timeout, engine.Normal}[mode], p.out.String()
			if mode == returns && out == "0\n" {
				out = ""
			}
			switch {
			case out != "":
				t.Errorf("seed %d: mode %d, %d pages more: found %q", seed, mode, grow, out)
			case kill && got.Word == engine.Killed:
			case grow == 5000 && (got.Word == engine.Memory || want == engine.Timeout && got.Word == engine.Timeout):
			case got.Word != want:
				t.Errorf("seed %d: mode %d, %d pages more: ended with %v", seed, mode, grow, got)
			}
		})
	}
	wg.Wait()
	if idle, _ := n.runner.Idle(); idle == 0 {
		t.Error("no instance was kept")
	}
}

// What is kept: instances whose process came to its own end, and no others.
func TestReuse(t *testing.T) {
	n := newNode(t, "")
	module := canary(t, 2, 70_000)
	for _, c := range []struct {
		name string
		mode int
		spec engine.Spec
		want engine.Word
		idle int
	}{
		{"returns", returns, engine.Spec{}, engine.Normal, 1},
		{"exits", exits, engine.Spec{}, engine.Exited, 1},
		{"traps", traps, engine.Spec{}, engine.Trap, 0},
		{"is stopped", spins, engine.Spec{Limits: engine.Limits{Wall: 5 * time.Millisecond}}, engine.Timeout, 0},
		{"returns again", returns, engine.Spec{}, engine.Normal, 1},
		{"wants too much", returns, engine.Spec{Limits: engine.Limits{Memory: 128 << 10}}, engine.Memory, 0},
	} {
		c.spec.Entry, c.spec.Args = "run", []string{strconv.Itoa(c.mode), "1", "-1"}
		if got := n.start(module, c.spec).end(t); got.Word != c.want {
			t.Errorf("%s: ended with %v", c.name, got)
		}
		if got, _ := n.runner.Idle(); got != c.idle {
			t.Errorf("%s: %d instances are kept, want %d", c.name, got, c.idle)
		}
	}
}

// The stack of a function is kept, but not one that a deep recursion left.
func TestReuseStack(t *testing.T) {
	n := newNode(t, "")
	module := canary(t, 2, 70_000)
	for _, c := range []struct {
		mode int
		kept bool
	}{{exits, true}, {returns, false}, {exits, true}} {
		n.start(module, engine.Spec{Entry: "run", Args: []string{strconv.Itoa(c.mode), "0", "-1"}}).end(t)
		if idle, stack := n.runner.Idle(); idle != 1 || (stack > 0) != c.kept || stack > 64<<10 {
			t.Errorf("%+v: %d instances, a stack of %d bytes", c, idle, stack)
		}
	}
}

// The limit and the report are those of the process, not of the instance.
func TestReuseLimit(t *testing.T) {
	n := newNode(t, "")
	module := canary(t, 2, 70_000)
	for _, c := range []struct {
		grow, limit int // pages
		want        engine.Word
		most        int // pages in the report
	}{
		{0, 0, engine.Normal, 2},
		{100, 0, engine.Normal, 102},
		{0, 0, engine.Normal, 2},
		{1030, 2000, engine.Normal, 1032},
		{100, 50, engine.Memory, 2},
		{1030, 0, engine.Memory, 2},
		{100, 102, engine.Normal, 102},
	} {
		spec := engine.Spec{Entry: "run", Args: []string{strconv.Itoa(returns), strconv.Itoa(c.grow), "-1"}}
		spec.Limits.Memory = uint64(c.limit) << 16
		p := n.start(module, spec)
		if got := p.end(t); got.Word != c.want || c.want == engine.Normal && p.down.Report.MaxMemory != uint64(c.most)<<16 {
			t.Errorf("%+v: ended with %v, %d bytes", c, got, p.down.Report.MaxMemory)
		}
	}
}

package guest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// How processes end, compiled and when their first run begins in the interpreter.
func TestReasons(t *testing.T) {
	compiled := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: -1})
	for _, c := range []struct {
		name   string
		module []byte
		spec   engine.Spec
		want   engine.Word
		code   uint32
		detail string // is in the reason's
		out    string
	}{
		{name: "normal", module: example(t, "hello-c"), spec: engine.Spec{Args: []string{"a b"}}, want: engine.Normal, out: "hello from wnode, a b\n"},
		{name: "exit code", module: example(t, "exit"), spec: engine.Spec{Args: []string{"3"}}, want: engine.Exited, code: 3},
		{name: "exit code 0", module: example(t, "exit"), spec: engine.Spec{Args: []string{"0"}}, want: engine.Normal},
		{name: "trap", module: example(t, "exit"), spec: engine.Spec{Args: []string{"trap"}}, want: engine.Trap, detail: "unreachable"},
		{name: "division by zero", module: example(t, "add"), spec: engine.Spec{Entry: "div", Args: []string{"1", "0"}}, want: engine.Trap, detail: "integer divide by zero"},
		{name: "start function traps", module: fromHex(t, startTraps), want: engine.Trap, detail: "unreachable"},
		{name: "endless recursion", module: fromHex(t, recurses), want: engine.Stack},
		{name: "memory limit", module: fromHex(t, grows), spec: engine.Spec{Limits: engine.Limits{Memory: 4 << 20}}, want: engine.Memory, detail: "4 MiB"},
		{name: "memory limit by default", module: fromHex(t, grows), want: engine.Memory, detail: "64 MiB"},
		{name: "more memory than the limit from the start", module: fromHex(t, muchMemory), want: engine.Memory, detail: "125 MiB"},
		{name: "wall time", module: example(t, "spin"), spec: engine.Spec{Limits: engine.Limits{Wall: 50 * time.Millisecond}}, want: engine.Timeout, detail: "50ms"},
		{name: "no such export", module: example(t, "add"), spec: engine.Spec{Entry: "sub"}, want: engine.EntryNotFound, detail: "add, add_f32, add_f64, add_i64, div"},
		{name: "no _start", module: example(t, "kate"), want: engine.EntryNotFound, detail: `no export "_start"; it has: say_name`},
		{name: "_start takes parameters", module: fromHex(t, startTakes), want: engine.EntryNotFound, detail: "not a command"},
		{name: "typed arguments", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"-1", "0x10"}}, want: engine.Normal, out: "15\n"},
		{name: "unsigned argument", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"4294967295", "0"}}, want: engine.Normal, out: "-1\n"},
		{name: "float results", module: example(t, "add"), spec: engine.Spec{Entry: "add_f32", Args: []string{"0.1", "0.2"}}, want: engine.Normal, out: "0.3\n"},
		{name: "several results", module: fromHex(t, twoResults), spec: engine.Spec{Entry: "two"}, want: engine.Normal, out: "-1\n7\n"},
		{name: "too few arguments", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1"}}, want: engine.EntryNotFound, detail: "add takes 2 arguments (i32, i32) -> i32, not 1"},
		{name: "argument of another type", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1", "1.5"}}, want: engine.EntryNotFound, detail: `"1.5"`},
		{name: "argument too large", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1", "4294967296"}}, want: engine.EntryNotFound, detail: "no i32"},
		{name: "tables do not grow without bound", module: fromHex(t, growsTable), spec: engine.Spec{Entry: "most"}, want: engine.Normal, out: "30001\n"},
		{name: "_initialize comes first", module: fromHex(t, initializes), spec: engine.Spec{Entry: "get"}, want: engine.Normal, out: "42\n"},
		{name: "not wasm", module: []byte("hello"), want: engine.ModuleInvalid, detail: "not WebAssembly"},
		{name: "import with another signature", module: fromHex(t, wrongImport), want: engine.ModuleInvalid, detail: "fd_write"},
		{name: "does not compile", module: fromHex(t, badCode), want: engine.ModuleInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The second one has never seen any module: it interprets.
			var all []*engine.Signal
			for _, n := range []*node{compiled, newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: 1})} {
				r := n.start(c.module, c.spec)
				got := r.end(t)
				if got.Word != c.want || got.Code != c.code || !strings.Contains(got.Detail, c.detail) || r.out.String() != c.out {
					t.Errorf("on node %d: got %+v, output %q", len(all), got, r.out.String())
				}
				all = append(all, r.down)
			}
			a, b := all[0], all[1]
			if a.Reason != b.Reason {
				t.Errorf("compiled:\n%+v\nbegun in the interpreter:\n%+v", a.Reason, b.Reason)
			}
			// A guest goes on for a while after it was told to end.
			if c.want != engine.Timeout && c.want != engine.Memory && (a.Report.Fuel != b.Report.Fuel || a.Report.MaxMemory != b.Report.MaxMemory) {
				t.Errorf("compiled: %+v, begun in the interpreter: %+v", a.Report, b.Report)
			}
		})
	}
}

// A guest ends when it is told to, with the reason it was told first, whether it
// calls its host or not.
func TestKill(t *testing.T) {
	for _, c := range []struct {
		name   string
		module []byte
		spec   engine.Spec
	}{
		{"loop that writes", example(t, "yes"), engine.Spec{Args: []string{"1000000000000"}}},
		{"loop without a call", fromHex(t, writesThenSpins), engine.Spec{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, "")
			r := n.start(c.module, c.spec)
			<-r.began
			for _, why := range []string{"enough", "more than enough"} {
				r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: why}})
			}
			if got := r.end(t); got != (engine.Reason{Word: engine.Killed, Detail: "enough"}) {
				t.Errorf("got %+v", got)
			}
			if r.down.Report.Run == 0 || r.down.Report.MaxMemory == 0 {
				t.Errorf("report %+v", r.down.Report)
			}
		})
	}
}

// A run that begins in the interpreter and goes on in compiled code writes what
// it should, once and in order, whenever that happens.
func TestFirstRunOutput(t *testing.T) {
	for _, lines := range []string{"1", "1000", "30000"} {
		n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: 1})
		r := n.start(example(t, "yes"), engine.Spec{Args: []string{lines}})
		if got := r.end(t); got.Word != engine.Normal {
			t.Fatalf("%s: %+v", lines, got)
		}
		again := n.start(example(t, "yes"), engine.Spec{Args: []string{lines}}) // compiled
		if got := again.end(t); got.Word != engine.Normal || !bytes.Equal(r.out.Bytes(), again.out.Bytes()) || again.out.Len() == 0 {
			t.Errorf("%s: %+v; %d bytes, then %d", lines, got, r.out.Len(), again.out.Len())
		}
	}
}

// Runs that begin while the module is compiled are interpreted too.
func TestFirstRunsAtOnce(t *testing.T) {
	n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: 1})
	var all []*run
	for range 8 {
		all = append(all, n.start(example(t, "yes"), engine.Spec{Args: []string{"1000"}}))
	}
	for i, r := range all {
		if got := r.end(t); got.Word != engine.Normal || !bytes.Equal(r.out.Bytes(), all[0].out.Bytes()) || r.out.Len() == 0 {
			t.Errorf("run %d: %+v; %d bytes, the first %d", i, got, r.out.Len(), all[0].out.Len())
		}
	}
}

// deepens calls itself 5000 times, more than the interpreter can, and returns
// how often:
// (module (func $f (param i32) (result i32) (if (result i32) (local.get 0)
//
//	 (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
//	(func (export "depth") (result i32) (call $f (i32.const 5000))))
const deepens = "0061736d01000000010a0260017f017f6000017f030302000107090105646570746800010a1e0214002000047f4101200041016b10006a0541000b0b070041882710000b"

// With a seed and a clock of its own a run is the same in each tier.
func TestFirstRunSeeded(t *testing.T) {
	spec := engine.Spec{Seed: 7, Clock: engine.Clock{Kind: engine.ClockVirtual}}
	var outs []string
	var fuel []uint64
	for _, above := range []time.Duration{-1, 1, 1, 1} {
		n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: above, Slots: 1})
		r := n.start(asksHost(), spec)
		if got := r.end(t); got.Word != engine.Normal {
			t.Fatalf("%+v", got)
		}
		outs, fuel = append(outs, r.out.String()), append(fuel, r.down.Report.Fuel)
	}
	for i := range outs {
		if len(outs[i]) != 200*16 || outs[i] != outs[0] || fuel[i] != fuel[0] {
			t.Errorf("run %d: %d bytes, %d reductions; the first %d and %d", i, len(outs[i]), fuel[i], len(outs[0]), fuel[0])
		}
	}
}

// asksHost returns a module that writes 200 times what the clock and the source
// of random numbers say, and computes in between.
func asksHost() []byte {
	i32 := func(n int) []byte { return bytes.Repeat([]byte{guesttest.I32}, n) }
	wasi := func(name string, params ...byte) guesttest.Import {
		return guesttest.Import{Module: "wasi_snapshot_preview1", Name: name, Params: params, Results: i32(1)}
	}
	loop := func(local int, n int32, body ...any) []byte {
		return guesttest.Code(guesttest.I32Const(0), 0x21, local, 0x03, 0x40, guesttest.Code(body...),
			0x20, local, guesttest.I32Const(1), 0x6a, 0x22, local, guesttest.I32Const(n), 0x48, 0x0d, 0, 0x0b)
	}
	c := guesttest.I32Const
	return guesttest.Module{
		Imports: []guesttest.Import{
			wasi("clock_time_get", guesttest.I32, guesttest.I64, guesttest.I32),
			wasi("random_get", i32(2)...), wasi("fd_write", i32(4)...),
		},
		Memory: 1,
		Data:   []byte{64, 0, 0, 0, 16, 0, 0, 0},
		Funcs: []guesttest.Func{{Export: "_start", Locals: i32(2), Code: loop(0, 200,
			c(1), 0x42, 0, c(64), 0x10, 0, 0x1a, // the time, at 64
			c(72), c(8), 0x10, 1, 0x1a,
			loop(1, 3000),
			c(1), c(0), c(1), c(16), 0x10, 2, 0x1a)}},
	}.Bytes()
}

// Both tiers take turns on the one slot there is, and give it back.
func TestFirstRunOneSlot(t *testing.T) {
	n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: 1, Slots: 1})
	names := []string{"loop", "start function", "blocked in fd_read", "host calls: fd_write", "host calls: sched_yield"}
	var all []*run
	for _, name := range names {
		all = append(all, n.startInput(hostile(t, name), engine.Spec{}))
	}
	for _, r := range all {
		n.computes(t, r, true)
	}
	for _, module := range [][]byte{example(t, "hello-c"), asksHost()} {
		if got := n.start(module, engine.Spec{}).end(t); got.Word != engine.Normal {
			t.Errorf("among them: %+v", got)
		}
	}
	for _, r := range all {
		r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
	}
	for i, r := range all {
		if got := r.end(t); got.Word != engine.Killed {
			t.Errorf("%s: %+v", names[i], got)
		}
	}
	if got := n.start(example(t, "yes"), engine.Spec{Args: []string{"10"}}).end(t); got.Word != engine.Normal {
		t.Errorf("afterwards: %+v", got)
	}
}

// downs is a link to a node that wants to hear how its processes end.
type downs chan engine.Reason

func (d downs) Send(s *engine.Signal) {
	if s.Kind == engine.KindDown {
		d <- s.Reason
	}
}
func (downs) Busy(*engine.Signal) <-chan struct{} { return nil }
func (downs) Close(error)                         {}

// The memory of both instances counts once for the quota of an origin, which gets
// all of it back.
func TestFirstRunQuota(t *testing.T) {
	const pages = 16
	for _, c := range []struct {
		quota uint64
		want  engine.Word
	}{{pages << 16, engine.Normal}, {pages<<16 - 1, engine.Memory}} {
		mods := &enginetest.Modules{}
		n := &node{t: t, mods: mods, runner: guest.New(guest.Config{Host: hostfuncs.New(), InterpretAbove: 1})}
		n.eng = engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: mods, Runner: n.runner,
			Owner: engine.Origin{1}, Quota: engine.Quota{Memory: c.quota}})
		t.Cleanup(func() { closeNode(t, n) })
		ended := make(downs, 1)
		from := engine.PID{Node: engine.NodeID{2}, Incarnation: 1, Counter: 1}
		session, err := n.eng.SessionUp(engine.Peer{Node: from.Node, Incarnation: 1, GaveMinter: 4, Origin: engine.Origin{2}, Roles: engine.OpenRoles}, ended)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(5) {
			module := mods.Add(canary(t, pages, 600_000+8*int(i))) // one that was never seen
			err := session.Deliver(&engine.Signal{Kind: engine.KindSpawn, From: from, To: engine.PID{Node: engine.NodeID{1}, Incarnation: 1, Minter: 4, Counter: i + 1},
				Spec: &engine.Spec{
					Module: module, Entry: "run", Args: []string{strconv.Itoa(returns), "0", "1"},
					Origin: engine.Origin{2}, Parent: from, Leader: engine.Leader{PID: from}, Monitor: engine.Ref{Node: from.Node, Counter: i + 1}, NoInput: true,
				}})
			if err != nil {
				t.Fatal(err)
			}
			if got := <-ended; got.Word != c.want {
				t.Errorf("quota of %d, run %d: %+v", c.quota, i, got)
			}
		}
		session.Down(nil)
	}
}

// What only the stack of compiled code is deep enough for runs all the same.
func TestFirstRunDeep(t *testing.T) {
	n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), InterpretAbove: 1})
	r := n.start(fromHex(t, deepens), engine.Spec{Entry: "depth"})
	if got := r.end(t); got.Word != engine.Normal || r.out.String() != "5000\n" {
		t.Errorf("%+v, %q", got, r.out.String())
	}
}

// Many processes of one new module wait for one compilation, and each has an
// instance of its own.
func TestManyAtOnce(t *testing.T) {
	n := newNode(t, t.TempDir())
	hello := example(t, "hello-c")
	var runs []*run
	for range 50 {
		runs = append(runs, n.start(hello, engine.Spec{}))
	}
	for _, r := range runs {
		if got := r.end(t); got.Word != engine.Normal || r.out.String() != "hello from wnode, world\n" {
			t.Errorf("got %+v, %q", got, r.out.String())
		}
	}
}

// What is compiled is found on disk by the next runner, two of which can use one
// directory; what cannot be used as a directory is done without.
func TestCacheDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "cache"), file} {
		for range 2 {
			n, other := newNode(t, dir), newNode(t, dir)
			a, b := n.start(example(t, "hello-c"), engine.Spec{}), other.start(example(t, "hello-c"), engine.Spec{})
			if got := []engine.Word{a.end(t).Word, b.end(t).Word}; got[0] != engine.Normal || got[1] != engine.Normal {
				t.Fatalf("got %+v", got)
			}
			closeNode(t, n)
			closeNode(t, other)
		}
	}
}

// A runner can be closed before it ran anything, and runs nothing afterwards.
func TestClosed(t *testing.T) {
	n := newNode(t, "")
	for range 2 {
		if err := n.runner.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.start(example(t, "hello-c"), engine.Spec{}).end(t); got.Word != engine.SystemLimit {
		t.Errorf("got %+v", got)
	}
}

// BenchmarkSpawn is a small C guest from spawn to Down, with its line of output.
func BenchmarkSpawn(b *testing.B) {
	n := newNode(b, "")
	hello := example(b, "hello-c")
	for b.Loop() {
		if got := n.start(hello, engine.Spec{}).end(b); got.Word != engine.Normal {
			b.Fatal(got)
		}
	}
}

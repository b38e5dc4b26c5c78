package guest_test

import (
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	. "github.com/wnode-project/wnode/engine/guest/guesttest"
)

// Imports of reactor, by the numbers of the functions.
const (
	fnRandom = iota
	fnWrite
	fnEnviron
	fnFlags
	fnFdstat
	fnPoll
	fnExit
	fnFirst // of the module's own
)

// reactor returns a library. Its _initialize runs init and then counts to 1000;
// "get" adds one to what that left in memory and in a global, and returns the
// sum; "peek" returns what is at 0x100, and "flags" what standard output is.
func reactor(init []byte, more ...Func) []byte {
	wasi := func(name string, params ...byte) Import {
		return Import{Module: "wasi_snapshot_preview1", Name: name, Params: params, Results: []byte{I32}}
	}
	exit := wasi("proc_exit", I32)
	exit.Results = nil
	one := func(at int32) []byte { // memory[at]++
		return Code(I32Const(at), I32Const(at), 0x28, 2, 0, I32Const(1), 0x6a, 0x36, 2, 0)
	}
	m := Module{
		Imports: []Import{
			wasi("random_get", I32, I32), wasi("fd_write", I32, I32, I32, I32), wasi("environ_sizes_get", I32, I32),
			wasi("fd_fdstat_set_flags", I32, I32), wasi("fd_fdstat_get", I32, I32), wasi("poll_oneoff", I32, I32, I32, I32), exit,
		},
		Memory:  2,
		Globals: []int64{5},
		Data:    []byte("\x08\x00\x00\x00\x01\x00\x00\x00i"), // an iovec, and what it says
		Funcs: append([]Func{
			{Export: "_initialize", Code: Code(init,
				0x03, 0x40, one(0x10000), I32Const(0x10000), 0x28, 2, 0, I32Const(1000), 0x49, 0x0d, 0, 0x0b,
				0x23, 0, I64Const(2, nil), 0x7c, 0x24, 0)},
			{Export: "get", Results: []byte{I64}, Code: Code(one(0x10000),
				0x23, 0, I64Const(1, nil), 0x7c, 0x24, 0, 0x23, 0, I32Const(0x10000), 0x28, 2, 0, 0xad, 0x7c)},
			{Export: "peek", Results: []byte{I64}, Code: Code(I32Const(0x100), 0x29, 3, 0)},
			{Export: "flags", Results: []byte{I64}, Code: Code(I32Const(1), I32Const(0x200), 0x10, fnFdstat, 0x1a, I32Const(0x200), 0x29, 3, 0)},
		}, more...),
	}
	return m.Bytes()
}

// do calls an export of a module and returns what it prints and how it ended.
func (n *node) do(module []byte, entry string, change func(*engine.Spec)) (string, *engine.Signal) {
	n.t.Helper()
	spec := engine.Spec{Entry: entry}
	if change != nil {
		change(&spec)
	}
	r := n.start(module, spec)
	r.end(n.t)
	return r.out.String(), r.down
}

func fresh(s *engine.Spec) { s.Fresh = true }

var (
	readRandom = Code(I32Const(0x100), I32Const(8), 0x10, fnRandom, 0x1a)
	readEnv    = Code(I32Const(0x200), I32Const(0x204), 0x10, fnEnviron, 0x1a)
	say        = Code(I32Const(1), I32Const(0), I32Const(1), I32Const(0x300), 0x10, fnWrite, 0x1a)
	grow       = Code(I32Const(30), 0x40, 0, 0x1a)
	grown      = Code(I32Const(0x1a0000), I32Const(7), 0x36, 2, 0)
	reseeds    = []Func{
		{Export: "wnode_restored_buffer", Results: []byte{I32}, Code: I32Const(0x100)},
		{Export: "wnode_restored", Params: []byte{I32, I32}, Code: Code(I32Const(0x110), I32Const(0x100), 0x28, 2, 0, 0x36, 2, 0)},
	}
)

// A process that begins with a snapshot prints, is charged, and takes as much as
// one that runs _initialize; and there is a snapshot where there should be.
func TestSnapshot(t *testing.T) {
	env := func(s *engine.Spec) { s.Env = []string{"A=b"} }
	for _, c := range []struct {
		name   string
		init   []byte
		change func(*engine.Spec)
		more   []Func
		taken  int
	}{
		{"nothing", nil, nil, nil, 1},
		{"grows", Code(grow, grown), nil, nil, 1},
		{"too large", Code(I32Const(600), 0x40, 0, 0x1a), nil, nil, 0},
		{"reads the environment", readEnv, nil, nil, 1},
		{"another environment", readEnv, env, nil, 0},
		{"another environment, not read", nil, env, nil, 0},
		{"sets flags of a stream", Code(I32Const(1), I32Const(4), 0x10, fnFlags, 0x1a), nil, nil, 1},
		{"reads random bytes", readRandom, nil, nil, 0},
		{"reads random bytes and reseeds", readRandom, nil, reseeds, 1},
		{"writes", say, nil, nil, 0},
		{"polls", Code(I32Const(0), I32Const(0), I32Const(0), I32Const(0), 0x10, fnPoll, 0x1a), nil, nil, 0},
		{"exits", Code(I32Const(3), 0x10, fnExit), nil, nil, 0},
		{"traps", Code(0x00), nil, nil, 0},
		{"with a seed", nil, func(s *engine.Spec) { s.Seed = 7 }, nil, 0},
		{"with a clock", nil, func(s *engine.Spec) { s.Clock.Kind = engine.ClockFixed }, nil, 0},
		{"with much stack", nil, func(s *engine.Spec) { s.Limits.Stack = 8 << 20 }, nil, 0},
		{"with little stack", nil, func(s *engine.Spec) { s.Limits.Stack = 1 << 20 }, nil, 0},
		{"a wrong wnode_restored", nil, nil, reseeds[1:], 0},
		{"a buffer outside of memory", nil, nil, []Func{{Export: "wnode_restored_buffer", Results: []byte{I32}, Code: I32Const(-8)}, reseeds[1]}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, "")
			module := reactor(c.init, c.more...)
			for _, entry := range []string{"get", "flags", "get", "get"} {
				out, got := n.do(module, entry, c.change)
				wantOut, want := n.do(module, entry, func(s *engine.Spec) {
					if c.change != nil {
						c.change(s)
					}
					s.Fresh = true
				})
				if out != wantOut || got.Reason != want.Reason || got.Report.Fuel != want.Report.Fuel || got.Report.MaxMemory != want.Report.MaxMemory {
					t.Errorf("%s: %q, %v, %d reductions, %d bytes; want %q, %v, %d, %d", entry, out, got.Reason, got.Report.Fuel, got.Report.MaxMemory,
						wantOut, want.Reason, want.Report.Fuel, want.Report.MaxMemory)
				}
				if entry == "get" && c.name == "nothing" && out != "1009\n" {
					t.Errorf("get is %q", out)
				}
			}
			if got := n.runner.Snapshots(); got != c.taken {
				t.Errorf("%d snapshots, want %d", got, c.taken)
			}
		})
	}
}

// Who shares a snapshot: processes of one origin that would see the same, and
// none that would have another environment or directories.
func TestSnapshotShared(t *testing.T) {
	n := newNode(t, "")
	// Random bytes tell whose _initialize it was: 8 more than those reseeded.
	module := reactor(Code(I32Const(0x120), I32Const(8), 0x10, fnRandom, 0x1a, readEnv),
		append(reseeds, Func{Export: "mark", Results: []byte{I64}, Code: Code(I32Const(0x120), 0x29, 3, 0)})...)
	mark := func(change func(*engine.Spec)) string {
		out, down := n.do(module, "mark", change)
		if down.Reason.Word != engine.Normal {
			t.Fatal(down.Reason)
		}
		return out
	}
	first := mark(nil)
	for _, c := range []struct {
		name   string
		change func(*engine.Spec)
		same   bool
	}{
		{"the same again", nil, true},
		{"fresh", fresh, false},
		{"an environment", func(s *engine.Spec) { s.Env = []string{"A=b"} }, false},
		{"a directory, not looked at", func(s *engine.Spec) { s.Mounts = []engine.Mount{{Guest: "/a"}} }, true},
		{"a terminal", func(s *engine.Spec) { s.Terminal.Stdout = true }, false},
		{"a seed", func(s *engine.Spec) { s.Seed = 1 }, false},
		{"arguments would be", func(s *engine.Spec) { s.Limits.Wall = time.Minute }, true},
		{"less memory than it has", func(s *engine.Spec) { s.Limits.Memory = 2 << 16 }, true},
		{"the same at last", nil, true},
	} {
		if got := mark(c.change); (got == first) != c.same {
			t.Errorf("%s: the same snapshot is %v", c.name, got == first)
		}
	}
	seen := map[string]bool{}
	for range 10 {
		out, _ := n.do(module, "peek", nil)
		if seen[out] {
			t.Errorf("wnode_restored got %q twice", out)
		}
		seen[out] = true
	}
	seeded := func(s *engine.Spec) { s.Seed = 9 }
	a, _ := n.do(module, "peek", seeded)
	if b, _ := n.do(module, "peek", seeded); a != b || seen[a] {
		t.Errorf("with a seed wnode_restored gets %q and %q", a, b)
	}
}

// Two origins never share a snapshot, nor an instance that began with one.
func TestSnapshotOrigins(t *testing.T) {
	n := newNode(t, "")
	other := &node{t: t, runner: n.runner, mods: n.mods}
	other.eng = engine.New(engine.Config{Node: engine.NodeID{2}, Incarnation: 1, Owner: engine.Origin{1}, Modules: n.mods, Runner: n.runner})
	t.Cleanup(other.eng.Close)
	module := reactor(Code(I32Const(0x120), I32Const(8), 0x10, fnRandom, 0x1a),
		append(reseeds, Func{Export: "mark", Results: []byte{I64}, Code: Code(I32Const(0x120), 0x29, 3, 0)})...)
	var marks [2]string
	for round := range 3 {
		for i, n := range []*node{n, other} {
			out, _ := n.do(module, "mark", nil)
			if round > 0 && out != marks[i] || out == marks[1-i] {
				t.Errorf("round %d: origin %d sees %q, they saw %q", round, i, out, marks)
			}
			marks[i] = out
		}
	}
	if n.runner.Snapshots() != 2 {
		t.Errorf("%d snapshots", n.runner.Snapshots())
	}
}

// Nothing that a process wrote is in what the next one begins with.
func TestSnapshotClean(t *testing.T) {
	n := newNode(t, "")
	module := reactor(Code(grow, grown))
	for range 20 {
		if out, down := n.do(module, "get", nil); out != "1009\n" {
			t.Fatalf("get is %q, %v", out, down.Reason)
		}
	}
	if n.runner.Snapshots() != 1 {
		t.Error("there is no snapshot")
	}
}

// A limit of reductions ends a process where it would without a snapshot: in
// _initialize, or behind it, to the last one.
func TestSnapshotFuel(t *testing.T) {
	n := newNode(t, "")
	module := reactor(nil)
	_, all := n.do(module, "get", nil)
	_, init := n.do(module, "peek", nil)
	for _, limit := range []uint64{1, 100, init.Report.Fuel - 1, init.Report.Fuel, all.Report.Fuel - 1, all.Report.Fuel, all.Report.Fuel + 1} {
		for _, entry := range []string{"get", "peek"} {
			limited := func(s *engine.Spec) { s.Limits.Fuel = limit }
			_, got := n.do(module, entry, limited)
			_, want := n.do(module, entry, func(s *engine.Spec) { limited(s); s.Fresh = true })
			if got.Reason != want.Reason || got.Report.Fuel != want.Report.Fuel {
				t.Errorf("%s with %d: %v after %d, want %v after %d", entry, limit, got.Reason, got.Report.Fuel, want.Reason, want.Report.Fuel)
			}
		}
	}
	if n.runner.Snapshots() != 1 {
		t.Error("there is no snapshot")
	}
}

// A process that is stopped in its _initialize leaves no snapshot, and the next
// one can.
func TestSnapshotKilled(t *testing.T) {
	n := newNode(t, "")
	forever := reactor(Code(0x03, 0x40, 0x0c, 0, 0x0b))
	for _, c := range []struct {
		limits engine.Limits
		want   engine.Word
	}{
		{engine.Limits{Wall: 20 * time.Millisecond}, engine.Timeout},
		{engine.Limits{Fuel: 100_000}, engine.Fuel},
	} {
		_, down := n.do(forever, "get", func(s *engine.Spec) { s.Limits = c.limits })
		if down.Reason.Word != c.want {
			t.Errorf("ended with %v, want %v", down.Reason, c.want)
		}
	}
	large := reactor(grow)
	for _, c := range []struct {
		memory uint64
		want   engine.Word
		taken  int
	}{{16 << 16, engine.Memory, 0}, {64 << 16, engine.Normal, 1}, {16 << 16, engine.Memory, 1}} {
		_, down := n.do(large, "get", func(s *engine.Spec) { s.Limits.Memory = c.memory })
		if down.Reason.Word != c.want || n.runner.Snapshots() != c.taken {
			t.Errorf("with %d bytes: %v, %d snapshots", c.memory, down.Reason, n.runner.Snapshots())
		}
	}
	if idle, _ := n.runner.Idle(); idle != 1 {
		t.Errorf("%d instances are kept", idle)
	}
}

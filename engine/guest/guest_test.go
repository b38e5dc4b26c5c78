package guest_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/hostfuncs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Modules by hand, in hex, with their text before them.
const (
	// (module (memory (export "memory") 1) (func (export "_start") (loop (drop (memory.grow (i32.const 16))) (br 0))))
	grows = "0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a0e010c000340411040001a0c000b0b"
	// (module (func $f (export "_start") (call $f)))
	recurses = "0061736d0100000001040160000003020100070a01065f737461727400000a0601040010000b"
	// (module (global $g (mut i32) (i32.const 0)) (func (export "_initialize") (global.set $g (i32.const 40)))
	//   (func (export "get") (result i32) (i32.add (global.get $g) (i32.const 2))))
	initializes = "0061736d010000000108026000006000017f03030200010606017f0141000b0715020b5f696e697469616c697a6500000367657400010a10020600412824000b0700230041026a0b"
	// (module (func $s unreachable) (start $s) (func (export "_start")))
	startTraps = "0061736d010000000104016000000303020000070a01065f737461727400010801000a08020300000b02000b"
	// (module (func (export "two") (result i32 i64) (i32.const -1) (i64.const 7)))
	twoResults = "0061736d010000000106016000027f7e030201000707010374776f00000a08010600417f42070b"
	// (module (import "wasi_snapshot_preview1" "fd_write" (func (param i64))) (func (export "_start")))
	wrongImport = "0061736d0100000001080260017e0060000002230116776173695f736e617073686f745f70726576696577310866645f7772697465000003020101070a01065f737461727400010a040102000b"
	// (module (memory 2000) (func (export "_start")))
	muchMemory = "0061736d010000000104016000000302010005040100d00f070a01065f737461727400000a040102000b"
	// (module (func (export "_start") (param i32)))
	startTakes = "0061736d0100000001050160017f0003020100070a01065f737461727400000a040102000b"
	// A code section whose body is cut: it parses, and does not compile.
	badCode = "0061736d0100000001040160000003020100070a01065f737461727400000a05010300ff0b"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// example returns a committed example guest.
func example(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "wasm-examples", name, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cidOf(t testing.TB, b []byte) cid.Cid {
	t.Helper()
	h, err := multihash.Sum(b, multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(cid.Raw, h)
}

// modules holds what the node can run.
type modules struct {
	mu   sync.Mutex
	byID map[cid.Cid][]byte
}

func (m *modules) Resolve(string) (cid.Cid, error) {
	return cid.Undef, engine.Reason{Word: engine.ModuleNotFound}
}

func (m *modules) Open(_ context.Context, c cid.Cid, _ uint64, _ engine.NodeID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[c], nil
}

// node runs modules, and is the leader of what it runs.
type node struct {
	t      testing.TB
	eng    *engine.Engine
	runner *guest.Runner
	mods   *modules
}

func newNode(t testing.TB, cacheDir string) *node {
	t.Helper()
	n := &node{t: t, runner: guest.New(guest.Config{Host: hostfuncs.New(), CacheDir: cacheDir}), mods: &modules{byID: map[cid.Cid][]byte{}}}
	n.eng = engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: n.mods, Runner: n.runner})
	t.Cleanup(func() {
		n.eng.Close()
		if err := n.runner.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// run is a process under way.
type run struct {
	leader *engine.Native
	pid    engine.PID
	out    bytes.Buffer // complete when done is closed
	down   *engine.Signal
	done   chan struct{}
	began  chan struct{} // closed at the first output
}

func (n *node) start(module []byte, spec engine.Spec) *run {
	n.t.Helper()
	spec.Module = engine.Module{CID: cidOf(n.t, module), Name: "test"}
	n.mods.mu.Lock()
	n.mods.byID[spec.Module.CID] = module
	n.mods.mu.Unlock()
	r := &run{done: make(chan struct{}), began: make(chan struct{})}
	spawned := make(chan struct{})
	begin := sync.OnceFunc(func() { close(r.began) })
	r.leader = n.eng.Native(func(s *engine.Signal) {
		<-spawned
		switch s.Kind {
		case engine.KindOutput:
			r.out.Write(s.Data)
			r.leader.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
			begin()
		case engine.KindDown:
			r.down = s
			close(r.done)
		}
	})
	spec.NoInput = true
	spec.Monitor = n.eng.MakeRef()
	spec.Leader.PID = r.leader.PID()
	r.pid = n.eng.Spawn(r.leader, n.eng.Node(), &spec)
	close(spawned)
	return r
}

func (r *run) end(t testing.TB) engine.Reason {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the process does not end")
	}
	return r.down.Reason
}

func TestReasons(t *testing.T) {
	n := newNode(t, "")
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
		{name: "_initialize comes first", module: fromHex(t, initializes), spec: engine.Spec{Entry: "get"}, want: engine.Normal, out: "42\n"},
		{name: "not wasm", module: []byte("hello"), want: engine.ModuleInvalid, detail: "not WebAssembly"},
		{name: "import with another signature", module: fromHex(t, wrongImport), want: engine.ModuleInvalid, detail: "fd_write"},
		{name: "does not compile", module: fromHex(t, badCode), want: engine.ModuleInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := n.start(c.module, c.spec)
			got := r.end(t)
			if got.Word != c.want || got.Code != c.code || !strings.Contains(got.Detail, c.detail) || r.out.String() != c.out {
				t.Errorf("got %+v, output %q", got, r.out.String())
			}
		})
	}
}

// A guest in a loop ends soon after it is told to, with the reason it was told.
func TestKill(t *testing.T) {
	n := newNode(t, "")
	r := n.start(example(t, "yes"), engine.Spec{Args: []string{"1000000000000"}})
	<-r.began
	r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: "enough"}})
	if got := r.end(t); got != (engine.Reason{Word: engine.Killed, Detail: "enough"}) {
		t.Errorf("got %+v", got)
	}
	if r.down.Report.Run == 0 || r.down.Report.MaxMemory == 0 {
		t.Errorf("report %+v", r.down.Report)
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

// What is compiled is found on disk by the next runner, and a cache that cannot
// be used is said to be.
func TestCacheDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		n := newNode(t, dir)
		if got := n.start(example(t, "hello-c"), engine.Spec{}).end(t); got.Word != engine.Normal {
			t.Fatalf("got %+v", got)
		}
	}
	var files int
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files in the cache, %v", files, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := newNode(t, file).start(example(t, "hello-c"), engine.Spec{}).end(t)
	if got.Word != engine.SystemLimit || !strings.Contains(got.Detail, "compile cache") {
		t.Errorf("got %+v", got)
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

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		module []byte
		limit  uint64
		want   engine.Word // "" passes
	}{
		{"command", example(t, "hello-c"), 0, ""},
		{"library", example(t, "kate"), 0, ""},
		{"memory at the limit", fromHex(t, muchMemory), 125 << 20, ""},
		{"memory above the limit", fromHex(t, muchMemory), 125<<20 - 1, engine.Memory},
		{"memory above the default", fromHex(t, muchMemory), 0, engine.Memory},
		{"import", fromHex(t, wrongImport), 0, engine.ModuleInvalid},
		{"empty", nil, 0, engine.ModuleInvalid},
	} {
		err := guest.Check(c.module, c.limit)
		if c.want == "" && err != nil || c.want != "" && !errors.Is(err, engine.Reason{Word: c.want}) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", c.name, err)
		}
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

package guest_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/hostfuncs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Modules by hand, in hex, with their text before them.
const (
	// (module (memory (export "memory") 1) (func (export "_start") (loop (drop (memory.grow (i32.const 16))) (br 0))))
	grows = "0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a0e010c000340411040001a0c000b0b"
	// (module (table 1 funcref) (table 2 funcref) (func (export "most") (result i32)
	//   (loop (br_if 0 (i32.ne (table.grow 0 (ref.null func) (i32.const 30000)) (i32.const -1)))) (table.size 0)))
	growsTable = "0061736d010000000105016000017f03020100040702700001700002070801046d6f737400000a180116000340d07041b0ea01fc0f00417f470d000bfc10000b"
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
	// (module (import "env" "x" (func (param i32) (result i64))) (func (export "_start")))
	foreignImport = "0061736d0100000001090260017f017e60000002090103656e760178000003020101070a01065f737461727400010a040102000b"
	// (module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
	//   (memory 1) (data (i32.const 0) "\08\00\00\00\01\00\00\00x")
	//   (func (export "_start") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))) (loop (br 0))))
	writesThenSpins = "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f70726576696577310866645f77726974650000030201010503010001070a01065f737461727400010a14011200410141004101410c10001a03400c000b0b0b0f010041000b09080000000100000078"
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

// node runs modules, and is the leader of what it runs.
type node struct {
	t      testing.TB
	eng    *engine.Engine
	runner *guest.Runner
	mods   *enginetest.Modules
}

func newNode(t testing.TB, cacheDir string) *node {
	t.Helper()
	return newNodeOf(t, guest.Config{Host: hostfuncs.New(), CacheDir: cacheDir})
}

func newNodeOf(t testing.TB, c guest.Config) *node {
	t.Helper()
	n := &node{t: t, runner: guest.New(c), mods: &enginetest.Modules{}}
	n.eng = engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: n.mods, Runner: n.runner})
	t.Cleanup(func() { closeNode(t, n) })
	return n
}

// closeNode ends what runs and gives up what is compiled. It can be called again.
func closeNode(t testing.TB, n *node) {
	t.Helper()
	n.eng.Close()
	if err := n.runner.Close(context.Background()); err != nil {
		t.Error(err)
	}
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
	spec.NoInput = true
	return n.startInput(module, spec)
}

// startInput leaves stdin open, if the spec does.
func (n *node) startInput(module []byte, spec engine.Spec) *run {
	n.t.Helper()
	spec.Module = n.mods.Add(module)
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
	spec.Monitor = n.eng.MakeRef()
	spec.Leader.PID = r.leader.PID()
	r.pid = r.leader.Spawn(n.eng.Node(), &spec)
	close(spawned)
	return r
}

func (r *run) end(t testing.TB) engine.Reason {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(time.Minute):
		t.Fatal("the process does not end")
	}
	return r.down.Reason
}

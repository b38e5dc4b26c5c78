package bench

import (
	"context"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// BenchmarkSpawn is the life of a process, from Engine.Spawn to its Down, with
// all its output: one after the other, and 64 under way at once. Run it with
// -cpu 1 for the figures of one core.
func BenchmarkSpawn(b *testing.B) {
	for _, g := range []struct {
		name   string
		module func(testing.TB) []byte
	}{
		{"tiny", func(testing.TB) []byte { return spawnTiny }},
		{"tiny-memory", func(testing.TB) []byte { return spawnTinyMemory }},
		{"c", func(tb testing.TB) []byte { return read(tb, "../../wasm-examples/hello-c/hello-c.wasm") }},
		{"go", func(tb testing.TB) []byte { return guesttest.BuildGo(tb, "../../wasm-examples/hello") }},
	} {
		for _, flight := range []struct {
			name string
			n    int
		}{{"one", 1}, {"64", 64}} {
			b.Run(g.name+"/"+flight.name, func(b *testing.B) {
				n := newSpawnNode(b, g.module(b))
				n.run(b, 4*flight.n, flight.n) // compiled, and as many instances as there will be
				b.ReportAllocs()
				b.ResetTimer()
				n.run(b, b.N, flight.n)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spawns/s")
			})
		}
	}
}

// (module (func (export "_start")))
var spawnTiny = []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x0a\x01\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b")

// (module (memory 1) (func (export "_start") (i32.store (i32.const 0) (i32.const 1))))
var spawnTinyMemory = []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01\x07\x0a\x01\x06_start\x00\x00\x0a\x0b\x01\x09\x00\x41\x00\x41\x01\x36\x02\x00\x0b")

// spawnNode is an engine that runs one module, and the leader of what it runs.
type spawnNode struct {
	eng    *engine.Engine
	leader *engine.Native
	module engine.Module
	bytes  []byte
	down   chan *engine.Signal
}

func newSpawnNode(tb testing.TB, module []byte) *spawnNode {
	tb.Helper()
	n := &spawnNode{
		module: enginetest.ModuleOf(module),
		bytes:  module,
		down:   make(chan *engine.Signal, 1024),
	}
	// Compiled before the first process: what is measured is not how a module is
	// compiled behind a run that began in the interpreter.
	runner := guest.New(guest.Config{Host: hostfuncs.New(), InterpretAbove: -1})
	n.eng = engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: n, Runner: runner})
	n.leader = n.eng.Native(func(s *engine.Signal) {
		switch s.Kind {
		case engine.KindOutput:
			n.leader.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
		case engine.KindDown:
			n.down <- s
		}
	})
	tb.Cleanup(func() {
		n.eng.Close()
		if err := runner.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return n
}

// Resolve implements engine.Modules.
func (n *spawnNode) Resolve(string) (cid.Cid, error) { return n.module.CID, nil }

// Has implements engine.Modules.
func (n *spawnNode) Has(c cid.Cid) bool { return c == n.module.CID }

// Open implements engine.Modules.
func (n *spawnNode) Open(context.Context, cid.Cid, uint64, engine.NodeID) ([]byte, error) {
	return n.bytes, nil
}

// run spawns processes, flight at once, and waits for the Down of all.
func (n *spawnNode) run(tb testing.TB, total, flight int) {
	tb.Helper()
	for begun, ended := 0, 0; ended < total; {
		if begun < total && begun-ended < flight {
			spec := &engine.Spec{Module: n.module, NoInput: true, Monitor: n.eng.MakeRef()}
			spec.Leader.PID = n.leader.PID()
			n.leader.Spawn(n.eng.Node(), spec)
			begun++
			continue
		}
		if s := <-n.down; s.Reason.Word != engine.Normal {
			tb.Fatal(s.Reason)
		}
		ended++
	}
}

package bench

import (
	"context"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// one has one module.
type one []byte

func (one) Resolve(string) (cid.Cid, error) {
	return cid.Undef, engine.Reason{Word: engine.ModuleNotFound}
}

func (m one) Has(cid.Cid) bool                                                     { return true }
func (m one) Open(context.Context, cid.Cid, uint64, engine.NodeID) ([]byte, error) { return m, nil }

// cold runs a module on a node that has compiled nothing yet, and returns how long
// its first output and its end took.
func cold(b *testing.B, c guest.Config, module []byte, spec engine.Spec) (first, end time.Duration) {
	b.Helper()
	c.Host = hostfuncs.New()
	r := guest.New(c)
	e := engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1, Modules: one(module), Runner: r})
	defer func() {
		e.Close()
		if err := r.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	spec.Module = enginetest.ModuleOf(module)
	spec.NoInput = true
	spec.Monitor = e.MakeRef()
	outputs, downs := make(chan struct{}, 1), make(chan *engine.Signal, 1)
	var leader *engine.Native
	spawned := make(chan struct{})
	leader = e.Native(func(s *engine.Signal) {
		<-spawned
		switch s.Kind {
		case engine.KindOutput:
			leader.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
			select {
			case outputs <- struct{}{}:
			default:
			}
		case engine.KindDown:
			downs <- s
		}
	})
	spec.Leader.PID = leader.PID()
	begin := time.Now()
	leader.Spawn(e.Node(), &spec)
	close(spawned)
	<-outputs
	first = time.Since(begin)
	if d := <-downs; d.Reason.Word != engine.Normal {
		b.Fatal(d.Reason)
	}
	return first, time.Since(begin)
}

// work writes a line, computes, much longer when it is
// interpreted than when it is compiled, and writes another:
//
//	(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
//	 (memory (export "memory") 1) (data (i32.const 0) "\08\00\00\00\02\00\00\00x\n")
//	 (func (export "_start") (local $i i32) (local $h i32)
//	  (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
//	  (loop
//	   (local.set $h (i32.xor (i32.mul (local.get $h) (i32.const 16777619)) (local.get $i)))
//	   (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000000))))
//	  (i32.store8 (i32.const 8) (i32.add (i32.const 97) (i32.rem_u (local.get $h) (i32.const 26))))
//	  (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
const work = "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f70726576696577310866645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400010a49014701027f410141004101410c10001a0340200141938380086c2000732101200041016a22004180dac409490d000b410841e1002001411a706a3a0000410141004101410c10001a0b0b10010041000b0a0800000002000000780a"

// BenchmarkMoves is a long computation of a module that was never seen, which
// calls nothing while it computes: begun in the interpreter, compiled, and in
// wazero's interpreter alone, which does not even count.
func BenchmarkMoves(b *testing.B) {
	rounds := map[string]string{"20 million": "80dac409", "120 million": "809c9c39"} // in LEB128
	module, err := hex.DecodeString(strings.Replace(work, rounds["20 million"], rounds["120 million"], 1))
	if err != nil {
		b.Fatal(err)
	}
	for _, tier := range []struct {
		name  string
		above time.Duration
	}{{"interpreter first", 1}, {"compiler", -1}} {
		b.Run(tier.name, func(b *testing.B) {
			for b.Loop() {
				cold(b, guest.Config{InterpretAbove: tier.above}, module, engine.Spec{})
			}
		})
	}
	b.Run("interpreter only", func(b *testing.B) {
		ctx := context.Background()
		for b.Loop() {
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
			if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
				b.Fatal(err)
			}
			if _, err := rt.Instantiate(ctx, module); err != nil {
				b.Fatal(err)
			}
			if err := rt.Close(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCold is a module that was never seen, from its bytes to its first
// output (first-ms) and its end (end-ms): begun in the interpreter, compiled
// before, and from the cache on disk. What compiles on in the background after a
// run has ended is not in the figures.
func BenchmarkCold(b *testing.B) {
	computes, err := hex.DecodeString(work)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range []struct {
		name   string
		module []byte
		args   []string
	}{
		{"Go", guesttest.BuildGo(b, "../../wasm-examples/hello", "-ldflags="), nil},
		{"C", read(b, "../../wasm-examples/hello-c/hello-c.wasm"), nil},
		{"work", computes, nil},
		{"C_a_million_lines", read(b, "../../wasm-examples/yes/yes.wasm"), []string{"1000000"}},
	} {
		for _, tier := range []struct {
			name string
			cfg  guest.Config
		}{
			{"interpreter_first", guest.Config{InterpretAbove: 1}},
			{"compiler", guest.Config{InterpretAbove: -1}},
			{"disk", guest.Config{CacheDir: filepath.Join(b.TempDir(), "cache")}},
		} {
			b.Run(m.name+"/"+tier.name, func(b *testing.B) {
				spec := engine.Spec{Args: m.args}
				if tier.cfg.CacheDir != "" {
					cold(b, tier.cfg, m.module, spec)
				}
				var first, end time.Duration
				for range b.N {
					f, e := cold(b, tier.cfg, m.module, spec)
					first, end = first+f, end+e
				}
				b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "first-ms")
				b.ReportMetric(float64(end.Microseconds())/1000/float64(b.N), "end-ms")
			})
		}
	}
}

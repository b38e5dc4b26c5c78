package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// libraryStarts are the ways in which a process of a library begins.
var libraryStarts = []struct {
	name  string
	fresh bool
}{{"fresh", true}, {"snapshot", false}}

// BenchmarkLibrary is the life of a process that calls an export of a library
// written in Go, from Engine.Spawn to its Down with the output, where instances
// are used again.
func BenchmarkLibrary(b *testing.B) {
	module := libraryGo(b)
	for _, c := range libraryStarts {
		b.Run(c.name, func(b *testing.B) {
			n := newSpawnNode(b, module)
			spec := engine.Spec{Entry: "sum", Args: []string{"2"}, Fresh: c.fresh}
			one := func() {
				spec := spec
				n.spawn(n.leader, &spec)
				if s := <-n.down; s.Reason.Word != engine.Normal {
					b.Fatal(s.Reason)
				}
			}
			one() // compiled, and the snapshot taken
			one()
			b.ResetTimer()
			for b.Loop() {
				one()
			}
		})
	}
}

// BenchmarkLibraryNew is how long a process of a library written in Go takes in
// an instance that is new, from Engine.Spawn until its export waits for input,
// and how much memory of the node it has then.
func BenchmarkLibraryNew(b *testing.B) {
	module := libraryGo(b)
	for _, c := range libraryStarts {
		b.Run(c.name, func(b *testing.B) {
			const count = 100
			for b.Loop() {
				n := newSpawnNode(b, module)
				spec := engine.Spec{Entry: "sum", Args: []string{"2"}, Fresh: c.fresh}
				n.spawn(n.leader, &spec)
				<-n.down
				reads := make(chan engine.PID, count)
				leader := n.eng.Native(func(s *engine.Signal) {
					switch s.Kind {
					case engine.KindInput:
						reads <- s.From
					case engine.KindDown:
						n.down <- s
					}
				})
				_, _, before := memoryUse(b)
				var pids []engine.PID
				var took time.Duration
				for range count {
					begin := time.Now()
					n.spawn(leader, &engine.Spec{Entry: "wait", Fresh: c.fresh})
					pids = append(pids, <-reads)
					took += time.Since(begin)
				}
				_, _, after := memoryUse(b)
				b.ReportMetric(float64(took.Microseconds())/count, "us/start")
				b.ReportMetric(float64(after-before)/count/1000, "rss-kB/process")
				for _, pid := range pids {
					leader.Send(pid, &engine.Signal{Kind: engine.KindInputData})
					if s := <-n.down; s.Reason.Word != engine.Normal {
						b.Fatal(s.Reason)
					}
				}
			}
		})
	}
}

// spawn starts a process of the node's module that a leader monitors.
func (n *spawnNode) spawn(leader *engine.Native, spec *engine.Spec) {
	spec.Module, spec.Monitor = n.module, n.eng.MakeRef()
	spec.Leader.PID = leader.PID()
	n.eng.Spawn(leader, n.eng.Node(), spec)
}

// libraryGo is the library in golib, built here.
func libraryGo(tb testing.TB) []byte {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "golib.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-buildmode=c-shared", "-o", file, "./golib")
	cmd.Env = append(cmd.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

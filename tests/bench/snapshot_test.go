package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/guesttest"
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
// an instance that is new, from Engine.Spawn until its export waits for input.
// It is killed then, so that none is used again.
func BenchmarkLibraryNew(b *testing.B) {
	module := libraryGo(b)
	for _, c := range libraryStarts {
		b.Run(c.name, func(b *testing.B) {
			n := newSpawnNode(b, module)
			leader, reads := n.waiting()
			end := func(pid engine.PID) {
				leader.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
				<-n.down
			}
			n.spawn(leader, &engine.Spec{Entry: "wait", Fresh: c.fresh})
			end(<-reads) // compiled, and the snapshot taken
			b.ResetTimer()
			for b.Loop() {
				n.spawn(leader, &engine.Spec{Entry: "wait", Fresh: c.fresh})
				pid := <-reads
				b.StopTimer()
				end(pid)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkLibraryMemory is the memory of the node for each of many processes
// of a library written in Go that wait for input: its share of what is resident.
func BenchmarkLibraryMemory(b *testing.B) {
	module := libraryGo(b)
	for _, c := range libraryStarts {
		b.Run(c.name, func(b *testing.B) {
			const count = 200
			for b.Loop() {
				n := newSpawnNode(b, module)
				leader, reads := n.waiting()
				var pids []engine.PID
				start := func() {
					n.spawn(leader, &engine.Spec{Entry: "wait", Fresh: c.fresh})
					pids = append(pids, <-reads)
				}
				start() // compiled, and the snapshot taken
				before := share(b)
				for range count {
					start()
				}
				b.ReportMetric(float64(share(b)-before)/count/1000, "kB/process")
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

// waiting returns a leader that tells which of its processes ask for input.
func (n *spawnNode) waiting() (*engine.Native, <-chan engine.PID) {
	reads := make(chan engine.PID, 1024)
	return n.eng.Native(func(s *engine.Signal) {
		switch s.Kind {
		case engine.KindInput:
			reads <- s.From
		case engine.KindDown:
			n.down <- s
		}
	}), reads
}

// share returns the resident memory of this program in bytes. A page that is
// mapped several times, as those of images are, counts once in all.
func share(b *testing.B) int64 {
	b.Helper()
	memoryUse(b)
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Skip("only Linux tells the share of a mapping")
	}
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb << 10
}

// spawn starts a process of the node's module that a leader monitors.
func (n *spawnNode) spawn(leader *engine.Native, spec *engine.Spec) {
	spec.Module, spec.Monitor = n.module, n.eng.MakeRef()
	spec.Leader.PID = leader.PID()
	leader.Spawn(n.eng.Node(), spec)
}

// libraryGo is the library in golib, built here.
func libraryGo(tb testing.TB) []byte { return guesttest.BuildGo(tb, "golib", "-buildmode=c-shared") }

package enginetest

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Cuts sends numbered messages both ways between processes of two nodes, whose connection
// is cut again and again. Each receiver sees the numbers rise, none twice, and
// misses some only where it was told of a lost connection. There are 20,000 messages, and a
// million with WNODE_SOAK.
func Cuts(t *testing.T, cluster func(t *testing.T, programs *Programs) Cluster) {
	const pairs = 4
	each := uint64(20_000 / (2 * pairs))
	if os.Getenv("WNODE_SOAK") != "" {
		each *= 50
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cl := cluster(t, &Programs{})
	alex, kate := cl.Start("alex", 1), cl.Start("kate", 1)
	if _, err := alex.Connect(t.Context(), "kate"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var came, gaps, cuts atomic.Uint64
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		r := rand.New(rand.NewPCG(seed, 0))
		for next := uint64(0); ; {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			if n := came.Load(); n >= next {
				cl.Cut(alex, kate)
				cuts.Add(1)
				next = n + r.Uint64N(pairs*each/20)
			}
		}
	})
	for _, way := range [][2]*engine.Engine{{alex, kate}, {kate, alex}} {
		for range pairs {
			ready := make(chan engine.PID)
			wg.Add(2)
			way[1].Go("receiver", func(p *engine.Process) engine.Reason {
				defer wg.Done()
				p.MonitorNodes(true)
				ready <- p.PID()
				down := true // of the connection, since the last message
				for last := uint64(0); last < each; {
					m, err := p.Receive(engine.Match{}, patience)
					switch {
					case m == nil:
						t.Errorf("nothing comes behind %d: %v", last, err)
						return engine.Reason{}
					case m.Kind == engine.MessageNodeDown:
						down = true
					case m.Kind == engine.MessageData:
						n := binary.LittleEndian.Uint64(m.Data)
						if n <= last || n > last+1 && !down {
							t.Errorf("%d comes behind %d; a connection was lost between: %v", n, last, down)
							return engine.Reason{}
						}
						gaps.Add(n - last - 1)
						last, down = n, false
						came.Add(1)
					}
				}
				return engine.Reason{Word: engine.Normal}
			})
			to := <-ready
			way[0].Go("sender", func(p *engine.Process) engine.Reason {
				defer wg.Done()
				for n := uint64(1); n < each; n++ {
					if err := p.Send(to, &engine.Message{Kind: engine.MessageData, Data: binary.LittleEndian.AppendUint64(nil, n)}); err != nil {
						t.Error(err)
					}
				}
				// The last one must arrive, however often it is sent.
				ref := p.Monitor(to)
				for {
					if err := p.Send(to, &engine.Message{Kind: engine.MessageData, Data: binary.LittleEndian.AppendUint64(nil, each)}); err != nil {
						t.Error(err)
					}
					m, err := p.Receive(engine.Match{Ref: ref}, 10*time.Millisecond)
					switch {
					case err != nil:
						t.Error(err)
						return engine.Reason{}
					case m == nil:
					case m.Reason.Word == engine.NoConnection:
						ref = p.Monitor(to)
					default:
						return engine.Reason{Word: engine.Normal}
					}
				}
			})
		}
	}
	wg.Wait()
	close(stop)
	cutter.Wait()
	t.Logf("%d of %d messages came, %d were lost, with %d cuts", came.Load(), 2*pairs*each, gaps.Load(), cuts.Load())
	if came.Load() < 2*pairs || cuts.Load() < 2 {
		t.Error("that is no proof")
	}
}

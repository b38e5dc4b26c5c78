package p2p

import (
	"context"
	"testing"

	"github.com/wnode-project/wnode/engine"
)

// benchPair is two nodes over TCP with a session.
func benchPair(b *testing.B) (alex, kate *testNode) {
	c := newCluster(b)
	kate = c.node("kate", 1, nil)
	alex = c.node("alex", 1, nil)
	if _, err := alex.Join(b.Context(), kate.Addrs()[0]); err != nil {
		b.Fatal(err)
	}
	return alex, kate
}

func BenchmarkRoundTrip(b *testing.B) {
	alex, kate := benchPair(b)
	kate.eng.Serve("ping", func(context.Context, engine.Caller, []byte) ([]byte, error) { return nil, nil })
	for b.Loop() {
		if _, err := alex.eng.Call(b.Context(), kate.eng.Node(), "ping", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOutput is what a guest can write to its leader on another node, when
// the guest itself takes no time.
func BenchmarkOutput(b *testing.B) {
	alex, kate := benchPair(b)
	chunk := make([]byte, engine.MaxChunk)
	m := alex.programs.Add("flood", func(p *engine.Process) engine.Reason {
		for range b.N {
			if _, err := p.Write(engine.Stdout, chunk); err != nil {
				return engine.Reasonf(engine.BadArg, "%v", err)
			}
		}
		return engine.Reason{Word: engine.Normal}
	})
	done := make(chan engine.Reason, 1)
	var l *engine.Native
	l = alex.eng.Native(func(s *engine.Signal) {
		switch s.Kind {
		case engine.KindOutput:
			l.Send(s.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
		case engine.KindDown:
			done <- s.Reason
		}
	})
	b.SetBytes(engine.MaxChunk)
	b.ResetTimer()
	l.Spawn(kate.eng.Node(), &engine.Spec{Module: m, Monitor: alex.eng.MakeRef(), Leader: engine.Leader{PID: l.PID()}})
	if r := <-done; r.Word != engine.Normal {
		b.Fatal(r)
	}
}

// BenchmarkMessages is what one process of Go sends to another on another node.
func BenchmarkMessages(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"64B", 64}, {"1MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			alex, kate := benchPair(b)
			sink := make(chan struct{})
			got := kate.eng.Go("sink", func(p *engine.Process) engine.Reason {
				for {
					m, err := p.Receive(engine.Match{}, -1)
					if err != nil {
						return engine.Reason{Word: engine.Shutdown}
					}
					if m.Tag == 1 {
						sink <- struct{}{}
					}
				}
			})
			start := make(chan int)
			alex.eng.Go("source", func(p *engine.Process) engine.Reason {
				data := make([]byte, c.size)
				for n := range start {
					for i := range n {
						m := &engine.Message{Kind: engine.MessageData, Data: data}
						if i == n-1 {
							m.Tag = 1
						}
						if err := p.Send(got, m); err != nil {
							return engine.Reason{Word: engine.Shutdown}
						}
					}
				}
				return engine.Reason{Word: engine.Normal}
			})
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			b.ResetTimer()
			start <- b.N
			<-sink
			b.StopTimer()
			close(start)
		})
	}
}

package engine

import (
	"runtime"
	"testing"
	"time"
)

// A message to another process and one back.
func BenchmarkPingPong(b *testing.B) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	defer e.Close()
	pong := e.Go("pong", func(p *Process) Reason {
		for {
			m, err := p.Receive(Match{}, -1)
			if err != nil {
				return Reason{Word: Normal}
			}
			p.Send(m.From, &Message{Kind: MessageData})
		}
	})
	done := make(chan struct{})
	b.ReportAllocs()
	e.Go("ping", func(p *Process) Reason {
		defer close(done)
		for b.Loop() {
			p.Send(pong, &Message{Kind: MessageData})
			p.Receive(Match{}, -1)
		}
		return Reason{Word: Normal}
	})
	<-done
}

// Messages of 64 bytes in one direction, as fast as the receiver takes them.
func BenchmarkOneWay64(b *testing.B) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	defer e.Close()
	done := make(chan struct{})
	to := e.Go("to", func(p *Process) Reason {
		defer close(done)
		for {
			m, err := p.Receive(Match{}, -1)
			if err != nil || m.Tag == 1 {
				return Reason{Word: Normal}
			}
		}
	})
	b.SetBytes(64)
	b.ReportAllocs()
	e.Go("from", func(p *Process) Reason {
		for range b.N {
			p.Send(to, &Message{Kind: MessageData, Data: make([]byte, 64)})
		}
		p.Send(to, &Message{Kind: MessageData, Tag: 1})
		return Reason{Word: Normal}
	})
	<-done
}

// What a process of Go takes that waits for a message, and one at rest as servers
// are: heap and stacks, bytes each.
func BenchmarkIdleProcess(b *testing.B) {
	for name, run := range map[string]func(*Process) Reason{
		"receiving": func(p *Process) Reason {
			p.Receive(Match{}, -1)
			return Reason{Word: Normal}
		},
		"resting": nil,
	} {
		b.Run(name, func(b *testing.B) {
			e := servers(func(p *Process) Server { return &handler{} })
			defer e.Close()
			const n = 100_000
			for b.Loop() {
				before := used()
				for range n {
					if run != nil {
						e.Go("idle", run)
					} else {
						server(e)
					}
				}
				for idle := 0; idle < n; time.Sleep(time.Millisecond) {
					idle = 0
					for _, p := range e.procs() {
						p.mailbox.mu.Lock()
						if p.mailbox.waits || p.mailbox.rests {
							idle++
						}
						p.mailbox.mu.Unlock()
					}
				}
				b.ReportMetric(float64(used()-before)/n, "B/process")
				for _, p := range e.procs() {
					p.Kill(Reason{Word: Kill})
				}
				e.wg.Wait()
			}
		})
	}
}

func used() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

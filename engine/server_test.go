package engine

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ipfs/go-cid"
)

// serving is a Runner and a Modules that leaves a server of each process.
type serving func(p *Process) Server

func (serving) Resolve(string) (cid.Cid, error) { return cid.Undef, nil }
func (serving) Has(cid.Cid) bool                { return true }
func (serving) Open(context.Context, cid.Cid, uint64, NodeID) ([]byte, error) {
	return nil, nil
}
func (f serving) Run(p *Process, _ ModuleData, _ *Report) Reason {
	p.Running()
	p.Serve(f(p))
	return Reason{}
}

// handler is a Server of functions.
type handler struct {
	handle func(*Message) Reason
	end    func(Reason) Reason
}

func (h *handler) Handle(m *Message) Reason { return h.handle(m) }
func (h *handler) End(r Reason) Reason {
	if h.end == nil {
		return r
	}
	return h.end(r)
}

func servers(f serving) *Engine {
	return New(Config{Node: NodeID{1}, Incarnation: 7, Runner: f, Modules: f})
}

// server starts a process, and returns when it is known.
func server(e *Engine) *Process {
	to := PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}
	e.create(to, &Spec{Module: Module{Name: "server"}}, Origin{})
	return e.Process(to)
}

// tell sends a message with a tag.
func tell(p *Process, tag uint64) {
	p.mailbox.add(&Message{Kind: MessageData, Tag: tag}, nil, p)
}

// A server handles its messages in order, one at a time, however many send at once,
// and is said to end once.
func TestServerOrder(t *testing.T) {
	const senders, each = 8, 500
	var at, ended atomic.Int32
	next := [senders]uint64{}
	e := servers(func(p *Process) Server {
		return &handler{func(m *Message) Reason {
			if at.Add(1) != 1 {
				t.Error("two messages are handled at once")
			}
			defer at.Add(-1)
			from := m.Tag / each
			if m.Tag%each != next[from] {
				t.Errorf("message %d of sender %d, want %d", m.Tag%each, from, next[from])
			}
			next[from]++
			done := true
			for _, n := range next {
				done = done && n == each
			}
			if done {
				return Reason{Word: Shutdown}
			}
			return Reason{}
		}, func(r Reason) Reason { ended.Add(1); return r }}
	})
	defer e.Close()
	p := server(e)
	var wg sync.WaitGroup
	for s := range uint64(senders) {
		wg.Go(func() {
			for i := range uint64(each) {
				tell(p, s*each+i)
				if i%50 == 0 {
					runtime.Gosched() // so that it rests now and then
				}
			}
		})
	}
	wg.Wait()
	<-p.Done()
	if ended.Load() != 1 {
		t.Errorf("it ended %d times", ended.Load())
	}
}

// A server ends when it is killed, at rest and while it handles a message, and when
// it says so; it may change the reason, and what it has not handled is dropped.
func TestServerEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		does  func(p *Process, in <-chan struct{})
		end   func(Reason) Reason
		want  Word
		other int // messages handled
	}{
		{"killed at rest", func(p *Process, _ <-chan struct{}) {
			synctest.Wait()
			p.Kill(Reason{Word: Killed})
		}, nil, Killed, 0},
		{"killed after messages", func(p *Process, in <-chan struct{}) {
			tell(p, 0)
			<-in
			synctest.Wait()
			p.Kill(Reason{Word: Killed})
		}, nil, Killed, 1},
		{"killed while it handles", func(p *Process, in <-chan struct{}) {
			tell(p, 1) // blocks
			<-in
			tell(p, 0)
			p.Kill(Reason{Word: Killed})
		}, nil, Killed, 1},
		{"killed before it began", func(p *Process, _ <-chan struct{}) { p.Kill(Reason{Word: Killed}) }, nil, Killed, -1},
		{"says so", func(p *Process, _ <-chan struct{}) {
			tell(p, 2)
			tell(p, 0)
		}, nil, Exited, 1},
		{"says so, with another reason at the end", func(p *Process, _ <-chan struct{}) { tell(p, 2) },
			func(Reason) Reason { return Reason{Word: Trap} }, Trap, 1},
		{"panics", func(p *Process, _ <-chan struct{}) { tell(p, 3) }, nil, SystemLimit, 1},
		{"panics at the end", func(p *Process, _ <-chan struct{}) { tell(p, 2) },
			func(Reason) Reason { panic("end") }, SystemLimit, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := make(chan struct{}, 10)
				handled, ends := 0, 0
				e := servers(func(p *Process) Server {
					return &handler{func(m *Message) Reason {
						handled++
						in <- struct{}{}
						switch m.Tag {
						case 1:
							<-p.Context().Done()
						case 2:
							return Reason{Word: Exited, Code: 1}
						case 3:
							panic("handle")
						}
						return Reason{}
					}, func(r Reason) Reason {
						ends++
						if c.end != nil {
							return c.end(r)
						}
						return r
					}}
				})
				got := make(chan Reason, 1)
				watch := e.Native(func(s *Signal) { got <- s.Reason })
				p := server(e)
				watch.monitorPID(p.PID())
				c.does(p, in)
				<-p.Done()
				if r := <-got; r.Word != c.want {
					t.Errorf("ended with %v, want %s", r, c.want)
				}
				if c.other >= 0 && handled != c.other {
					t.Errorf("%d messages were handled, want %d", handled, c.other)
				}
				if ends > 1 {
					t.Errorf("it was told to end %d times", ends)
				}
				watch.Close(Reason{Word: Normal})
				e.Close()
			})
		})
	}
}

// A runner that panics after Serve ends its process once.
func TestServerOfAPanic(t *testing.T) {
	e := servers(func(p *Process) Server {
		p.Serve(&handler{handle: func(*Message) Reason { return Reason{} }})
		panic("after Serve")
	})
	p := server(e)
	<-p.Done()
	e.Close()
}

// Servers that rest have no goroutines, and each wakes for a message.
func TestManyRestingServers(t *testing.T) {
	const n = 10_000
	var handled sync.WaitGroup
	e := servers(func(p *Process) Server {
		return &handler{handle: func(*Message) Reason { handled.Done(); return Reason{} }}
	})
	defer e.Close()
	before := runtime.NumGoroutine()
	procs := make([]*Process, n)
	for i := range procs {
		procs[i] = server(e)
	}
	for range 3 {
		handled.Add(n)
		for _, p := range procs {
			tell(p, 0)
		}
		handled.Wait()
		for _, p := range procs { // each goroutine that works sees that its mailbox is empty
			for rests := false; !rests; runtime.Gosched() {
				p.mailbox.mu.Lock()
				rests = p.mailbox.rests
				p.mailbox.mu.Unlock()
			}
		}
	}
	for g := 0; ; runtime.Gosched() { // those that rested last are on their way to the idle ones
		if g = runtime.NumGoroutine(); g <= before+maxIdleWorkers {
			break
		}
	}
	if got := len(e.Processes()); got != n {
		t.Errorf("%d processes", got)
	}
}

package batch_test

import (
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
)

// calls returns n tasks for workers.
func calls(n int) func() (*batch.Task, error) {
	next := count(n)
	return func() (*batch.Task, error) {
		t, err := next()
		if err == nil {
			t.Input = []byte(t.Args[0])
		}
		return t, err
	}
}

// worker is a process that answers calls with what f returns, until that is to end it.
func worker(f func(p *engine.Process, n int) (answer string, end engine.Reason)) func(*engine.Process, string, []string) engine.Reason {
	return func(p *engine.Process, _ string, _ []string) engine.Reason {
		for {
			m, err := p.Receive(engine.Match{Kinds: 1 << engine.MessageCall}, -1)
			if err != nil {
				return engine.Reason{Word: engine.Killed}
			}
			n, _ := strconv.Atoi(string(m.Data))
			answer, end := f(p, n)
			if p.Context().Err() != nil {
				return engine.Reason{Word: engine.Killed} // a guest would not have got so far
			}
			if end.Word != "" {
				return end
			}
			if err := p.Send(m.From, &engine.Message{Kind: engine.MessageReply, Ref: m.Ref, Data: []byte(answer)}); err != nil {
				return engine.Reason{Word: engine.Killed}
			}
		}
	}
}

func line(n int) string { return strconv.Itoa(n) + "\n" }

func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		w.join("kate", 3)
		var got sink
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: calls(500), Nodes: w.find, Emit: got.emit, Worker: true,
			Spec: w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) {
				wait(p, time.Duration(n%7)*time.Millisecond)
				say(p, "%d", n) // what it writes comes before its answer
				return "\n", engine.Reason{}
			})),
		})
		if err != nil || sum.Good != 500 {
			t.Fatalf("%+v, %v", sum, err)
		}
		got.inOrder(t, 500)
		if got.text.String() != numbers(500) {
			t.Errorf("output %q", got.text.String())
		}
		if len(w.started) != 4 || w.most["kate"] != 3 || w.most["alex"] != 1 {
			t.Errorf("workers: %v", w.most)
		}
		synctest.Wait()
		for name, e := range w.nodes {
			if len(e.Processes()) != 0 {
				t.Errorf("a worker is left on %s", name)
			}
		}
	})
}

// What ends a worker is the failure of the task it worked on; those that waited behind
// it go to another one.
func TestWorkerEnds(t *testing.T) {
	for _, c := range []struct {
		name       string
		end        engine.Reason
		good, lost int // at least
		why        engine.Word
	}{
		{"exits", engine.Reason{Word: engine.Exited, Code: 3}, 49, 0, engine.Exited},
		{"returns", normal, 49, 0, engine.Exited},
		{"traps", engine.Reason{Word: engine.Trap}, 49, 0, engine.Trap},
		{"is killed", engine.Reason{Word: engine.Killed}, 50, 1, engine.Normal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate")
				var got sink
				done := false
				sum, err := batch.Run(t.Context(), w.me, batch.Config{
					Next: calls(50), Nodes: w.find, Emit: got.emit, Worker: true, Retries: 1,
					Spec: w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) {
						if n == 20 && !done {
							done = true
							p.Kill(c.end)
							return "", c.end
						}
						return line(n), engine.Reason{}
					})),
				})
				if err != nil || sum.Good != c.good || sum.Lost < c.lost || got.why[20].Word != c.why {
					t.Fatalf("%+v, %v, %v", sum, err, got.why[20])
				}
				got.inOrder(t, 50)
				if len(w.started) != 2 {
					t.Errorf("%d workers", len(w.started))
				}
			})
		})
	}
}

func TestWorkerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		spec := w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) {
			if n == 5 {
				wait(p, time.Hour)
			}
			wait(p, 900*time.Millisecond)
			return line(n), engine.Reason{}
		}))
		spec.Limits.Wall = time.Second
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: calls(10), Nodes: w.find, Emit: got.emit, Worker: true, Retries: 3, Spec: spec,
		})
		if err != nil || sum.Good != 9 || got.why[5].Word != engine.Timeout {
			t.Fatalf("%+v, %v, %v", sum, err, got.why)
		}
		if want := strings.Replace(numbers(10), "5\n", "", 1); got.text.String() != want {
			t.Errorf("output %q", got.text.String())
		}
	})
}

func TestWorkerHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		var hung atomic.Bool
		begin := time.Now()
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: calls(30), Nodes: w.find, Emit: got.emit, Worker: true, Hedge: true,
			Spec: w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) {
				if n == 10 && hung.CompareAndSwap(false, true) {
					wait(p, time.Hour)
				}
				wait(p, time.Second)
				return line(n), engine.Reason{}
			})),
		})
		if err != nil || sum.Good != 30 || sum.Hedged == 0 || got.text.String() != numbers(30) {
			t.Fatalf("%+v, %v, %q", sum, err, got.text.String())
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// A process reads the input of its task, to its end.
func TestInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		next := count(3)
		text := strings.Repeat("0123456789", 20000)
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: func() (*batch.Task, error) {
				task, err := next()
				if err == nil {
					task.Input = []byte(text + task.Args[0] + "\n")
				}
				return task, err
			}, Nodes: w.find, Emit: got.emit,
			Spec: w.program(func(p *engine.Process, _ string, _ []string) engine.Reason {
				buf := make([]byte, 30000)
				for {
					n, err := p.Read(buf, true)
					if err == io.EOF {
						return normal
					} else if err != nil {
						return engine.Reason{Word: engine.Exited, Code: 1}
					}
					p.Write(engine.Stdout, buf[:n])
				}
			}),
		})
		if err != nil || sum.Good != 3 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if want := text + "1\n" + text + "2\n" + text + "3\n"; got.text.String() != want {
			t.Errorf("%d bytes that are not the input", got.text.Len())
		}
	})
}

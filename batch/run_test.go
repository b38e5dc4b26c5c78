package batch_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
)

// odd takes longer for small numbers, so that later ones end first, and says the
// number.
func odd(p *engine.Process, _ string, args []string) engine.Reason {
	n, _ := strconv.Atoi(args[0])
	wait(p, time.Duration(n*7%10)*time.Second)
	say(p, "%s\n", args[0])
	return normal
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*batch.Config)
	}{
		{"in order", func(*batch.Config) {}},
		{"as they end", func(c *batch.Config) { c.Unordered = true }},
		{"short tasks", func(c *batch.Config) { c.Ahead = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate", "alex")
				w.join("kate", 3)
				var got sink
				cfg := batch.Config{Next: count(50), Nodes: w.find, Spec: w.program(odd), Emit: got.emit}
				c.set(&cfg)
				sum, err := batch.Run(t.Context(), w.me, cfg)
				if err != nil || sum.Good != 50 || sum.Failed != 0 {
					t.Fatalf("%+v, %v", sum, err)
				}
				if cfg.Unordered {
					got.once(t, 50)
					if got.text.Len() != len(numbers(50)) || got.text.String() == numbers(50) {
						t.Errorf("output %q", got.text.String())
					}
				} else {
					got.inOrder(t, 50)
					if got.text.String() != numbers(50) {
						t.Errorf("output %q", got.text.String())
					}
				}
				if !cfg.Ahead && (w.most["kate"] != 3 || w.most["alex"] != 1) {
					t.Errorf("processes at once: %v", w.most)
				}
			})
		})
	}
}

func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(6), Nodes: w.find, Emit: got.emit,
			Code: func(r engine.Reason) int { return int(r.Code) },
			Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
				n, _ := strconv.Atoi(args[0])
				say(p, "%d\n", n)
				return engine.Reason{Word: engine.Exited, Code: uint32(n % 3)}
			}),
		})
		if err != nil || sum.Good != 2 || sum.Failed != 4 {
			t.Fatalf("%+v, %v", sum, err)
		}
		got.inOrder(t, 6)
		if got.codes[1] != 1 || got.codes[2] != 2 || got.codes[3] != 0 || got.text.String() != numbers(6) {
			t.Errorf("%v %q", got.codes, got.text.String())
		}
		if n := w.starts(""); n != 6 {
			t.Errorf("%d processes for 6 tasks: a task that fails by itself is not repeated", n)
		}
	})
}

// A node that is lost takes what it did along, and others do it again. One that comes
// gets work; one that drains gets no more, and what it has ends there.
func TestNodesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		go func() {
			time.Sleep(4500 * time.Millisecond)
			w.die("kate")
			time.Sleep(5 * time.Second)
			w.join("bob", 1)
			time.Sleep(5 * time.Second)
			w.join("alex", 0)
		}()
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(40), Nodes: w.find, Emit: got.emit, Retries: 3,
			Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
				say(p, "%s", args[0])
				wait(p, time.Second)
				say(p, "\n")
				return normal
			}),
		})
		if err != nil || sum.Good != 40 || sum.Lost != 1 {
			t.Fatalf("%+v, %v", sum, err)
		}
		got.inOrder(t, 40)
		if got.text.String() != numbers(40) {
			t.Errorf("output %q", got.text.String())
		}
		by := map[string]int{}
		for _, node := range got.nodes {
			by[node]++
		}
		if by["kate"] != 4 || by["bob"] < 15 || by["alex"] < 10 || by["alex"] > 17 {
			t.Errorf("tasks by node: %v", by)
		}
	})
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name           string
		why            engine.Reason
		retries        int
		traps          bool
		wants, lost    int
		good           bool
		elsewhereFirst bool
	}{
		{name: "killed from outside", why: engine.Reason{Word: engine.Killed}, retries: 3, wants: 2, lost: 1, good: true, elsewhereFirst: true},
		{name: "no retries", why: engine.Reason{Word: engine.Killed}, wants: 1},
		{name: "a trap is the task's own", why: engine.Reason{Word: engine.Trap}, retries: 3, wants: 1},
		{name: "traps too", why: engine.Reason{Word: engine.Trap}, retries: 3, traps: true, wants: 2, lost: 1, good: true, elsewhereFirst: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate", "alex")
				var got sink
				sum, err := batch.Run(t.Context(), w.me, batch.Config{
					Next: count(1), Nodes: w.find, Emit: got.emit, Retries: c.retries, RetryTraps: c.traps,
					Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
						say(p, "%s", args[0])
						if w.starts("1") == 1 {
							p.Kill(c.why)
							return c.why
						}
						say(p, "\n")
						return normal
					}),
				})
				if err != nil || (sum.Good == 1) != c.good || sum.Lost != c.lost || w.starts("") != c.wants {
					t.Fatalf("%+v, %v, %v", sum, err, w.started)
				}
				if c.good && got.text.String() != "1\n" {
					t.Errorf("output %q", got.text.String())
				}
				if c.elsewhereFirst && w.started[0][:4] == w.started[1][:4] {
					t.Errorf("again on the same node: %v", w.started)
				}
			})
		})
	}
}

// A task that ends each node that runs it is given up.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(10), Nodes: w.find, Emit: got.emit, Retries: 2,
			Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
				if args[0] == "5" {
					go func() {
						w.die(node)
						time.Sleep(time.Second)
						w.heal(node, 1)
					}()
					<-p.Context().Done()
				}
				say(p, "%s\n", args[0])
				return normal
			}),
		})
		if err != nil || sum.Good != 9 || sum.Failed != 1 || got.why[5].Word != engine.NoConnection {
			t.Fatalf("%+v, %v, %v", sum, err, got.why[5])
		}
		got.inOrder(t, 10)
		if n := w.starts("5"); n != 3 {
			t.Errorf("%d tries", n)
		}
		time.Sleep(time.Second) // the last one heals
	})
}

func TestNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		begin := time.Now()
		_, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(10), Nodes: w.find, Emit: got.emit, Retries: 3, Patience: time.Minute,
			Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
				if args[0] == "3" {
					w.die(node)
				}
				say(p, "%s\n", args[0])
				return normal
			}),
		})
		if !errors.Is(err, engine.Reason{Word: engine.NoConnection}) || time.Since(begin) < time.Minute {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		if got.text.String() != "1\n2\n" {
			t.Errorf("output %q", got.text.String())
		}
	})
}

func TestModuleThatNoNodeCanRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		spec := w.program(odd)
		spec.Module = engine.Module{Name: "nothing"}
		var got sink
		sum, err := batch.Run(t.Context(), w.me, batch.Config{Next: count(10), Nodes: w.find, Spec: spec, Emit: got.emit, Retries: 3})
		if !errors.Is(err, engine.Reason{Word: engine.ModuleNotFound}) || len(got.order) != 0 {
			t.Fatalf("%+v, %v", sum, err)
		}
	})
}

func TestHalt(t *testing.T) {
	for _, c := range []struct {
		name        string
		halt        batch.Halt
		least, most int // results
	}{
		{"never", batch.Halt{}, 100, 100},
		// Task 4 fails first, after 5 s, when 6 or 7 have begun or end just then.
		{"soon", batch.Halt{Fail: 1}, 7, 9},
		{"now", batch.Halt{Fail: 1, Now: true}, 4, 6},
		// The second is 9, after 10 s.
		{"now, the second", batch.Halt{Fail: 2, Now: true}, 9, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate", "alex")
				w.join("kate", 3)
				var got sink
				sum, err := batch.Run(t.Context(), w.me, batch.Config{
					Next: count(100), Nodes: w.find, Emit: got.emit, Halt: c.halt,
					Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
						n, _ := strconv.Atoi(args[0])
						wait(p, time.Duration(n%5+1)*time.Second)
						say(p, "%d\n", n)
						return engine.Reason{Word: engine.Exited, Code: uint32(min(1, n%5/4))}
					}),
					Code: func(r engine.Reason) int { return int(r.Code) },
				})
				if err != nil || sum.Halted != (c.halt.Fail > 0) {
					t.Fatalf("%+v, %v", sum, err)
				}
				if n := len(got.order); n < c.least || n > c.most {
					t.Errorf("%d results, want %d to %d: %v", n, c.least, c.most, got.order)
				}
				if c.halt.Fail > 0 && sum.Failed < c.halt.Fail {
					t.Errorf("the failed task is not among the results: %+v", sum)
				}
				if !c.halt.Now {
					got.inOrder(t, len(got.order))
				}
				synctest.Wait()
				if len(w.nodes["kate"].Processes()) != 0 {
					t.Error("processes are left")
				}
			})
		})
	}
}

// A task that hangs on one node is done on another, and its result counts once.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		begin := time.Now()
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(20), Nodes: w.find, Emit: got.emit, Hedge: true,
			Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
				say(p, "%s", args[0])
				if args[0] == "7" && w.starts("7") == 1 {
					wait(p, time.Hour)
				}
				wait(p, time.Second)
				say(p, "\n")
				return normal
			}),
		})
		if err != nil || sum.Good != 20 || sum.Hedged != 1 || w.starts("7") != 2 {
			t.Fatalf("%+v, %v, %v", sum, err, w.started)
		}
		got.inOrder(t, 20)
		if got.text.String() != numbers(20) {
			t.Errorf("output %q", got.text.String())
		}
		if took := time.Since(begin); took > 25*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// One result that is not taken holds up the reading of tasks: no more than Window are
// under way.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		got := sink{block: make(chan struct{})}
		var read atomic.Int64
		next := count(1 << 30)
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() {
			_, err := batch.Run(ctx, w.me, batch.Config{
				Next: func() (*batch.Task, error) { read.Add(1); return next() }, Nodes: w.find, Emit: got.emit, Spec: w.program(odd),
			})
			done <- err
		}()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := read.Load(); n < batch.Window || n > batch.Window+20 {
			t.Errorf("%d tasks were read while none was emitted", n)
		}
		why := errors.New("enough")
		cancel(why)
		close(got.block)
		if err := <-done; err != why {
			t.Fatal(err)
		}
	})
}

// The same by a task that does not end, as results come in order.
func TestReorderWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		var read atomic.Int64
		next := count(3000)
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: func() (*batch.Task, error) { read.Add(1); return next() }, Nodes: w.find, Emit: got.emit,
			Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
				if args[0] == "1" {
					wait(p, time.Hour)
					if n := read.Load(); n > batch.Window+20 {
						t.Errorf("%d tasks were read while the first one ran", n)
					}
				}
				wait(p, time.Millisecond)
				say(p, "%s\n", args[0])
				return normal
			}),
		})
		if err != nil || sum.Good != 3000 || got.text.String() != numbers(3000) {
			t.Fatalf("%+v, %v", sum, err)
		}
	})
}

// Ctrl-C: what runs is killed, and that is confirmed before Run returns.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		var got sink
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(2500 * time.Millisecond)
			cancel(why)
		}()
		_, err := batch.Run(ctx, w.me, batch.Config{
			Next: count(100), Nodes: w.find, Emit: got.emit,
			Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
				wait(p, time.Second)
				say(p, "%s\n", args[0])
				return normal
			}),
		})
		if err != why || got.text.String() != numbers(4) {
			t.Fatalf("%v, %q", err, got.text.String())
		}
		for name, e := range w.nodes {
			if len(e.Processes()) != 0 {
				t.Errorf("a process is left on %s", name)
			}
		}
	})
}

func TestBrokenInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		next, broken := count(5), errors.New("a bad line")
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: func() (*batch.Task, error) {
				task, err := next()
				if err != nil {
					err = broken
				}
				return task, err
			}, Nodes: w.find, Emit: got.emit, Spec: w.program(odd),
		})
		if !errors.Is(err, broken) || sum.Good != 5 {
			t.Fatalf("%+v, %v", sum, err)
		}
	})
}

// Output beyond what is kept in memory comes back the same, and in the order in which
// both streams were written.
func TestLargeOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		var got sink
		line := strings.Repeat("x", 999) + "\n"
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(3), Nodes: w.find, Emit: got.emit, TempDir: t.TempDir(),
			Spec: w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
				for range 1000 {
					say(p, "%s", line)
					p.Write(engine.Stderr, []byte(args[0]+"\n"))
				}
				return normal
			}),
		})
		if err != nil || sum.Good != 3 {
			t.Fatalf("%+v, %v", sum, err)
		}
		want := strings.Repeat(line+"1\n", 1000) + strings.Repeat(line+"2\n", 1000) + strings.Repeat(line+"3\n", 1000)
		if got.text.String() != want {
			t.Errorf("%d bytes that are not what was written, %d", got.text.Len(), len(want))
		}
	})
}

package otp

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/engine"
)

func TestTask(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, node := range []engine.NodeID{w.alex.Node(), w.kate.Node()} {
			w.as(func(p *engine.Process) {
				begin := func(module string, args ...string) *Task {
					task, err := AsyncNoLink(p, node, w.spec(module, args...))
					if err != nil {
						t.Error(err)
					}
					return task
				}
				a, b := begin("slow", "2"), begin("slow", "1")
				for _, c := range []struct {
					task *Task
					want string
				}{{a, "2"}, {b, "1"}} {
					if r, err := c.task.Await(p, AwaitTimeout); string(r.Data) != c.want || err != nil {
						t.Errorf("%q, %v", r.Data, err)
					}
				}
				if _, err := begin("slow", "9").Await(p, AwaitTimeout); !errors.Is(err, engine.Reason{Word: engine.Timeout}) {
					t.Error(err)
				}
				synctest.Wait()
				if n := w.running.Load(); n != 0 {
					t.Errorf("%d tasks run on after a timeout", n)
				}
				c := begin("slow", "3")
				if _, done, err := c.Yield(p, time.Second); done || err != nil {
					t.Error(done, err)
				}
				if r, done, err := c.Yield(p, 3*time.Second); !done || err != nil || string(r.Data) != "3" {
					t.Error(r, done, err)
				}
				for _, c := range []struct {
					module string
					in     time.Duration
					want   string
					took   time.Duration
				}{
					{"slow", time.Second, " false <nil>", 0}, {"slow", Kill, " false <nil>", 0},
					{"stubborn", 2 * time.Second, " false <nil>", 2 * time.Second}, {"trap", -1, " true error: trap: unreachable", 0},
					{"echo", time.Second, "in true <nil>", 0},
				} {
					task := begin(c.module, "9")
					synctest.Wait()
					from := time.Now()
					r, done, err := task.Shutdown(p, c.in)
					if got := fmt.Sprintf("%s %v %v", r.Data, done, err); got != c.want || time.Since(from) != c.took {
						t.Errorf("%s is shut down: %q after %v", c.module, got, time.Since(from))
					}
				}
			})
		}
	})
}

// A linked task takes its owner with it, and the other way round.
func TestTaskLink(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, node := range []engine.NodeID{w.alex.Node(), w.kate.Node()} {
			why := make(chan error, 1)
			w.alex.Go("owner", func(p *engine.Process) engine.Reason {
				task, err := Async(p, node, w.spec("trap"))
				if err != nil {
					t.Error(err)
				}
				_, _ = task.Await(p, -1) // the exit signal may be behind the Down
				<-p.Context().Done()
				why <- p.Context().Err()
				return engine.Reason{}
			})
			<-why
			leave := make(chan struct{})
			w.alex.Go("owner", func(p *engine.Process) engine.Reason {
				if _, err := Async(p, node, w.spec("slow", "99")); err != nil {
					t.Error(err)
				}
				<-leave
				return engine.Reason{Word: engine.Shutdown}
			})
			synctest.Wait()
			if n := w.running.Load(); n != 1 {
				t.Errorf("%d tasks run", n)
			}
			close(leave)
			synctest.Wait()
			if n := w.running.Load(); n != 0 {
				t.Errorf("%d tasks run without their owner", n)
			}
		}
	})
}

// slow yields specs that take so many seconds, and counts those that were taken.
func (w *world) slow(taken *int, seconds ...int) iter.Seq[*engine.Spec] {
	return func(yield func(*engine.Spec) bool) {
		for _, n := range seconds {
			*taken++
			if !yield(w.spec("slow", strconv.Itoa(n))) {
				return
			}
		}
	}
}

func TestStream(t *testing.T) {
	inWorld(t, func(w *world) {
		both := []engine.NodeID{w.alex.Node(), w.kate.Node()}
		for _, c := range []struct {
			seconds []int
			o       StreamOptions
			stop    int // after so many elements
			want    string
			took    time.Duration
			taken   int
		}{
			{[]int{1, 2, 3}, StreamOptions{}, 9, "0=1 1=2 2=3", 6 * time.Second, 3},
			{[]int{3, 1, 1, 2}, StreamOptions{Nodes: both}, 9, "0=3 1=1 2=1 3=2", 4 * time.Second, 4},
			{[]int{4, 1, 1, 1}, StreamOptions{Nodes: both, Unordered: true}, 9, "1=1 2=1 3=1 0=4", 4 * time.Second, 4},
			{[]int{9, 1, 1, 1, 1}, StreamOptions{Nodes: both, MaxConcurrency: 3}, 1, "0=9", 9 * time.Second, 5},
			{[]int{1, 9, 1}, StreamOptions{MaxConcurrency: 3, Timeout: 2 * time.Second, OnTimeout: TimeoutKills}, 9, "0=1 1=timeout 2=1", 2 * time.Second, 3},
			{[]int{1, 9, 8, 1}, StreamOptions{MaxConcurrency: 2, Timeout: 2 * time.Second}, 9, "0=1 1=timeout", 2 * time.Second, 3},
			{[]int{1, 9, 8, 1}, StreamOptions{MaxConcurrency: 2, Timeout: 2 * time.Second, Unordered: true}, 9, "0=1 1=timeout", 2 * time.Second, 3},
			{[]int{1, 5, 5}, StreamOptions{MaxConcurrency: 9}, 1, "0=1", time.Second, 3},
			{nil, StreamOptions{}, 9, "", 0, 0},
		} {
			w.as(func(p *engine.Process) {
				begin, taken := time.Now(), 0
				var got []string
				for e := range Stream(p, w.slow(&taken, c.seconds...), c.o) {
					what := string(e.Result.Data)
					if f := (*Failure)(nil); errors.As(e.Err, &f) {
						what = string(f.Reason.Word)
					}
					got = append(got, fmt.Sprintf("%d=%s", e.Index, what))
					if len(got) == c.stop {
						break
					}
				}
				if s := strings.Join(got, " "); s != c.want || time.Since(begin) != c.took || taken != c.taken {
					t.Errorf("%v %+v: %s after %v, %d taken; want %s, %v, %d", c.seconds, c.o, s, time.Since(begin), taken, c.want, c.took, c.taken)
				}
				synctest.Wait()
				if n := w.running.Load(); n != 0 {
					t.Errorf("%v: %d tasks run on", c.seconds, n)
				}
			})
		}
		// It leaves other messages alone, and ends with its process.
		w.as(func(p *engine.Process) {
			taken := 0
			if err := p.Send(p.PID(), &engine.Message{Kind: engine.MessageData, Data: []byte("mine")}); err != nil {
				t.Error(err)
			}
			for e := range Stream(p, w.slow(&taken, 1, 1), StreamOptions{}) {
				if e.Err != nil {
					t.Error(e.Err)
				}
			}
			if m, _ := p.Receive(engine.Match{}, 0); m == nil || string(m.Data) != "mine" {
				t.Error("a message is gone")
			}
		})
		ended := make(chan int)
		pid := w.alex.Go("killed", func(p *engine.Process) engine.Reason {
			n, taken := 0, 0
			for range Stream(p, w.slow(&taken, 1, 99), StreamOptions{}) {
				n++
			}
			ended <- n
			return engine.Reason{}
		})
		time.Sleep(2 * time.Second)
		w.alex.Process(pid).Kill(engine.Reason{Word: engine.Kill})
		if n := <-ended; n != 1 {
			t.Errorf("%d elements", n)
		}
		synctest.Wait()
		if n := w.running.Load(); n != 0 {
			t.Errorf("%d tasks run on", n)
		}
	})
}

// Whatever the options: each task once, in order if asked, never more at once than allowed.
func TestStreamRandom(t *testing.T) {
	inWorld(t, func(w *world) {
		rapid.Check(t, func(r *rapid.T) {
			seconds := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 20).Draw(r, "seconds")
			o := StreamOptions{
				Nodes:          []engine.NodeID{w.alex.Node(), w.kate.Node()}[:rapid.IntRange(0, 2).Draw(r, "nodes")],
				MaxConcurrency: rapid.IntRange(0, 5).Draw(r, "concurrency"), Unordered: rapid.Bool().Draw(r, "unordered"),
				Timeout: time.Duration(rapid.IntRange(0, 4).Draw(r, "timeout")) * 1100 * time.Millisecond, OnTimeout: TimeoutKills,
			}
			most := max(1, len(o.Nodes))
			if o.MaxConcurrency > 0 {
				most = o.MaxConcurrency
			}
			w.as(func(p *engine.Process) {
				taken := 0
				var order []int
				for e := range Stream(p, w.slow(&taken, seconds...), o) {
					order = append(order, e.Index)
					late := o.Timeout > 0 && time.Duration(seconds[e.Index])*time.Second > o.Timeout
					if late != (e.Err != nil) || !late && string(e.Result.Data) != strconv.Itoa(seconds[e.Index]) {
						r.Errorf("task %d of %d s: %+v", e.Index, seconds[e.Index], e)
					}
					synctest.Wait() // until those that were killed are gone
					if n := int(w.running.Load()); n > most {
						r.Errorf("%d run at once", n)
					}
				}
				if !o.Unordered && !slices.IsSorted(order) {
					r.Errorf("in the order %v", order)
				}
				slices.Sort(order)
				if len(slices.Compact(order)) != len(seconds) || len(order) != len(seconds) {
					r.Errorf("%d tasks, of %d", len(order), len(seconds))
				}
			})
		})
	})
}

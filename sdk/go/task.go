//go:build wasip1

package wnode

import (
	"errors"
	"iter"
	"time"
)

// Task is a process that runs for a result, which its owner awaits once: the program
// that began it.
type Task struct {
	PID    PID
	ref    Ref
	linked bool
}

// Async begins a task and links it with this process: if one fails so does the other.
func Async(s Spec) (*Task, error) {
	s.Link = true
	t, err := AsyncNoLink(s)
	if t != nil {
		t.linked = true
	}
	return t, err
}

// AsyncNoLink begins a task that may fail by itself.
func AsyncNoLink(s Spec) (*Task, error) {
	pid, ref, err := Request(s)
	if err != nil {
		return nil, err
	}
	return &Task{PID: pid, ref: ref}, nil
}

// Await waits for the result, as the function Await does; below 0 is for ever. A task
// whose time is over is killed, and the error is ErrTimeout.
func (t *Task) Await(timeout time.Duration) ([]byte, error) {
	b, done, err := t.Yield(timeout)
	if !done && err == nil {
		t.kill()
		err = ErrTimeout
	}
	return b, err
}

// Yield waits as Await does, but a task whose time is over goes on, and can be waited for
// again: done is false then.
func (t *Task) Yield(timeout time.Duration) (b []byte, done bool, err error) {
	m, err := Receive(Match{Kinds: Of(Replied, Down), Ref: t.ref}, timeout)
	switch {
	case errors.Is(err, ErrTimeout):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case m.Kind == Down:
		return nil, true, &Failure{m.End, m.Reason}
	}
	return m.Data, true, nil
}

// Shutdown ends the task and returns its result, if it has come by then; done is false if
// there is none, and err says why it failed if it did before. It is asked to end with
// shutdown, and killed when it has not done so in time: at once if that is 0, never if
// it is below.
func (t *Task) Shutdown(in time.Duration) (b []byte, done bool, err error) {
	if t.linked {
		Unlink(t.PID)
	}
	if in != 0 {
		if err := ExitSignal(t.PID, Reason{Word: "shutdown"}); err != nil {
			return nil, false, err
		}
		if b, done, err = t.Yield(in); done || err != nil {
			return settled(b, done, err)
		}
	}
	if err := ExitSignal(t.PID, Reason{Word: "kill"}); err != nil {
		return nil, false, err
	}
	return settled(t.Yield(-1))
}

// settled tells a task that failed by itself from one that was ended.
func settled(b []byte, done bool, err error) ([]byte, bool, error) {
	if f := (*Failure)(nil); errors.As(err, &f) && f.End == EndKilled && (f.Reason.Word == "shutdown" || f.Reason.Word == "killed") {
		return nil, false, nil
	}
	return b, done, err
}

func (t *Task) kill() {
	Abandon(t.ref)
	if t.linked {
		Unlink(t.PID)
	}
	_ = ExitSignal(t.PID, Reason{Word: "kill"}) // not allowed: it runs on
}

// StreamOptions are those of Elixir's async_stream. The zero value is one task at a time,
// where its spec says, without a time limit.
type StreamOptions struct {
	Nodes          []NodeID      // that the tasks run on, the one with the fewest first; none: that of the spec
	MaxConcurrency int           // tasks that run at once; 0: one for each node
	Unordered      bool          // elements come as tasks end, not in the order of their specs
	Timeout        time.Duration // of each task, which is killed then; 0: none
}

// Element is how one task of a Stream ended.
type Element struct {
	Index int // of its spec, from 0
	Data  []byte
	Err   error // nil: Data is its result; else a *Failure, or ErrTimeout
	node  int
}

// ahead bounds what an ordered Stream keeps, in tasks that may run at once.
const ahead = 16

// Stream runs a task for each spec, and yields how each ended. It is lazy: a spec is taken
// when a task may begin. To stop iterating kills the tasks that run. One that fails is an
// element, and the stream goes on: they are not linked. While it waits for one, other
// goroutines run.
func Stream(specs iter.Seq[Spec], o StreamOptions) iter.Seq[Element] {
	if o.MaxConcurrency <= 0 {
		o.MaxConcurrency = max(1, len(o.Nodes))
	}
	return func(yield func(Element) bool) {
		next, stop := iter.Pull(specs)
		defer stop()
		ends := make(chan Element, o.MaxConcurrency)
		tasks, busy := map[int]*Task{}, make([]int, max(1, len(o.Nodes)))
		defer func() {
			for _, t := range tasks {
				_ = ExitSignal(t.PID, Reason{Word: "kill"}) // not allowed: it is waited for
			}
			for range tasks {
				<-ends
			}
		}()
		ended := map[int]Element{}
		index, yielded, more := 0, 0, true
		for {
			for more && len(tasks) < o.MaxConcurrency && len(ended) < ahead*o.MaxConcurrency {
				var s Spec
				if s, more = next(); !more {
					break
				}
				e := Element{Index: index, node: least(busy)}
				index++
				if len(o.Nodes) > 0 {
					s.Node = o.Nodes[e.node]
				}
				t, err := AsyncNoLink(s)
				if err != nil {
					e.Err = err
					ended[e.Index] = e
					continue
				}
				busy[e.node]++
				tasks[e.Index] = t
				go func() {
					timeout := o.Timeout
					if timeout == 0 {
						timeout = -1
					}
					e.Data, e.Err = t.Await(timeout)
					ends <- e
				}()
			}
			if e, ok := first(ended, yielded, o.Unordered); ok {
				delete(ended, e.Index)
				yielded++
				if !yield(e) {
					return
				}
				continue
			}
			if len(tasks) == 0 {
				return
			}
			e := <-ends
			delete(tasks, e.Index)
			busy[e.node]--
			ended[e.Index] = e
		}
	}
}

// first returns an element that can be yielded.
func first(ended map[int]Element, next int, any bool) (e Element, ok bool) {
	if !any {
		e, ok = ended[next]
		return e, ok
	}
	for _, e := range ended {
		return e, true
	}
	return e, false
}

func least(busy []int) (at int) {
	for i, n := range busy {
		if n < busy[at] {
			at = i
		}
	}
	return at
}

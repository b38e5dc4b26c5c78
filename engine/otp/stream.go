package otp

import (
	"context"
	"iter"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// OnTimeout is what becomes of a Stream one of whose tasks takes too long.
type OnTimeout uint8

const (
	TimeoutExits OnTimeout = iota // the stream ends, with the timeout as its last element
	TimeoutKills                  // the task is killed, and its element is the timeout
)

// StreamOptions are those of Elixir's async_stream. The zero value is one task at a time
// on this node, without a time limit.
type StreamOptions struct {
	Nodes          []engine.NodeID // that the tasks run on, the one with the fewest first; none: this node
	MaxConcurrency int             // tasks that run at once; 0: one for each node
	Unordered      bool            // elements come as tasks end, not in the order of their specs
	Timeout        time.Duration   // of each task; 0: none
	OnTimeout      OnTimeout
}

// ahead bounds what an ordered Stream keeps, which Elixir does not.
const ahead = 16

// Element is how one task of a Stream ended.
type Element struct {
	Index  int // of its spec, from 0
	Result Result
	Err    error // nil: there is a result; else a *Failure
}

// Stream runs a task for each spec, and yields how each ended. It is lazy: a spec is taken when
// a task may begin, and none is while ahead times as many as may run at once have ended
// and wait for one before them. To stop iterating kills the tasks that run. A task that
// fails is an element, and the stream goes on: the tasks are not linked. It ends early
// when p must end.
func Stream(p *engine.Process, specs iter.Seq[*engine.Spec], o StreamOptions) iter.Seq[Element] {
	return func(yield func(Element) bool) {
		next, stop := iter.Pull(specs)
		defer stop()
		s := newStream(p, o)
		defer s.close()
		for more := true; ; {
			for more && s.room() {
				var spec *engine.Spec
				if spec, more = next(); more {
					s.begin(spec)
				}
			}
			for e, ok := s.ready(); ok; e, ok = s.ready() {
				if !yield(e) || s.over {
					return
				}
			}
			if more && s.room() {
				continue
			}
			if len(s.running) == 0 && !more || !s.wait() {
				return
			}
		}
	}
}

// stream is a Stream that is being read.
type stream struct {
	p       *engine.Process
	o       StreamOptions
	busy    []int // tasks by node
	running map[engine.Ref]*running
	ended   map[int]Element // not yielded yet
	ends    []int           // their indices, in the order in which they ended
	index   int             // of the next task
	yielded int             // the next one to yield in order
	failed  int             // the index of a task that ends the stream; -1: none
	over    bool
}

type running struct {
	task  *Task
	index int
	node  int
	due   time.Time
}

func newStream(p *engine.Process, o StreamOptions) *stream {
	if len(o.Nodes) == 0 {
		o.Nodes = []engine.NodeID{p.Engine().Node()}
	}
	if o.MaxConcurrency <= 0 {
		o.MaxConcurrency = len(o.Nodes)
	}
	return &stream{p: p, o: o, busy: make([]int, len(o.Nodes)), running: map[engine.Ref]*running{}, ended: map[int]Element{}, failed: -1}
}

// room reports whether a task may begin.
func (s *stream) room() bool {
	return s.failed < 0 && len(s.running) < s.o.MaxConcurrency && len(s.ended) < ahead*s.o.MaxConcurrency
}

func (s *stream) begin(spec *engine.Spec) {
	node := 0
	for i, n := range s.busy {
		if n < s.busy[node] {
			node = i
		}
	}
	i := s.index
	s.index++
	t, err := AsyncNoLink(s.p, s.o.Nodes[node], spec)
	if err != nil {
		s.end(Element{Index: i, Err: err})
		return
	}
	s.busy[node]++
	r := &running{task: t, index: i, node: node}
	if s.o.Timeout > 0 {
		r.due = time.Now().Add(s.o.Timeout)
	}
	s.running[t.request.ref] = r
}

func (s *stream) end(e Element) {
	s.ended[e.Index] = e
	s.ends = append(s.ends, e.Index)
}

// ready takes an element that can be yielded now.
func (s *stream) ready() (e Element, ok bool) {
	i := s.yielded
	if s.o.Unordered {
		if len(s.ends) == 0 {
			return e, false
		}
		i = s.ends[0]
	}
	if e, ok = s.ended[i]; !ok {
		return e, false
	}
	delete(s.ended, i)
	s.yielded++
	if s.o.Unordered {
		s.ends = s.ends[1:]
	} else {
		s.ends = s.ends[:0]
	}
	s.over = i == s.failed
	return e, true
}

// wait waits for a task to end, or to take too long. It is false if p must end.
func (s *stream) wait() bool {
	for after := uint64(0); ; {
		arrived := s.p.Arrived(after)
		if m := s.answer(&after); m != nil {
			r := s.running[m.Ref]
			s.forget(m.Ref)
			s.p.Take(m)
			result, err := answer(m, nil)
			s.end(Element{r.index, result, err})
			return true
		}
		if !s.pause(arrived) {
			return s.p.Context().Err() == nil
		}
	}
}

// answer returns a message about a task, and moves after to the last one that is none.
func (s *stream) answer(after *uint64) *engine.Message {
	for m := s.p.After(engine.Match{}, *after); m != nil; m = s.p.Next(engine.Match{}, m) {
		if r := s.running[m.Ref]; r != nil && (m.Kind == engine.MessageReply || m.Kind == engine.MessageDown) {
			return m
		}
		*after = m.ID()
	}
	return nil
}

// pause waits for a message. It is false if a task took too long meanwhile, whose element is
// there then, or if p must end.
func (s *stream) pause(arrived <-chan struct{}) bool {
	var first engine.Ref
	for ref, r := range s.running {
		if f := s.running[first]; !r.due.IsZero() && (f == nil || r.due.Before(f.due)) {
			first = ref
		}
	}
	ctx := s.p.Context()
	if r := s.running[first]; r != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.due)
		defer cancel()
	}
	select {
	case <-arrived:
		return true
	case <-ctx.Done():
	}
	r := s.running[first]
	if s.p.Context().Err() != nil || r == nil {
		return false
	}
	s.forget(first)
	r.task.kill(s.p)
	if s.o.OnTimeout == TimeoutExits {
		s.failed = r.index
		for ref, other := range s.running { // they would not be yielded
			if other.index > r.index || s.o.Unordered {
				s.forget(ref)
				other.task.kill(s.p)
			}
		}
	}
	s.end(Element{Index: r.index, Err: timedOut()})
	return false
}

func (s *stream) forget(ref engine.Ref) {
	s.busy[s.running[ref].node]--
	delete(s.running, ref)
}

// close kills what still runs.
func (s *stream) close() {
	for _, r := range s.running {
		r.task.kill(s.p)
	}
}

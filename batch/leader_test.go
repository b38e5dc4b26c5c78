package batch_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
)

// shelf is Files that knows what was asked and forgotten.
type shelf struct {
	mu        sync.Mutex
	asked     map[engine.PID]int
	forgotten map[engine.PID]bool
	full      bool
}

func (s *shelf) Ask(from engine.PID, req *engine.FileRequest, answer func(*engine.FileReply)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return false
	}
	s.asked[from]++
	go answer(&engine.FileReply{ID: req.ID, Size: 7})
	return true
}

func (s *shelf) Forget(pid engine.PID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten[pid] = true
}

// A process's files are served, those of its children too, and forgotten with it.
func TestFiles(t *testing.T) {
	for _, stays := range []bool{false, true} {
		t.Run("workers "+strconv.FormatBool(stays), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "kate", "alex")
				s := &shelf{asked: map[engine.PID]int{}, forgotten: map[engine.PID]bool{}}
				c := batch.Config{Nodes: w.find, Files: s, Worker: stays, Next: count(10)}
				ask := func(p *engine.Process) {
					for range 3 {
						if replies, err := p.File(&engine.FileRequest{}); err != nil || replies[0].Size != 7 {
							t.Errorf("%v, %v", replies, err)
						}
					}
				}
				if stays {
					c.Next = calls(10)
					c.Spec = w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) { ask(p); return line(n), engine.Reason{} }))
				} else {
					c.Spec = w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
						ask(p)
						say(p, "%s\n", args[0])
						return normal
					})
				}
				var got sink
				c.Emit = got.emit
				sum, err := batch.Run(t.Context(), w.me, c)
				if err != nil || sum.Good != 10 || got.text.String() != numbers(10) {
					t.Fatalf("%+v, %v", sum, err)
				}
				want := 10
				if stays {
					want = 2
				}
				if len(s.asked) != want {
					t.Errorf("%d processes asked", len(s.asked))
				}
				for pid, n := range s.asked {
					if n%3 != 0 || !s.forgotten[pid] {
						t.Errorf("%v asked %d times, and is forgotten: %v", pid, n, s.forgotten[pid])
					}
				}
			})
		})
	}
}

func TestNoFilesAndTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate")
		spec := w.program(func(p *engine.Process, _ string, _ []string) engine.Reason {
			replies, err := p.File(&engine.FileRequest{})
			if err != nil || replies[0].Errno != 8 {
				return engine.Reason{Word: engine.Exited, Code: 1}
			}
			return normal
		})
		var got sink
		if sum, err := batch.Run(t.Context(), w.me, batch.Config{Next: count(1), Nodes: w.find, Spec: spec, Emit: got.emit}); err != nil || sum.Good != 1 {
			t.Errorf("without files: %+v, %v", sum, err)
		}
		full := &shelf{full: true, forgotten: map[engine.PID]bool{}}
		got = sink{}
		if sum, err := batch.Run(t.Context(), w.me, batch.Config{Next: count(1), Nodes: w.find, Spec: spec, Emit: got.emit, Files: full}); err != nil || got.why[1].Word != engine.Killed {
			t.Errorf("with too many requests: %+v, %v, %v", sum, err, got.why[1])
		}
	})
}

// What a child of a task writes, on any node, is its output; what others send is not.
func TestChildrenAndStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "kate", "alex")
		child := w.programs.Add("child", func(p *engine.Process) engine.Reason {
			say(p, "child of %s\n", p.Spec().Args[0])
			return normal
		})
		var got sink
		sum, err := batch.Run(t.Context(), w.me, batch.Config{
			Next: count(5), Nodes: w.find, Emit: got.emit,
			Spec: w.program(func(p *engine.Process, node string, args []string) engine.Reason {
				say(p, "begin %s\n", args[0])
				ref := p.Engine().MakeRef()
				p.Spawn(p.Engine().Node(), &engine.Spec{Module: child, Args: args, Monitor: ref})
				if _, err := p.Receive(engine.Match{Kinds: 1 << engine.MessageDown}, -1); err != nil {
					t.Error(err)
				}
				told := make(chan engine.Reason, 10)
				stranger := p.Engine().Native(func(sig *engine.Signal) { told <- sig.Reason })
				defer stranger.Close(normal)
				to := p.Leader()
				for _, sig := range []*engine.Signal{
					{Kind: engine.KindOutput, Stream: engine.Stdout, Data: []byte("without a token\n")},
					{Kind: engine.KindOutput, Stream: engine.Stdout, Data: []byte("with another\n"), Token: [16]byte{1}},
					{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageReply, Data: []byte("an answer")}},
					{Kind: engine.KindFile, File: &engine.FileRequest{}},
					{Kind: engine.KindDown, Reason: normal},
				} {
					stranger.Send(to.PID, sig)
				}
				// With the token, but more than a chunk: its sender is to end.
				stranger.Send(to.PID, &engine.Signal{Kind: engine.KindOutput, Stream: engine.Stdout, Token: to.Token, Data: make([]byte, engine.MaxChunk+1)})
				if why := <-told; why.Word != engine.Kill {
					t.Errorf("it is told %v", why)
				}
				say(p, "end %s\n", args[0])
				return normal
			}),
		})
		if err != nil || sum.Good != 5 {
			t.Fatalf("%+v, %v", sum, err)
		}
		want := ""
		for i := range 5 {
			n := strconv.Itoa(i + 1)
			want += "begin " + n + "\nchild of " + n + "\nend " + n + "\n"
		}
		if got.text.String() != want {
			t.Errorf("output %q", got.text.String())
		}
		if !slices.Equal(got.order, []int{1, 2, 3, 4, 5}) {
			t.Error(got.order)
		}
	})
}

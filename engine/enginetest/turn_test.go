package enginetest_test

import (
	"slices"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

// turn notes what a process does with it.
type turn struct{ told chan string }

func (t *turn) Yield()  {}
func (t *turn) Pause()  { t.told <- "pause" }
func (t *turn) Resume() { t.told <- "resume" }

// A process gives up its core when it must wait, and only then.
func TestTurn(t *testing.T) {
	for _, c := range []struct {
		name  string
		does  func(p *engine.Process) error
		reply *engine.Signal // what the leader sends while it waits
		want  []string
	}{
		{"writes within its credit", func(p *engine.Process) error {
			_, err := p.Write(engine.Stdout, make([]byte, engine.OutputCredit))
			return err
		}, nil, nil},
		{"writes more", func(p *engine.Process) error {
			_, err := p.Write(engine.Stdout, make([]byte, engine.OutputCredit+1))
			return err
		}, &engine.Signal{Kind: engine.KindCredit, N: 1}, []string{"pause", "resume"}},
		{"reads", func(p *engine.Process) error {
			_, err := p.Read(make([]byte, 1), true)
			return err
		}, &engine.Signal{Kind: engine.KindInputData, Data: []byte("x")}, []string{"pause", "resume"}},
		{"reads what is there", func(p *engine.Process) error {
			<-p.Readable() // not the process's way to wait
			_, err := p.Read(make([]byte, 1), true)
			return err
		}, &engine.Signal{Kind: engine.KindInputData, Data: []byte("x")}, nil},
		{"reads without waiting", func(p *engine.Process) error {
			if _, err := p.Read(make([]byte, 1), false); err != engine.ErrWouldBlock {
				return err
			}
			return nil
		}, nil, nil},
		{"asks for files", func(p *engine.Process) error {
			_, err := p.File(&engine.FileRequest{Op: engine.FileSync}, &engine.FileRequest{Op: engine.FileSync})
			return err
		}, &engine.Signal{Kind: engine.KindFileReply}, []string{"pause", "resume"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := &turn{make(chan string, 10)}
			var ended error
			programs := &enginetest.Programs{}
			m := programs.Add("p", func(p *engine.Process) engine.Reason {
				p.SetTurn(told)
				ended = c.does(p)
				return engine.Reason{Word: engine.Normal}
			})
			e := enginetest.NewNetwork(t, programs, nil).Start("kate", 1)
			asked := make(chan *engine.Signal, 10)
			down := make(chan struct{})
			leader := e.Native(func(s *engine.Signal) {
				switch s.Kind {
				case engine.KindDown:
					close(down)
				case engine.KindInput, engine.KindFile:
					asked <- s
				}
			})
			spec := &engine.Spec{Module: m, Monitor: e.MakeRef()}
			spec.Leader.PID = leader.PID()
			pid := leader.Spawn(e.Node(), spec)
			var got []string
			if c.reply != nil {
				if len(c.want) > 0 {
					got = append(got, <-told.told)
				}
				var files int
				switch c.reply.Kind {
				case engine.KindInputData:
					<-asked
				case engine.KindFileReply:
					files = 2 // the last one first: only one wait
				}
				for i := files - 1; i > 0; i-- {
					leader.Send(pid, &engine.Signal{Kind: engine.KindFileReply, FileReply: &engine.FileReply{ID: uint64(i + 1)}})
				}
				last := *c.reply
				if files > 0 {
					last.FileReply = &engine.FileReply{ID: 1}
				}
				leader.Send(pid, &last)
			}
			<-down
			close(told.told)
			for s := range told.told {
				got = append(got, s)
			}
			if ended != nil || !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q; ended with %v", got, c.want, ended)
			}
		})
	}
}

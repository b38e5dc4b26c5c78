package enginetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

func testUnknownModule(e *env) {
	for _, m := range []engine.Module{{Name: "nobody"}, {CID: ModuleOf([]byte("nobody")).CID, Name: "nobody"}} {
		l := e.leader(e.alex)
		l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
		l.down(engine.ModuleNotFound)
	}
}

func testTag(e *env) {
	e.programs.Add("kate", say("Kate"))
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: engine.Module{Name: "kate"}})
	if s := l.next(engine.KindOutput); string(s.Data) != "Kate" {
		e.Errorf("got %q", s.Data)
	}
	l.down(engine.Normal)
}

func testCut(e *env) {
	started, ended := make(chan *engine.Process, 1), make(chan error, 1)
	m := e.programs.Add("sleep", func(p *engine.Process) engine.Reason {
		started <- p
		<-p.Context().Done()
		ended <- context.Cause(p.Context())
		_, err := p.Write(engine.Stdout, []byte("x"))
		if err == nil {
			return engine.Reasonf(engine.Trap, "wrote to a leader that is gone")
		}
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	p := <-started
	e.cluster.Cut(e.alex, e.kate)
	if r := l.down(engine.NoConnection); r.Word != engine.NoConnection {
		e.Errorf("reason %v", r)
	}
	if err := <-ended; !errors.Is(err, engine.Reason{Word: engine.NoConnection}) {
		e.Errorf("the guest ended with %v", err)
	}
	<-p.Done()
	// A new session is another one: nothing of the old run comes over it.
	e.heal(e.alex, e.kate)
	for len(l.sigs) > 0 {
		if s := <-l.sigs; s.Kind == engine.KindDown {
			e.Errorf("a second Down: %v", s.Reason)
		}
	}
}

// ping returns when both directions of the session have carried a signal.
func (e *env) ping(from, to *engine.Engine) {
	e.Helper()
	to.Serve("ping", func(context.Context, engine.Caller, []byte) ([]byte, error) { return nil, nil })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := from.Call(ctx, to.Node(), "ping", nil); err != nil {
		e.Fatalf("ping: %v", err)
	}
}

func testLeaderEnds(e *env) {
	started := make(chan *engine.Process, 1)
	m := e.programs.Add("sleep", func(p *engine.Process) engine.Reason {
		started <- p
		<-p.Context().Done()
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	p := <-started
	l.proc.Close(engine.Reason{Word: engine.LeaderGone})
	<-p.Done()
	if err := context.Cause(p.Context()); !errors.Is(err, engine.Reason{Word: engine.LeaderGone}) {
		e.Errorf("ended with %v", err)
	}
}

func testNoSession(e *env) {
	m := e.programs.Add("hello", say("hello"))
	l := e.leader(e.alex)
	l.spawn(e.alex, engine.NodeID{9}, engine.Spec{Module: m})
	l.down(engine.NoConnection)
}

func testSpawnsAtOnce(e *env) {
	const goroutines, each = 8, 25
	m := e.programs.Add("brief", func(*engine.Process) engine.Reason { return engine.Reason{Word: engine.Normal} })
	l := e.leader(e.alex)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				spec := &engine.Spec{Module: m, Monitor: e.alex.MakeRef(), Leader: engine.Leader{PID: l.proc.PID()}}
				l.proc.Spawn(e.kate.Node(), spec)
			}
		})
	}
	wg.Wait()
	seen := map[engine.PID]bool{}
	for range goroutines * each {
		s := l.next(engine.KindDown)
		if s.Reason.Word != engine.Normal || seen[s.From] {
			e.Fatalf("%v ended with %v", s.From, s.Reason)
		}
		seen[s.From] = true
	}
}

// What does not fit in a frame is refused, and the session goes on.
func testTooLarge(e *env) {
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: engine.Module{Name: "x"}, Args: []string{strings.Repeat("x", engine.MaxSpec)}})
	l.down(engine.BadArg)
	e.kate.Serve("ping", func(_ context.Context, _ engine.Caller, req []byte) ([]byte, error) {
		return bytes.Repeat([]byte("x"), len(req)+1), nil
	})
	call := func(n int, want engine.Word) {
		e.Helper()
		_, err := e.alex.Call(context.Background(), e.kate.Node(), "ping", make([]byte, n))
		if want == "" && err != nil || want != "" && !errors.Is(err, engine.Reason{Word: want}) {
			e.Errorf("a call with %d bytes: %v", n, err)
		}
	}
	call(engine.MaxCall+1, engine.BadArg)
	call(engine.MaxCall, engine.SystemLimit)
	call(engine.MaxCall-1, "")
	m := e.programs.Add("hello", say("hello"))
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m, Args: []string{strings.Repeat("x", engine.MaxSpec-100)}})
	l.down(engine.Normal)
}

func testToken(e *env) {
	// The leader must get the token of the spec with every request, and a
	// process that does not have it can only send another.
	m := e.programs.Add("hello", say("hello"))
	l := e.leader(e.alex)
	spec := engine.Spec{Module: m, Leader: engine.Leader{PID: l.proc.PID()}}
	e.connect(e.kate, "alex") // alex's side of a session may be up before kate's
	spec.Monitor = e.kate.MakeRef()
	thief := e.leader(e.kate)
	thief.proc.Spawn(e.kate.Node(), &spec)
	if s := l.next(engine.KindOutput); s.Token == l.token {
		e.Error("a process without the token sent it")
	}
}

func testOrigin(e *env) {
	other := e.cluster.Start("other", 2)
	e.connect(other, "kate")
	started := make(chan *engine.Process, 1)
	m := e.programs.Add("sleep", func(p *engine.Process) engine.Reason {
		started <- p
		<-p.Context().Done()
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	p := <-started
	if p.Spec().Origin != e.alex.Owner() {
		e.Errorf("origin %x", p.Spec().Origin)
	}
	thief := e.leader(other)
	thief.proc.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
	thief.proc.Send(pid, &engine.Signal{Kind: engine.KindExit, Reason: engine.Reason{Word: engine.Killed}})
	e.ping(other, e.kate)
	if p.Context().Err() != nil {
		e.Error("a node of another origin killed the process")
	}
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill}})
	l.down(engine.Killed)
}

func testCalls(e *env) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.kate.Serve("ps", func(_ context.Context, from engine.Caller, req []byte) ([]byte, error) {
		return append([]byte(from.Name+":"), req...), nil
	})
	e.kate.Serve("status", func(context.Context, engine.Caller, []byte) ([]byte, error) {
		return nil, engine.Reasonf(engine.SystemLimit, "full")
	})
	block := make(chan struct{})
	e.kate.Serve("peers", func(context.Context, engine.Caller, []byte) ([]byte, error) {
		<-block
		return []byte("late"), nil
	})
	defer close(block)
	if got, err := e.alex.Call(ctx, e.kate.Node(), "ps", []byte("x")); string(got) != "alex:x" || err != nil {
		e.Errorf("ps: %q, %v", got, err)
	}
	if _, err := e.alex.Call(ctx, e.kate.Node(), "status", nil); !errors.Is(err, engine.Reasonf(engine.SystemLimit, "full")) {
		e.Errorf("an error's word and text: %v", err)
	}
	if _, err := e.alex.Call(ctx, e.kate.Node(), "stop", nil); !errors.Is(err, engine.Reason{Word: engine.NoProc}) {
		e.Errorf("a service that is not offered: %v", err)
	}
	if _, err := e.alex.Call(ctx, e.kate.Node(), "no such action", nil); !errors.Is(err, engine.Reason{Word: engine.NotAllowed}) {
		e.Errorf("a service that the table does not know: %v", err)
	}
	short, cancel2 := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel2()
	if _, err := e.alex.Call(short, e.kate.Node(), "peers", nil); !errors.Is(err, engine.Reason{Word: engine.Timeout}) {
		e.Errorf("a call without an answer: %v", err)
	}
	if _, err := e.alex.Call(ctx, engine.NodeID{9}, "ps", nil); !errors.Is(err, engine.Reason{Word: engine.NoConnection}) {
		e.Errorf("a call without a session: %v", err)
	}
}

func testCallCut(e *env) {
	in := make(chan struct{})
	e.kate.Serve("ps", func(ctx context.Context, _ engine.Caller, _ []byte) ([]byte, error) {
		close(in)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() {
		<-in
		e.cluster.Cut(e.kate, e.alex)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := e.alex.Call(ctx, e.kate.Node(), "ps", nil); !errors.Is(err, engine.Reason{Word: engine.NoConnection}) {
		e.Errorf("got %v", err)
	}
}

func testStop(e *env) {
	started := make(chan struct{})
	m := e.programs.Add("sleep", func(p *engine.Process) engine.Reason {
		close(started)
		<-p.Context().Done()
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	<-started
	e.kate.Close()
	l.down(engine.Shutdown)
}

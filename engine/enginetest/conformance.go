package enginetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Cluster makes nodes that can reach each other by name.
type Cluster interface {
	// Start starts a node of a user, whose processes run the cluster's
	// programs. It is stopped when the test ends. One of that name that was started
	// before is stopped first, and has its next life.
	Start(name string, user byte) *engine.Engine
	// Cut breaks the session between two nodes; they may connect again.
	Cut(a, b *engine.Engine)
}

// patience bounds a wait for what must come; reaching it is a failure.
const patience = 20 * time.Second

// Conformance runs the suite; cluster makes a fresh cluster that runs programs.
func Conformance(t *testing.T, cluster func(t *testing.T, programs *Programs) Cluster) {
	for _, c := range []struct {
		name string
		test func(*env)
	}{
		{"local run", func(e *env) { testHello(e, e.alex) }},
		{"remote run", func(e *env) { testHello(e, e.kate) }},
		{"exit reasons arrive as they are", testReasons},
		{"output is exact, in order and before the exit", testOutput},
		{"a leader that stalls stops only its own guest", testStall},
		{"input is live and its end stays", testInput},
		{"input is read only when asked for", testInputAsked},
		{"file requests in order of asking", testFiles},
		{"a kill ends a guest blocked in output, input, files", testKill},
		{"wall time limit", testTimeout},
		{"output limit", testOutputLimit},
		{"unknown module", testUnknownModule},
		{"a tag is looked up at the target", testTag},
		{"lost connection: one Down, and the guest ends", testCut},
		{"leader that ends takes its guest along", testLeaderEnds},
		{"spawn without a session", testNoSession},
		{"spawns of several goroutines at once", testSpawnsAtOnce},
		{"what is too large for a frame", testTooLarge},
		{"io without the token is not served", testToken},
		{"another origin may not kill", testOrigin},
		{"calls", testCalls},
		{"a call over a lost connection", testCallCut},
		{"stopping a node says shutdown", testStop},
	} {
		t.Run(c.name, func(t *testing.T) {
			programs := &Programs{}
			cl := cluster(t, programs)
			e := &env{T: t, cluster: cl, programs: programs}
			e.alex = cl.Start("alex", 1)
			e.kate = cl.Start("kate", 1)
			e.connect(e.alex, "kate")
			c.test(e)
		})
	}
	processModel(t, cluster)
}

type env struct {
	*testing.T
	cluster    Cluster
	programs   *Programs
	alex, kate *engine.Engine
	there      *engine.Engine // of the two, where the partner of the tested process is
	labels     *labels
}

func (e *env) connect(from *engine.Engine, name string) engine.NodeID {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	id, err := from.Connect(ctx, name)
	if err != nil {
		e.Fatalf("connect to %s: %v", name, err)
	}
	return id
}

// leader is a group leader that keeps all signals it gets.
type leader struct {
	e     *env
	proc  *engine.Native
	token [16]byte
	sigs  chan *engine.Signal
}

func (e *env) leader(on *engine.Engine) *leader {
	l := &leader{e: e, token: [16]byte{7}, sigs: make(chan *engine.Signal, 1<<16)}
	l.proc = on.Native(func(s *engine.Signal) { l.sigs <- s })
	return l
}

// spawn starts m on a node, monitored and linked.
func (l *leader) spawn(on *engine.Engine, at engine.NodeID, spec engine.Spec) engine.PID {
	spec.Leader = engine.Leader{PID: l.proc.PID(), Token: l.token}
	spec.Link = true
	spec.Monitor = on.MakeRef()
	return l.proc.Spawn(at, &spec)
}

// next returns the next signal of one of the kinds, skipping others.
func (l *leader) next(kinds ...engine.Kind) *engine.Signal {
	l.e.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-l.sigs:
			if slices.Contains(kinds, s.Kind) {
				return s
			}
		case <-timeout:
			l.e.Fatalf("no signal of kind %v", kinds)
		}
	}
}

// down waits for the end of the run, and checks its reason's word.
func (l *leader) down(want engine.Word) engine.Reason {
	l.e.Helper()
	r := l.next(engine.KindDown).Reason
	if r.Word != want {
		l.e.Fatalf("ended with %q (%v), want %q", r.Word, r, want)
	}
	return r
}

func say(text string) Program {
	return func(p *engine.Process) engine.Reason {
		if _, err := p.Write(engine.Stdout, []byte(text)); err != nil {
			return engine.Reasonf(engine.Trap, "write: %v", err)
		}
		return engine.Reason{Word: engine.Normal}
	}
}

func testHello(e *env, at *engine.Engine) {
	m := e.programs.Add("hello", say("hello"))
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, at.Node(), engine.Spec{Module: m})
	out := l.next(engine.KindOutput)
	if string(out.Data) != "hello" || out.Stream != engine.Stdout || out.From != pid || out.Token != l.token {
		e.Errorf("got %q on %d from %v", out.Data, out.Stream, out.From)
	}
	l.down(engine.Normal)
	if n := len(at.Processes()); n != 0 {
		e.Errorf("%d processes are left after the Down", n)
	}
}

func testReasons(e *env) {
	for _, want := range []engine.Reason{
		{Word: engine.Normal}, {Word: engine.Exited, Code: 3}, {Word: engine.Trap, Detail: "unreachable\n\tat f"},
		{Word: "a word of a later version", Detail: "x"},
	} {
		m := e.programs.Add("r", func(*engine.Process) engine.Reason { return want })
		l := e.leader(e.alex)
		l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
		if got := l.next(engine.KindDown).Reason; got != want {
			e.Errorf("got %#v, want %#v", got, want)
		}
	}
}

// pattern is n bytes whose every place can be told.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func testOutput(e *env) {
	want := pattern(3 << 20)
	m := e.programs.Add("flood", func(p *engine.Process) engine.Reason {
		for b := want; len(b) > 0; {
			n := min(len(b), 1+len(b)%100_000)
			if _, err := p.Write(engine.Stdout, b[:n]); err != nil {
				return engine.Reason{Word: engine.Trap}
			}
			b = b[n:]
		}
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	var got []byte
	for {
		s := l.next(engine.KindOutput, engine.KindDown)
		if s.Kind == engine.KindDown {
			break
		}
		if len(s.Data) > engine.MaxChunk {
			e.Fatalf("a chunk of %d bytes", len(s.Data))
		}
		got = append(got, s.Data...)
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(s.Data))})
	}
	if !bytes.Equal(got, want) {
		e.Errorf("got %d bytes that differ from the %d sent", len(got), len(want))
	}
}

func testStall(e *env) {
	reached := make(chan int, 1)
	flood := e.programs.Add("flood", func(p *engine.Process) engine.Reason {
		n, _ := p.Write(engine.Stdout, make([]byte, 2*engine.OutputCredit))
		reached <- n
		return engine.Reason{Word: engine.Normal}
	})
	hello := e.programs.Add("hello", say("hello"))
	stalled := e.leader(e.alex)
	pid := stalled.spawn(e.alex, e.kate.Node(), engine.Spec{Module: flood})
	for got := 0; got < engine.OutputCredit; {
		got += len(stalled.next(engine.KindOutput).Data)
	}
	other := e.leader(e.alex)
	other.spawn(e.alex, e.kate.Node(), engine.Spec{Module: hello})
	other.down(engine.Normal)
	select {
	case <-reached:
		e.Fatal("the guest wrote beyond its credit")
	case s := <-stalled.sigs:
		e.Fatalf("the leader got a signal of kind %d beyond the credit", s.Kind)
	default:
	}
	stalled.proc.Send(pid, &engine.Signal{Kind: engine.KindCredit, N: engine.OutputCredit})
	stalled.down(engine.Normal)
	if n := <-reached; n != 2*engine.OutputCredit {
		e.Errorf("wrote %d bytes", n)
	}
}

func testInput(e *env) {
	m := e.programs.Add("cat", func(p *engine.Process) engine.Reason {
		buf := make([]byte, 10)
		for eofs := 0; eofs < 2; {
			n, err := p.Read(buf, true)
			if errors.Is(err, io.EOF) {
				eofs++
				continue
			}
			if err != nil {
				return engine.Reasonf(engine.Trap, "%v", err)
			}
			p.Write(engine.Stderr, buf[:n])
		}
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	for _, line := range []string{"one\n", strings.Repeat("x", 25)} {
		if n := l.next(engine.KindInput).N; n == 0 || n > engine.MaxInput {
			e.Fatalf("asks for %d bytes", n)
		}
		half := len(line) / 2
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: []byte(line[:half]), More: true})
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: []byte(line[half:])})
		got := ""
		for len(got) < len(line) {
			s := l.next(engine.KindOutput)
			if s.Stream != engine.Stderr {
				e.Fatalf("stream %d", s.Stream)
			}
			got += string(s.Data)
		}
		if got != line {
			e.Fatalf("got %q, want %q", got, line)
		}
	}
	l.next(engine.KindInput)
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData})
	l.down(engine.Normal)
}

func testInputAsked(e *env) {
	m := e.programs.Add("eager", func(p *engine.Process) engine.Reason {
		if _, err := p.Read(make([]byte, 1), false); !errors.Is(err, engine.ErrWouldBlock) {
			return engine.Reasonf(engine.Trap, "a read that must not block: %v", err)
		}
		<-p.Readable()
		b := make([]byte, 9)
		n, err := p.Read(b, false)
		if err != nil || string(b[:n]) != "x" {
			return engine.Reasonf(engine.Trap, "got %q, %v", b[:n], err)
		}
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	l.next(engine.KindInput)
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: []byte("x")})
	l.down(engine.Normal)

	none := e.programs.Add("none", func(p *engine.Process) engine.Reason {
		_, err := p.Read(make([]byte, 1), true)
		return engine.Reasonf(engine.Trap, "%v", err)
	})
	l = e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: none, NoInput: true})
	if r := l.next(engine.KindInput, engine.KindDown); r.Reason.Detail != "EOF" {
		e.Errorf("without input: %v", r.Reason)
	}
}

func testFiles(e *env) {
	const n = 100
	m := e.programs.Add("files", func(p *engine.Process) engine.Reason {
		var reqs []*engine.FileRequest
		for i := range n {
			reqs = append(reqs, &engine.FileRequest{Op: engine.FileWrite, Handle: 1, Offset: uint64(i), Data: pattern(i)})
		}
		replies, err := p.File(reqs...)
		if err != nil {
			return engine.Reasonf(engine.Trap, "%v", err)
		}
		for i, r := range replies {
			if r.Size != uint64(i) || r.Stat.Mtime != uint64(i) || string(r.Data) != "ok" || r.Errno != engine.Errno(i) {
				return engine.Reasonf(engine.Trap, "reply %d is %+v", i, r)
			}
		}
		return engine.Reason{Word: engine.Normal}
	})
	l := e.leader(e.alex)
	pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
	for i := range n {
		s := l.next(engine.KindFile)
		f := s.File
		if f.Op != engine.FileWrite || f.Handle != 1 || f.Offset != uint64(i) || !bytes.Equal(f.Data, pattern(i)) || s.Token != l.token {
			e.Fatalf("request %d is %+v", i, f)
		}
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindFileReply, FileReply: &engine.FileReply{
			ID: f.ID, Size: f.Offset, Errno: engine.Errno(i), Stat: engine.FileAttr{Mtime: uint64(i)}, Data: []byte("ok"),
		}})
	}
	l.down(engine.Normal)
}

func testKill(e *env) {
	for name, f := range map[string]Program{
		"computing": func(p *engine.Process) engine.Reason { <-p.Context().Done(); return engine.Reason{Word: engine.Normal} },
		"output": func(p *engine.Process) engine.Reason {
			p.Write(1, make([]byte, 1<<20))
			return engine.Reason{Word: engine.Normal}
		},
		"input": func(p *engine.Process) engine.Reason {
			p.Read(make([]byte, 1), true)
			return engine.Reason{Word: engine.Normal}
		},
		"files": func(p *engine.Process) engine.Reason {
			p.File(&engine.FileRequest{Op: engine.FileSync, Handle: 1})
			return engine.Reason{Word: engine.Normal}
		},
	} {
		started := make(chan struct{})
		m := e.programs.Add(name, func(p *engine.Process) engine.Reason { close(started); return f(p) })
		l := e.leader(e.alex)
		pid := l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m})
		<-started
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Normal}})
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: name}})
		if r := l.down(engine.Killed); r.Detail != name {
			e.Errorf("%s: reason %v", name, r)
		}
	}
}

func testTimeout(e *env) {
	m := e.programs.Add("sleep", func(p *engine.Process) engine.Reason { <-p.Context().Done(); return engine.Reason{Word: engine.Normal} })
	l := e.leader(e.alex)
	l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m, Limits: engine.Limits{Wall: 20 * time.Millisecond}})
	l.down(engine.Timeout)
}

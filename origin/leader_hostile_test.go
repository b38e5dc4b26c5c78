package origin

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

func TestCreditIsEnforced(t *testing.T) {
	// A node that sends beyond the credit cannot make the leader keep it all.
	var p enginetest.Programs
	alex, _ := pair(t, &p)
	block := make(chan struct{})
	w := blockedWriter{block}
	l := New(alex, Config{Stdout: w})
	defer l.Close()
	defer close(block)
	liar := alex.Native(func(*engine.Signal) {})
	for range 100 {
		l.out.add(&engine.Signal{Kind: engine.KindOutput, From: liar.PID(), Stream: engine.Stdout, Data: make([]byte, engine.MaxChunk)})
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if got := l.out.unpaid[liar.PID()]; got > engine.OutputCredit {
		t.Errorf("the leader holds %d bytes of it", got)
	}
}

type blockedWriter struct{ block chan struct{} }

func (w blockedWriter) Write(b []byte) (int, error) { <-w.block; return len(b), nil }

func TestNoTokenNoService(t *testing.T) {
	var p enginetest.Programs
	alex, _ := pair(t, &p)
	in := strings.NewReader("secret")
	var out bytes.Buffer
	l := New(alex, Config{Stdin: in, Stdout: &out})
	got := make(chan *engine.Signal, 10)
	thief := alex.Native(func(s *engine.Signal) { got <- s })
	thief.Send(l.proc.PID(), &engine.Signal{Kind: engine.KindOutput, Data: []byte("forged")})
	thief.Send(l.proc.PID(), &engine.Signal{Kind: engine.KindInput, N: 100})
	thief.Send(l.proc.PID(), &engine.Signal{Kind: engine.KindFile, File: &engine.FileRequest{Op: engine.FileStat, Handle: 1}})
	l.Close()
	if len(got) != 0 || out.Len() != 0 || in.Len() != len("secret") {
		t.Errorf("%d answers, %q written, %d bytes of stdin left", len(got), out.String(), in.Len())
	}
}

// A child has the token from its parent and is served as that is; nothing is kept
// for a process that has ended, or that there never was.
func TestChildrenAreServed(t *testing.T) {
	var p enginetest.Programs
	child := p.Add("child", func(p *engine.Process) engine.Reason {
		if _, err := p.Write(engine.Stdout, []byte("child, ")); err != nil {
			return engine.Reasonf(engine.Trap, "%v", err)
		}
		return engine.Reason{Word: engine.Normal}
	})
	parent := p.Add("parent", func(p *engine.Process) engine.Reason {
		ref := p.Engine().MakeRef()
		if _, err := p.Spawn(p.Spec().Parent.Node, &engine.Spec{Module: child, Monitor: ref}); err != nil {
			return engine.Reasonf(engine.Trap, "%v", err)
		}
		m, err := p.Receive(engine.Match{Ref: ref}, -1)
		if err != nil || m.Reason.Word != engine.Normal {
			return engine.Reasonf(engine.Trap, "child: %v, %v", m, err)
		}
		if _, err := p.Write(engine.Stdout, []byte("parent")); err != nil {
			return engine.Reasonf(engine.Trap, "%v", err)
		}
		return engine.Reason{Word: engine.Normal}
	})
	alex, kate := pair(t, &p)
	files, err := OpenDirs([]Dir{{Host: t.TempDir(), Guest: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	var out bytes.Buffer
	in := strings.NewReader("secret")
	l := New(alex, Config{Stdin: in, Stdout: &out, Files: files})
	l.Spawn(kate, &engine.Spec{Module: parent})
	if x := wait(t, l); x.Reason.Word != engine.Normal {
		t.Fatal(x.Reason)
	}
	gone := alex.Native(func(*engine.Signal) {})
	gone.Close(engine.Reason{Word: engine.Normal})
	for _, sig := range []*engine.Signal{
		{Kind: engine.KindOutput, Data: []byte("forged")},
		{Kind: engine.KindInput, N: 100},
		{Kind: engine.KindFile, File: &engine.FileRequest{Op: engine.FileStat, Handle: 1}},
	} {
		sig.From, sig.Token = gone.PID(), l.token
		l.handle(sig)
	}
	l.files.mu.Lock()
	queues := len(l.files.queues)
	l.files.mu.Unlock()
	l.Close()
	if queues != 0 || len(files.procs) != 0 || in.Len() != len("secret") || out.String() != "child, parent" {
		t.Errorf("%d queues, %d tables, %d bytes of stdin left, output %q", queues, len(files.procs), in.Len(), out.String())
	}
}

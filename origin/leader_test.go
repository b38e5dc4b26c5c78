package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns two connected nodes; guests run on the second.
func pair(t *testing.T, p *enginetest.Programs) (alex *engine.Engine, kate engine.NodeID) {
	n := enginetest.NewNetwork(t, p, nil)
	alex = n.Start("alex", 1)
	n.Start("kate", 1)
	kate, err := alex.Connect(t.Context(), "kate")
	if err != nil {
		t.Fatal(err)
	}
	return alex, kate
}

func wait(t *testing.T, l *Leader) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	x, err := l.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestOutputIsExactAndApart(t *testing.T) {
	var p enginetest.Programs
	var wantOut, wantErr bytes.Buffer
	for i := range 5000 {
		wantOut.WriteString(strings.Repeat("o", i%97))
		wantErr.WriteString(strings.Repeat("e", i%89))
	}
	m := p.Add("both", func(p *engine.Process) engine.Reason {
		for i := range 5000 {
			p.Write(engine.Stdout, bytes.Repeat([]byte("o"), i%97))
			p.Write(engine.Stderr, bytes.Repeat([]byte("e"), i%89))
		}
		return engine.Reason{Word: engine.Exited, Code: 7}
	})
	alex, kate := pair(t, &p)
	var out, errs bytes.Buffer
	l := New(alex, Config{Stdout: &out, Stderr: &errs})
	defer l.Close()
	pid := l.Spawn(kate, &engine.Spec{Module: m})
	x := wait(t, l)
	if x.Reason.Code != 7 || x.PID != pid || x.Output != nil {
		t.Errorf("ended with %+v", x)
	}
	if !bytes.Equal(out.Bytes(), wantOut.Bytes()) || !bytes.Equal(errs.Bytes(), wantErr.Bytes()) {
		t.Errorf("got %d and %d bytes, want %d and %d", out.Len(), errs.Len(), wantOut.Len(), wantErr.Len())
	}
}

// merged keeps the order in which two streams were written.
type merged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (m *merged) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.buf.Write(b)
}

func TestOrderAcrossStreams(t *testing.T) {
	var p enginetest.Programs
	var want strings.Builder
	for i := range 500 {
		want.WriteString(strings.Repeat("o", i%3) + strings.Repeat("e", i%5))
	}
	m := p.Add("turns", func(p *engine.Process) engine.Reason {
		for i := range 500 {
			p.Write(engine.Stdout, bytes.Repeat([]byte("o"), i%3))
			p.Write(engine.Stderr, bytes.Repeat([]byte("e"), i%5))
		}
		return engine.Reason{Word: engine.Normal}
	})
	alex, kate := pair(t, &p)
	var both merged
	l := New(alex, Config{Stdout: &both, Stderr: &both})
	defer l.Close()
	l.Spawn(kate, &engine.Spec{Module: m})
	wait(t, l)
	if both.buf.String() != want.String() {
		t.Error("the streams are not in the order written")
	}
}

func flood(n int) enginetest.Program {
	return func(p *engine.Process) engine.Reason {
		b := make([]byte, 100_000)
		for n := n; n > 0; n -= len(b) {
			if _, err := p.Write(engine.Stdout, b); err != nil {
				return engine.Reason{Word: engine.Trap, Detail: err.Error()}
			}
		}
		return engine.Reason{Word: engine.Normal}
	}
}

type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("pipe closed")
	}
	return len(b), nil
}

func TestOutputThatCannotBeWrittenEndsTheRun(t *testing.T) {
	var p enginetest.Programs
	m := p.Add("flood", flood(100<<20))
	alex, kate := pair(t, &p)
	l := New(alex, Config{Stdout: &failing{left: 1 << 20}})
	defer l.Close()
	l.Spawn(kate, &engine.Spec{Module: m})
	if x := wait(t, l); x.Reason.Word != engine.Killed || x.Output == nil || x.Output.Error() != "pipe closed" {
		t.Errorf("ended with %+v", x)
	}
}

func cat(p *engine.Process) engine.Reason {
	b := make([]byte, 1000)
	for {
		n, err := p.Read(b, true)
		if err == io.EOF {
			return engine.Reason{Word: engine.Normal}
		}
		if err != nil {
			return engine.Reason{Word: engine.Trap, Detail: err.Error()}
		}
		p.Write(engine.Stdout, b[:n])
	}
}

func TestInput(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 20_000)
	for name, in := range map[string]io.Reader{
		"none":        nil,
		"empty":       strings.NewReader(""),
		"a line":      strings.NewReader("one\n"),
		"large":       strings.NewReader(big),
		"in pieces":   io.MultiReader(strings.NewReader("a"), strings.NewReader("b"), strings.NewReader(big)),
		"that breaks": io.MultiReader(strings.NewReader("a"), brokenReader{}),
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"a line": "one\n", "large": big, "in pieces": "ab" + big, "that breaks": "a"}[name]
			var p enginetest.Programs
			m := p.Add("cat", cat)
			alex, kate := pair(t, &p)
			var out bytes.Buffer
			l := New(alex, Config{Stdin: in, Stdout: &out})
			defer l.Close()
			l.Spawn(kate, &engine.Spec{Module: m})
			if x := wait(t, l); x.Reason.Word != engine.Normal {
				t.Errorf("ended with %+v", x)
			}
			if out.String() != want {
				t.Errorf("got %d bytes, want %d", out.Len(), len(want))
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("EIO") }

func TestInputIsNotReadBeforeItIsAskedFor(t *testing.T) {
	var p enginetest.Programs
	m := p.Add("deaf", func(*engine.Process) engine.Reason { return engine.Reason{Word: engine.Normal} })
	alex, kate := pair(t, &p)
	in := strings.NewReader("for the shell")
	l := New(alex, Config{Stdin: in})
	defer l.Close()
	l.Spawn(kate, &engine.Spec{Module: m})
	wait(t, l)
	if in.Len() != len("for the shell") {
		t.Error("stdin was read")
	}
}

func TestKillIsConfirmed(t *testing.T) {
	var p enginetest.Programs
	started := make(chan struct{})
	m := p.Add("sleep", func(p *engine.Process) engine.Reason {
		close(started)
		<-p.Context().Done()
		return engine.Reason{Word: engine.Normal}
	})
	alex, kate := pair(t, &p)
	l := New(alex, Config{})
	defer l.Close()
	pid := l.Spawn(kate, &engine.Spec{Module: m})
	<-started
	l.Kill(pid, "by hand")
	if x := wait(t, l); x.Reason.Word != engine.Killed || x.Reason.Detail != "by hand" {
		t.Errorf("ended with %+v", x)
	}
}

// A leader whose ends nobody waits for can still be closed.
func TestCloseWithoutWait(t *testing.T) {
	var p enginetest.Programs
	m := p.Add("hello", func(p *engine.Process) engine.Reason {
		p.Write(engine.Stdout, []byte("dropped: there is no stdout"))
		return engine.Reason{Word: engine.Normal}
	})
	alex, kate := pair(t, &p)
	l := New(alex, Config{})
	for range 3 {
		l.Spawn(kate, &engine.Spec{Module: m})
	}
	wait(t, l)
	wait(t, l)
	l.Close()
}

// A spawn that is refused at once, while Spawn has not returned, is an end like
// any other.
func TestSpawnWithoutSession(t *testing.T) {
	alex, _ := pair(t, &enginetest.Programs{})
	l := New(alex, Config{})
	defer l.Close()
	pid := l.Spawn(engine.NodeID{9}, &engine.Spec{})
	x, err := l.Wait(t.Context())
	if err != nil || x.PID != pid || x.Reason.Word != engine.NoConnection {
		t.Fatalf("%+v, %v", x, err)
	}
}

// How a process ended that a leader was linked with is known also if it ended before it
// was followed.
func TestFollow(t *testing.T) {
	programs := &enginetest.Programs{}
	alex, _ := pair(t, programs)
	for _, late := range []bool{false, true} {
		l := New(alex, Config{})
		end := make(chan struct{})
		spec := engine.Func("f", func(*engine.Process) engine.Reason {
			<-end
			return engine.Reason{Word: engine.Shutdown, Detail: "why"}
		})
		spec.Origin, spec.Parent, spec.LinkTo, spec.Leader = alex.Owner(), l.Leader().PID, l.Leader().PID, l.Leader()
		pid := alex.Start(spec)
		p := alex.Process(pid)
		if late {
			close(end)
			<-p.Done()
		}
		l.Follow(pid)
		if !late {
			close(end)
		}
		if x := wait(t, l); x.PID != pid || x.Reason != (engine.Reason{Word: engine.Shutdown, Detail: "why"}) {
			t.Errorf("late %v: %+v", late, x)
		}
		l.Close()
	}
}

package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLogs(t *testing.T, dir string, incarnation uint32) (*engine.Engine, *Logs) {
	t.Helper()
	e := engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: incarnation, Owner: engine.Origin{1}})
	l, err := New(e, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); l.Close() })
	return e, l
}

// run runs a process to the end of its function.
func run(e *engine.Engine, f func(*engine.Process)) engine.PID {
	done := make(chan struct{})
	pid := e.Go("writer", func(p *engine.Process) engine.Reason {
		defer close(done)
		f(p)
		return engine.Reason{Word: engine.Normal}
	})
	<-done
	return pid
}

// text reads all that is left of a process's output.
func text(t *testing.T, l *Logs, pid engine.PID) (out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for from, more := int64(0), true; more; {
		var recs []Record
		var err error
		if recs, from, more, err = l.Read(ctx, pid, from); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatal("the end does not come")
		}
		for _, r := range recs {
			if r.Stream == engine.Stderr {
				errs += string(r.Data)
			} else {
				out += string(r.Data)
			}
		}
	}
	return out, errs
}

func TestOutputIsKept(t *testing.T) {
	dir := t.TempDir()
	e, l := newLogs(t, dir, 1)
	pid := run(e, func(p *engine.Process) {
		for i := range 3 {
			p.Write(engine.Stdout, fmt.Appendf(nil, "line %d\n", i))
			p.Write(engine.Stderr, []byte("!"))
		}
		if _, err := p.Read(make([]byte, 1), true); err == nil {
			p.Write(engine.Stderr, []byte("there is input"))
		}
	})
	out, errs := text(t, l, pid)
	if out != "line 0\nline 1\nline 2\n" || errs != "!!!" {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
	e.Close()
	l.Close()
	_, l = newLogs(t, dir, 2)
	if again, _ := text(t, l, pid); again != out {
		t.Errorf("after a start of the node: %q", again)
	}
	if _, _, _, err := l.Read(t.Context(), engine.PID{Node: engine.NodeID{1}, Counter: 99}, 0); !errors.Is(err, ErrNone) {
		t.Errorf("of another process: %v", err)
	}
}

// The ring keeps the end, and says so by the offset.
func TestRingKeepsTheEnd(t *testing.T) {
	dir := t.TempDir()
	e, l := newLogs(t, dir, 1)
	line := strings.Repeat("x", 999) + "\n"
	const lines = 3 * maxFile / 1000
	pid := run(e, func(p *engine.Process) {
		for i := range lines {
			p.Write(engine.Stdout, []byte(fmt.Sprintf("%06d", i)+line[6:]))
		}
	})
	e.Close()
	l.Close() // all is written
	_, l = newLogs(t, dir, 2)
	out, _ := text(t, l, pid)
	if !strings.HasSuffix(out, fmt.Sprintf("%06d", lines-1)+line[6:]) || len(out) < maxFile*9/10 || len(out) > 2*maxFile {
		t.Errorf("%d bytes are left, ending in %q", len(out), out[max(0, len(out)-1000):][:6])
	}
	if first := out[:6]; len(out)%1000 != 0 || first != fmt.Sprintf("%06d", lines-len(out)/1000) {
		t.Errorf("the first line is %s of %d", first, len(out)/1000)
	}
}

// What a crash cut short is not shown, and what is no log is not read.
func TestDamagedLogs(t *testing.T) {
	dir := t.TempDir()
	e, l := newLogs(t, dir, 1)
	pid := run(e, func(p *engine.Process) {
		p.Write(engine.Stdout, []byte("whole"))
	})
	text(t, l, pid)
	path := l.path(pid)
	e.Close()
	l.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"cut in a record": append(bytes.Clone(b), appendRecord(nil, Record{Data: []byte("half")})[:15]...),
		"no header":       b[bytes.IndexByte(b, '\n')+1:],
		"empty":           nil,
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		e := engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 2})
		l, err := New(e, dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		recs, _, _, err := l.Read(t.Context(), pid, 0)
		whole := len(recs) == 1 && string(recs[0].Data) == "whole"
		if want := name == "cut in a record"; whole != want || !want && !errors.Is(err, ErrNone) {
			t.Errorf("%s: %v, %v", name, recs, err)
		}
		e.Close()
		l.Close()
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, Record{Time: time.Unix(1, 2), Stream: engine.Stderr, Data: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, ok := parseRecord(b)
		if ok && !bytes.Equal(appendRecord(nil, r), b[:n]) {
			t.Errorf("%x reads as %+v", b, r)
		}
	})
}

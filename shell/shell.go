package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
)

// Config describes a session. All fields are needed.
type Config struct {
	Engine *engine.Engine
	Leader engine.Leader // of the processes it starts
	Out    io.Writer     // where print and flush write
	// Module finds what a module's name means on a node: a file here, or what the
	// node calls so.
	Module func(ctx context.Context, name string, node engine.NodeID) (engine.Module, error)
}

// Session is a shell. Its methods are safe for concurrent use, and wait for each
// other.
type Session struct {
	cfg  Config
	eval chan func(*engine.Process)
	done chan struct{} // closed when its process has ended
	stop context.CancelFunc
	proc *engine.Process

	// Of the process's goroutine.
	thread  *starlark.Thread
	globals starlark.StringDict
	started map[engine.PID]engine.Ref // processes that run, or whose end was not looked at
}

// New starts a session.
func New(c Config) *Session {
	ctx, stop := context.WithCancel(context.Background())
	s := &Session{
		cfg: c, eval: make(chan func(*engine.Process)), done: make(chan struct{}), stop: stop,
		started: map[engine.PID]engine.Ref{},
	}
	s.thread = &starlark.Thread{Name: "shell", Print: func(_ *starlark.Thread, text string) { fmt.Fprintln(c.Out, text) }}
	s.globals = s.builtins()
	ready := make(chan struct{})
	c.Engine.Go("shell", func(p *engine.Process) engine.Reason {
		defer close(s.done)
		p.TrapExit(true)
		s.proc = p
		close(ready)
		for {
			select {
			case f := <-s.eval:
				f(p)
			case <-ctx.Done():
				return engine.Reason{Word: engine.Normal}
			case <-p.Context().Done():
				return engine.Reason{Word: engine.Killed}
			}
		}
	})
	<-ready
	return s
}

// errEnded is the error of a session whose process has ended.
var errEnded = errors.New("the shell's process has ended")

// do runs f on the process's goroutine. When the context is done what it evaluates is
// cancelled.
func (s *Session) do(ctx context.Context, f func(context.Context) error) (err error) {
	over := make(chan struct{})
	select {
	case s.eval <- func(*engine.Process) { defer close(over); err = f(ctx) }:
	case <-s.done:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-over:
		return err
	case <-s.done:
		return errEnded
	}
}

// PID returns the process's name.
func (s *Session) PID() engine.PID { return s.proc.PID() }

// Names returns the names that an expression can begin with, sorted.
func (s *Session) Names() (names []string) {
	_ = s.do(context.Background(), func(context.Context) error {
		names = s.globals.Keys()
		for name := range starlark.Universe {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil
	})
	return names
}

// Eval evaluates a statement, several, or an expression, and returns the text of the
// expression's value, "" if that is None. line returns further lines of a statement
// that goes over several, and io.EOF if there are none; nil is none. The error of
// the code that is evaluated has a trace.
func (s *Session) Eval(ctx context.Context, text string, line func() (string, error)) (value string, err error) {
	if line == nil {
		line = func() (string, error) { return "", io.EOF }
	}
	err = s.do(ctx, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { s.thread.Cancel("interrupted") })
		defer s.thread.Uncancel()
		defer stop()
		s.thread.SetLocal(contextKey, ctx)
		v, err := s.run(text, line)
		var trace *starlark.EvalError
		if errors.As(err, &trace) {
			err = errors.New(trace.Backtrace())
		}
		if err == nil && v != starlark.None {
			value = v.String()
		}
		return err
	})
	return value, err
}

const contextKey = "wnode context"

var options = &syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true}

func (s *Session) run(text string, more func() (string, error)) (starlark.Value, error) {
	lines := strings.SplitAfter(text, "\n")
	next := func() ([]byte, error) {
		if len(lines) > 0 {
			line := strings.TrimSuffix(lines[0], "\n") + "\n"
			lines = lines[1:]
			return []byte(line), nil
		}
		line, err := more()
		return []byte(line + "\n"), err
	}
	var last starlark.Value = starlark.None
	for len(lines) > 0 {
		if strings.TrimSpace(lines[0]) == "" {
			lines = lines[1:]
			continue
		}
		f, err := options.ParseCompoundStmt("shell", next)
		if err != nil {
			return nil, err
		}
		if len(f.Stmts) == 1 {
			if e, ok := f.Stmts[0].(*syntax.ExprStmt); ok {
				if last, err = starlark.EvalExprOptions(f.Options, s.thread, e.X, s.globals); err != nil {
					return nil, err
				}
				continue
			}
		}
		last = starlark.None
		if err := starlark.ExecREPLChunk(f, s.thread, s.globals); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// Wait returns when the processes that the session started have ended.
func (s *Session) Wait(ctx context.Context) error {
	return s.do(ctx, func(ctx context.Context) error {
		s.thread.SetLocal(contextKey, ctx)
		for child, monitor := range s.started {
			if _, err := s.wait(engine.Match{Kinds: 1 << engine.MessageDown, Ref: monitor}, -1); err != nil {
				return err
			}
			delete(s.started, child)
		}
		return nil
	})
}

// Close ends the session's process, and with it those that it is linked with.
func (s *Session) Close() {
	s.stop()
	<-s.done
}

// client returns the services of a node by its name; "" is this one.
func (s *Session) client(name string) (control.Client, error) {
	c := control.Client{Engine: s.cfg.Engine, Node: s.cfg.Engine.Node()}
	if name == "" {
		return c, nil
	}
	var err error
	c.Node, err = s.cfg.Engine.Connect(s.context(), name)
	return c, err
}

// context returns that of the evaluation under way.
func (s *Session) context() context.Context {
	return s.thread.Local(contextKey).(context.Context)
}

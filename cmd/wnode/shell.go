package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
	"github.com/wnode-project/wnode/shell"
)

func (a *app) shellCmd() *cobra.Command {
	var on, code string
	c := &cobra.Command{
		Use:   "shell",
		Short: "Talk to processes, in Starlark",
		Long: `Start an interactive process. It evaluates Starlark, a small Python; help() lists the
functions that it adds. Processes that it starts write to this terminal. It connects to
your nodes that run here, or to those of --on. With -c it evaluates that, waits for what
it started, and ends.`,
		Example: `  wnode shell
  wnode shell -c 'spawn_link("kate", "kate", "say_name")'
  wnode shell -c 'call("counter@kate", "inc 2")'`,
		Args: exactArgs(0, "shell"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.shell(c.Context(), on, code, c.Flags().Changed("command"))
		},
	}
	c.Flags().StringVar(&on, "on", "", "connect to the `NODE`s, separated by commas, first")
	c.Flags().StringVarP(&code, "command", "c", "", "evaluate `CODE` and end")
	return c
}

func (a *app) shell(ctx context.Context, on, code string, once bool) error {
	stop, end := interrupts()
	defer end()
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	names := strings.Split(on, ",")
	if on == "" {
		names = nil
		for _, r := range a.home.Announced() {
			names = append(names, r.Name)
		}
	}
	for _, name := range names {
		if _, err := a.reach(ctx, n, name); err != nil {
			if on != "" {
				return err
			}
			a.note("%s: %s", clean(name), clean(err.Error()))
		}
	}
	line := a.lines(once)
	l := origin.New(n.Engine, origin.Config{Stdout: line.out, Stderr: line.err})
	defer l.Close()
	s := shell.New(shell.Config{
		Engine: n.Engine, Leader: l.Leader(), Out: line.out,
		Module: func(ctx context.Context, name string, node engine.NodeID) (engine.Module, error) {
			return a.resolve(ctx, n, name, 0, node != n.Self.Node)
		},
	})
	defer s.Close()
	if once {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case sig := <-stop:
				cancel(interrupted{sig})
			case <-ctx.Done():
			}
		}()
		err := a.evalOnce(ctx, s, l, code)
		var i interrupted
		if errors.As(context.Cause(ctx), &i) {
			return &failure{"interrupted", signalCode(i.s), signalCode(i.s), i}
		}
		return err
	}
	return a.interact(ctx, s, l, line, stop)
}

// evalOnce evaluates code, prints its value, and waits for what it started.
func (a *app) evalOnce(ctx context.Context, s *shell.Session, l *origin.Leader, code string) error {
	value, err := s.Eval(ctx, code, nil)
	if err != nil {
		return err
	}
	if err := s.Wait(ctx); err != nil {
		return err
	}
	l.Flush(ctx)
	if value != "" {
		_, err = fmt.Fprintln(a.out, value)
	}
	return err
}

// lines is where an interactive shell's lines come from and its output goes.
type lines struct {
	out, err io.Writer
	read     func(prompt string) (string, error)
	restore  func() // the terminal, while a line is read; may be nil
}

// lines returns an editor on a terminal, else what stdin has.
func (a *app) lines(once bool) lines {
	fd := int(a.in.Fd())
	out, isFile := a.out.(*os.File)
	if once || !isFile || !term.IsTerminal(fd) || !term.IsTerminal(int(out.Fd())) {
		in := bufio.NewReader(a.in)
		return lines{out: a.out, err: a.err, read: func(string) (string, error) {
			text, err := in.ReadString('\n')
			if text != "" && errors.Is(err, io.EOF) {
				err = nil
			}
			return strings.TrimSuffix(text, "\n"), err
		}}
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{a.in, a.out}, "")
	if w, h, err := term.GetSize(fd); err == nil {
		_ = t.SetSize(w, h)
	}
	x := &screen{edits: t, plain: out}
	plain, err := term.GetState(fd)
	restore := func() {
		if err == nil {
			_ = term.Restore(fd, plain)
		}
	}
	return lines{out: x, err: x, restore: restore, read: func(prompt string) (string, error) {
		if _, err := term.MakeRaw(fd); err == nil {
			defer restore()
		}
		x.edit(true)
		defer x.edit(false)
		t.SetPrompt(prompt)
		return t.ReadLine()
	}}
}

// screen is a terminal that is raw only while a line is edited on it: else Ctrl-C
// would be a byte that nobody reads, not a signal. It is safe for concurrent use.
type screen struct {
	edits, plain io.Writer

	mu  sync.Mutex
	raw bool
}

func (x *screen) edit(raw bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.raw = raw
}

// Write writes above the line that is edited, if one is.
func (x *screen) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.raw {
		return x.edits.Write(b)
	}
	return x.plain.Write(b)
}

// next reads a line. A signal ends the wait for it: on a terminal Ctrl-C is none then.
func (l lines) next(prompt string, stop <-chan os.Signal) (string, error) {
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() { // it stays if a signal comes: a read cannot be called off
		text, err := l.read(prompt)
		got <- line{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case sig := <-stop:
		if l.restore != nil {
			l.restore()
		}
		return "", endedBy(sig)
	}
}

func endedBy(sig os.Signal) error {
	return &failure{"interrupted", signalCode(sig), signalCode(sig), interrupted{sig}}
}

// interact evaluates line after line. An error is printed, and the next line is read.
func (a *app) interact(ctx context.Context, s *shell.Session, leader *origin.Leader, l lines, stop <-chan os.Signal) error {
	for {
		text, err := l.next(">>> ", stop)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		evaluating, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		var ended error
		go func() {
			defer close(done)
			select {
			case sig := <-stop:
				if sig != os.Interrupt {
					ended = endedBy(sig)
				}
				cancel()
			case <-evaluating.Done():
			}
		}()
		value, err := s.Eval(evaluating, text, func() (string, error) { return l.next("... ", nil) })
		leader.Flush(evaluating) // what was written before the value is known
		cancel()
		<-done
		switch {
		case ended != nil:
			return ended
		case err != nil:
			fmt.Fprintf(l.err, "%s\n", clean(err.Error()))
		case value != "":
			fmt.Fprintf(l.out, "%s\n", value)
		}
	}
}

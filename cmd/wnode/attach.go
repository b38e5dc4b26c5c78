package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode/origin"
)

func (a *app) attachCmd() *cobra.Command {
	var noInput bool
	c := &cobra.Command{
		Use:   "attach PROC",
		Short: "Make this terminal the one of a detached process",
		Long: `Make this terminal the group leader of a detached process: from now on its output
comes here, and its input from here. Ctrl-C leaves it as it was; its output then goes
to its log again. When the process ends, the exit code is as of run. ` + procHelp,
		Example: `  wnode attach kate.1.3.19
  wnode attach chat@kate`,
		Args: exactArgs(1, "attach PROC"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.attach(c.Context(), args[0], noInput)
		},
	}
	c.Flags().BoolVarP(&noInput, "no-input", "n", false, "leave stdin alone: the process sees its end")
	return c
}

func (a *app) attach(ctx context.Context, text string, noInput bool) error {
	stop, end := interrupts()
	defer end()
	p, err := a.find(ctx, text)
	if err != nil {
		return err
	}
	defer p.Close()
	d, err := p.Describe(ctx, p.pid)
	if err != nil {
		return err
	}
	cfg := origin.Config{Stdin: a.in, Stdout: a.out, Stderr: a.err}
	if noInput {
		cfg.Stdin = nil
	}
	l := origin.New(p.Engine, cfg)
	defer l.Close()
	l.Attach(p.pid)
	defer a.watchWindow(l)()
	done := make(chan origin.Exit, 1)
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if x, err := l.Wait(wait); err == nil {
			done <- x
		}
	}()
	select {
	case x := <-done:
		status := runStatus{PID: d.PID}
		err := a.ended(x, nil, d.PID, &status)
		a.code = status.Code
		return err
	case s := <-stop:
		l.Detach(p.pid)
		// What it wrote until then comes here; the answer is behind it.
		if _, err := p.Ping(ctx); err != nil {
			return err
		}
		if s == os.Interrupt {
			a.note("left %s running", clean(d.PID))
			return nil
		}
		return &failure{"interrupted", signalCode(s), signalCode(s), fmt.Errorf("left %s running", d.PID)}
	}
}

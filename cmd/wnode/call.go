package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/origin"
	"github.com/wnode-project/wnode/placement"
)

// callFlags are the flags of call.
type callFlags struct {
	runFlags
	input string
	wait  time.Duration // for a server
}

func (a *app) callCmd() *cobra.Command {
	var f callFlags
	c := &cobra.Command{
		Use:   "call [flags] MODULE EXPORT [args...] | call [flags] PROC [request...]",
		Short: "Call a function of a module, or a server, and print what it returns",
		Long: `Call an export of a module, in a fresh process on the nodes that --on means, and
print what it returns: numbers by the export's signature, or the bytes that it gives.
Or have a server process handle a request. ` + procHelp + `
NAME@all and other selectors call the server of that name on each node.

With several nodes there is a line for each, in order: the node, a tab, the result;
failures go to stderr. What the code itself prints goes to stderr.

Exit codes: 0 a value; the guest's own, if it exited with one; 121 it threw an error;
122 it exited with a reason; 134 it trapped; 124 the time was over; 137 it was killed,
or its node was lost; 126 the module cannot run; 127 there is no such module, export
or process; 125 wnode failed; 5 some of several nodes failed.`,
		Example: `  wnode call --on kate add.wasm add 2 3
  wnode call --on all --input image.png resize.wasm thumbnail
  wnode call counter@kate inc 2
  wnode call counter@all get`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || !isProc(args[0]) && len(args) == 1 {
				return usagef("want: wnode call [flags] MODULE EXPORT [args...], or wnode call [flags] PROC [request...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.wait < 0 {
				return usagef("--wait must not be negative")
			}
			ctx, cancel := context.WithCancelCause(c.Context())
			defer cancel(nil)
			stop, end := interrupts()
			defer end()
			go func() {
				for s := range stop {
					cancel(interrupted{s})
				}
			}()
			err := a.call(ctx, &f, args, c.Flags().Changed("on"))
			var i interrupted
			if err != nil && errors.As(context.Cause(ctx), &i) {
				return &failure{"interrupted", signalCode(i.s), signalCode(i.s), i}
			}
			return err
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&f.on, "on", "local", "call it on `SEL`: nodes, local, any, any:N, all, label:K=V, separated by commas")
	fl.StringVar(&f.input, "input", "", "give it the bytes of `FILE`, - is stdin: a module's code as its input, just under 1 MiB on another node, or a server as the request, 16 MiB")
	fl.DurationVar(&f.wait, "wait", otp.CallTimeout, "wait so long for a server; 0 is for ever")
	return c
}

// isProc reports whether a word names a process and not a module.
func isProc(word string) bool {
	if isPath(word) {
		return false
	}
	_, _, err := engine.ParsePID(word)
	return err == nil || strings.Contains(word, "@")
}

// outcome is what one node answered.
type outcome struct {
	Node   string `json:"node"`
	Class  string `json:"class"` // value, or otp.Class
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"` // in place of text that is not UTF-8
	Reason string `json:"reason,omitempty"`
	Code   uint32 `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`

	data []byte
	err  error
}

func (a *app) call(ctx context.Context, f *callFlags, args []string, on bool) error {
	input, err := a.input(f.input)
	if err != nil {
		return err
	}
	switch {
	case !isProc(args[0]):
		return a.callModule(ctx, f, args, input)
	case on:
		return usagef("--on is for modules: a server is where it is, and NAME@%s is the one of that name there", clean(f.on))
	case f.input != "" && len(args) > 1:
		return usagef("--input and %q are both the request", clean(args[1]))
	}
	if f.input == "" {
		input = []byte(strings.Join(args[1:], " "))
	}
	if f.wait == 0 {
		f.wait = -1
	}
	return a.callServers(ctx, args[0], input, f.wait)
}

// input reads what --input names. What is too long to be sent is not read to its end.
func (a *app) input(name string) ([]byte, error) {
	var in io.Reader = a.in
	switch name {
	case "":
		return nil, nil
	case "-":
	default:
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
		defer file.Close()
		in = file
	}
	b, err := io.ReadAll(io.LimitReader(in, engine.MaxMessage+1))
	if err == nil && len(b) > engine.MaxMessage {
		err = usagef("--input: there is more than %s", engine.SizeText(engine.MaxMessage))
	}
	return b, err
}

func (a *app) callModule(ctx context.Context, f *callFlags, args []string, input []byte) error {
	f.invoke = args[1]
	spec, _, err := a.spec(&f.runFlags, args[2:])
	if err != nil {
		return err
	}
	sel, err := parseOn(f.on)
	if err != nil {
		return err
	}
	spec.NoInput, spec.Terminal, spec.Input = true, engine.Terminal{}, input
	n, err := a.start(ctx, wnode.Config{Offline: offline(f.on, args[0])})
	if err != nil {
		return err
	}
	defer n.Close()
	if spec.Module, err = a.resolve(ctx, n, args[0], spec.Limits.Memory, f.on); err != nil {
		return err
	}
	places, err := a.places(ctx, n, f.on, spec.Module.CID)
	if err != nil {
		return err
	}
	l := origin.New(n.Engine, origin.Config{Stdout: a.err, Stderr: a.err})
	defer l.Close()
	// The link ends the code with this command; Wall is the same time there.
	spec.Leader, spec.Link = l.Leader(), true
	wait := time.Duration(-1)
	if f.timeout > 0 {
		wait = f.timeout + 2*time.Second
	}
	outcomes := eachPlace(ctx, n, places, func(p *engine.Process, at placement.Place) ([]byte, error) {
		s := *spec
		r, err := otp.Apply(p, at.Node, &s, wait)
		return r.Data, err
	})
	l.Flush(ctx) // what the code printed came before its result
	return a.printOutcomes(ctx, outcomes, sel.Every() || len(places) > 1)
}

func (a *app) callServers(ctx context.Context, proc string, request []byte, wait time.Duration) error {
	name, on, named := strings.Cut(proc, "@")
	var n *wnode.Node
	var places []placement.Place
	several := false
	server := func(at placement.Place) otp.Server { return otp.Server{Node: at.Node, Name: name} }
	if named && name != "" {
		sel, err := parseOn(on)
		if err != nil {
			return err
		}
		if !engine.ValidName(name) {
			return usagef("%q is no name of a process: 1 to 63 of a-z 0-9 _ -", clean(name))
		}
		if n, err = a.start(ctx, wnode.Config{}); err != nil {
			return err
		}
		defer n.Close()
		if places, err = a.places(ctx, n, on, engine.Module{}.CID); err != nil {
			return err
		}
		several = sel.Every() || len(places) > 1
	} else {
		p, err := a.find(ctx, proc)
		if err != nil {
			return err
		}
		defer p.Close()
		n, places = p.own, []placement.Place{{Node: p.pid.Node}}
		server = func(placement.Place) otp.Server { return otp.Server{PID: p.pid} }
	}
	outcomes := eachPlace(ctx, n, places, func(p *engine.Process, at placement.Place) ([]byte, error) {
		b, err := otp.Call(p, server(at), request, wait)
		if f := (*otp.Failure)(nil); errors.As(err, &f) && f.Reason == (engine.Reason{Word: engine.NoProc}) {
			f.Reason.Detail = fmt.Sprintf("there is no process %s", proc)
			if server(at).Name != "" {
				f.Reason.Detail = fmt.Sprintf("nobody is called %q there", name)
			}
		}
		return b, err
	})
	return a.printOutcomes(ctx, outcomes, several)
}

// eachPlace calls f for each place, in a process of its own, and returns what came of it in
// their order. The end of ctx ends the processes.
func eachPlace(ctx context.Context, n *wnode.Node, places []placement.Place, f func(p *engine.Process, at placement.Place) ([]byte, error)) []outcome {
	outcomes, done := make([]outcome, len(places)), make(chan struct{}, len(places))
	for i, at := range places {
		o := &outcomes[i]
		o.Node = at.Name
		if o.Node == "" {
			o.Node = "local"
		}
		n.Engine.Go("call", func(p *engine.Process) engine.Reason {
			defer func() { done <- struct{}{} }()
			defer context.AfterFunc(ctx, func() { p.Kill(engine.Reason{Word: engine.Killed}) })()
			p.TrapExit(true) // what fails is told by its Down
			o.data, o.err = f(p, at)
			return engine.Reason{Word: engine.Shutdown} // ends what it is linked with
		})
	}
	for range places {
		<-done
	}
	return outcomes
}

// printOutcomes prints what came of a call, and sets the exit code.
func (a *app) printOutcomes(ctx context.Context, outcomes []outcome, several bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failed := 0
	for i := range outcomes {
		o := &outcomes[i]
		o.describe()
		if o.err == nil {
			continue
		}
		if failed++; failed == 1 {
			a.code = callCode(o.err)
		}
	}
	if several && failed > 0 && failed < len(outcomes) {
		a.code = exitPartial
	}
	switch {
	case a.json && several:
		return a.print(outcomes)
	case a.json:
		return a.print(outcomes[0])
	case !several && failed > 0:
		return a.failed(outcomes[0].err)
	case !several:
		return a.printBytes(outcomes[0].data)
	}
	for _, o := range outcomes {
		if o.err != nil {
			a.note("%s: %s", clean(o.Node), clean(o.err.Error()))
			continue
		}
		if _, err := fmt.Fprintf(a.out, "%s\t%s\n", clean(o.Node), bytes.ReplaceAll(bytes.TrimSuffix(o.data, []byte("\n")), []byte("\n"), []byte(" "))); err != nil {
			return err
		}
	}
	return nil
}

// failed returns the error of a call, with its exit code.
func (a *app) failed(err error) error {
	word := "failed"
	var f *otp.Failure
	if errors.As(err, &f) {
		if word = string(f.Class); f.Class == otp.ERPC {
			word = string(f.Reason.Word)
		}
	}
	return &failure{word, callCode(err), callCode(err), err}
}

// printBytes prints a result as it is; a terminal gets a whole line of it.
func (a *app) printBytes(b []byte) error {
	if len(b) > 0 && b[len(b)-1] != '\n' && a.terminal(false).Stdout {
		b = append(b, '\n')
	}
	_, err := a.out.Write(b)
	return err
}

func (o *outcome) describe() {
	o.Class = "value"
	var f *otp.Failure
	switch {
	case o.err == nil && utf8.Valid(o.data):
		o.Text = string(o.data)
	case o.err == nil:
		o.Base64 = o.data
	case errors.As(o.err, &f):
		o.Class, o.Reason, o.Code, o.Detail = string(f.Class), string(f.Reason.Word), f.Reason.Code, f.Reason.Detail
	default:
		o.Class, o.Detail = string(otp.ERPC), o.err.Error()
	}
}

// callCode returns the exit code of a call that failed.
func callCode(err error) int {
	var f *otp.Failure
	if !errors.As(err, &f) {
		return exitOwn
	}
	switch {
	case f.Class == otp.Throw:
		return exitThrown
	case f.Class == otp.Exit && f.Reason.Word != engine.Exited:
		return exitReason
	case f.Class == otp.Error:
		return exitTrap
	case f.Class == otp.Signal && f.Reason.Word != engine.Timeout:
		return exitKilled
	}
	return reasonCode(f.Reason)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

// runFlags are the flags of run.
type runFlags struct {
	on, invoke, status string
	env, dirs          []string
	timeout            time.Duration
	memory, stack      string
	output             string
	fuel, files, seed  uint64
	clock              string
	grants             []string
	noInput, terminal  bool
	fresh, drop        bool
	mailbox            string
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [flags] MODULE [args...]",
		Short: "Run a module here or on a node, attached to this terminal",
		Long: `Run a module: a .wasm or .car file, source (a name that ends in .go, .c, .rs or
.ts, or a directory as ./cmd/job), a CID or a prefix of one, a tag, or PEER/TAG:
what that node calls so. Source is built first, with the compiler that is here. Its
input, output and --dir directories are this terminal's, wherever it runs. The exit
code is the guest's, or 124 timeout, 125 wnode failed, 126 the module cannot run,
127 not found, 130 Ctrl-C, 134 trap, 137 killed or node down.`,
		Example: `  wnode run --on kate hello.wasm world
  echo text | wnode run --on kate --dir .::/data cat.wasm
  wnode run --on kate ./cmd/job
  wnode run --on kate --invoke say_name kate
  wnode run --on alex kate/hello`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("want: wnode run [flags] MODULE [args...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.run(c.Context(), &f, args[0], args[1:]) },
	}
	f.add(c)
	fl := c.Flags()
	f.addInvoke(c)
	fl.StringVar(&f.on, "on", "local", "run it on `SEL`: a node, local, any (the least loaded one), label:K=V, or several separated by commas, of which the least loaded one is taken")
	fl.StringArrayVar(&f.dirs, "dir", nil, "give the guest a directory of this machine: `HOST::GUEST[:ro]` (repeatable)")
	fl.BoolVarP(&f.noInput, "no-input", "n", false, "leave stdin alone: the guest sees its end")
	fl.BoolVarP(&f.terminal, "tty", "t", false, "tell the guest it has a terminal (automatic on one)")
	fl.StringVar(&f.status, "status", "", "write how it ended to `FILE`, as JSON")
	return c
}

// addInvoke adds the flag of what has an entry.
func (f *runFlags) addInvoke(c *cobra.Command) {
	c.Flags().StringVar(&f.invoke, "invoke", "", "call `EXPORT` instead of _start; args are its arguments, results are printed")
}

// add adds the flags that run, call and spawn share.
func (f *runFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.SetInterspersed(false)
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set `K=V` in the guest's environment (repeatable)")
	fl.DurationVar(&f.timeout, "timeout", 0, "end it after this time, counted from the spawn")
	fl.StringVar(&f.memory, "memory", "", "limit its memory, as 32MiB (default 64MiB)")
	fl.Uint64Var(&f.fuel, "fuel", 0, "end it when it has used `N` reductions, about one for each instruction (default no limit)")
	fl.StringVar(&f.stack, "stack", "", "limit how much its nested calls take, as 16MiB (default 4MiB)")
	fl.StringVar(&f.output, "output", "", "end it when it has written `SIZE` to stdout and stderr and writes more, as 1MiB (default no limit)")
	fl.Uint64Var(&f.files, "files", 0, fmt.Sprintf("let it have `N` descriptors open at once, its streams and each --dir included (default %d, which is the most)", abi.MaxDescriptors))
	fl.Uint64Var(&f.seed, "seed", 0, "give it the same random bytes each time, of this `SEED`")
	fl.StringVar(&f.clock, "clock", "real", "let its time be `KIND`: real, fixed or virtual; fixed and virtual may begin at a date, as virtual@2026-01-01T00:00:00Z")
	fl.BoolVar(&f.fresh, "fresh", false, "run a library's _initialize anew; else it may begin with what one of your earlier runs on that node left, random seeds that were read there included")
	fl.StringSliceVar(&f.grants, "grant", nil, "let it use a `GROUP` of host functions: "+strings.Join(abi.Grants(), ", ")+" (repeatable)")
	fl.StringVar(&f.mailbox, "mailbox", "", "limit what waits in its mailbox, as 1MiB (default 16MiB)")
	fl.BoolVar(&f.drop, "drop", false, "drop messages that find its mailbox full; else their senders wait")
}

// spec turns the flags into a Spec without a module.
func (a *app) spec(f *runFlags, args []string) (*engine.Spec, []origin.Dir, error) {
	s := &engine.Spec{Entry: f.invoke, Args: args, NoInput: f.noInput}
	for _, e := range f.env {
		k, _, ok := strings.Cut(e, "=")
		if !ok {
			// As env(1) does not: a variable is passed on only by name.
			v, set := os.LookupEnv(k)
			if !set {
				return nil, nil, usagef("-e %s: want K=V, or the name of a variable that is set", clean(e))
			}
			e = k + "=" + v
		}
		if k == "" || strings.ContainsRune(e, 0) {
			return nil, nil, usagef("-e %q: want K=V", clean(e))
		}
		s.Env = append(s.Env, e)
	}
	var dirs []origin.Dir
	for _, d := range f.dirs {
		dir, err := parseDir(d)
		if err != nil {
			return nil, nil, err
		}
		dirs = append(dirs, dir)
	}
	if f.timeout < 0 {
		return nil, nil, usagef("--timeout must not be negative")
	}
	s.Limits.Wall = f.timeout
	for _, l := range []struct {
		flag, text string
		to         *uint64
	}{{"memory", f.memory, &s.Limits.Memory}, {"stack", f.stack, &s.Limits.Stack}, {"output", f.output, &s.Limits.Output}, {"mailbox", f.mailbox, &s.Limits.Mailbox}} {
		if l.text == "" {
			continue
		}
		n, err := engine.ParseSize(l.text)
		if err != nil {
			return nil, nil, usagef("--%s %w", l.flag, err)
		}
		*l.to = n
	}
	for _, g := range f.grants {
		if !slices.Contains(abi.Grants(), g) {
			return nil, nil, usagef("--grant %q: there is no such group; there are: %s", clean(g), strings.Join(abi.Grants(), ", "))
		}
	}
	if f.files > abi.MaxDescriptors {
		return nil, nil, usagef("--files %d: there are %d at most", f.files, abi.MaxDescriptors)
	}
	s.Limits.Files, s.DropWhenFull = f.files, f.drop
	s.Limits.Fuel, s.Seed, s.Grants, s.Fresh = f.fuel, f.seed, f.grants, f.fresh
	var err error
	if s.Clock, err = parseClock(f.clock); err != nil {
		return nil, nil, err
	}
	s.Terminal = a.terminal(f.terminal)
	return s, dirs, nil
}

// parseDir reads HOST::GUEST[:ro]. HOST alone is seen under the same name.
func parseDir(d string) (origin.Dir, error) {
	host, guest, ok := strings.Cut(d, "::")
	dir := origin.Dir{Host: host, Guest: guest}
	if !ok {
		dir.Guest = host
	}
	if g, ro := strings.CutSuffix(dir.Guest, ":ro"); ro {
		dir.Guest, dir.ReadOnly = g, true
		if !ok {
			dir.Host = g
		}
	}
	if dir.Host == "" || dir.Guest == "" {
		return dir, usagef("--dir %s: want HOST::GUEST or HOST::GUEST:ro", clean(d))
	}
	return dir, nil
}

// parseClock reads real, fixed or virtual, the latter two with an optional @DATE.
func parseClock(s string) (engine.Clock, error) {
	kind, date, dated := strings.Cut(s, "@")
	c := engine.Clock{Kind: map[string]engine.ClockKind{"fixed": engine.ClockFixed, "virtual": engine.ClockVirtual}[kind]}
	if c.Kind == engine.ClockReal && s != "real" {
		return c, usagef("--clock %q: want real, fixed or virtual", clean(s))
	}
	if dated {
		t, err := time.Parse(time.RFC3339, date)
		if err != nil {
			return c, usagef("--clock %q: want a date as 2026-01-01T00:00:00Z behind the @", clean(s))
		}
		c.Start = t.UnixNano()
	}
	return c, nil
}

// terminal describes the standard streams.
func (a *app) terminal(force bool) engine.Terminal {
	is := func(v any) bool {
		f, ok := v.(*os.File)
		return force || ok && term.IsTerminal(int(f.Fd()))
	}
	t := engine.Terminal{Stdin: is(a.in), Stdout: is(a.out), Stderr: is(a.err)}
	t.Rows, t.Cols = a.windowSize()
	return t
}

func (a *app) windowSize() (rows, cols uint16) {
	f, ok := a.out.(*os.File)
	if !ok {
		return 0, 0
	}
	w, h, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return uint16(h), uint16(w)
}

func (a *app) run(ctx context.Context, f *runFlags, module string, args []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop, end := interrupts()
	defer end()
	status := runStatus{Node: f.on}
	err := a.runAttached(ctx, cancel, stop, f, module, args, &status)
	if err != nil {
		c := classify(err)
		status.Code, status.Reason = c.run, c.word
		status.Message = err.Error()
	}
	if f.status != "" {
		b, jerr := json.MarshalIndent(status, "", "  ")
		if jerr == nil {
			jerr = home.WriteFile(f.status, append(b, '\n'))
		}
		if jerr != nil {
			return errors.Join(err, fmt.Errorf("--status: %w", jerr))
		}
	}
	a.code = status.Code
	return err
}

// runStatus is what --status writes.
type runStatus struct {
	Node      string  `json:"node"`
	PID       string  `json:"pid,omitempty"`
	CID       string  `json:"cid,omitempty"`
	Reason    string  `json:"reason"`
	Code      int     `json:"code"`
	Message   string  `json:"message,omitempty"`
	Trap      string  `json:"trap,omitempty"`
	Fetch     float64 `json:"fetch_seconds"`
	Compile   float64 `json:"compile_seconds"`
	Start     float64 `json:"start_seconds"`
	Run       float64 `json:"run_seconds"`
	MaxMemory uint64  `json:"max_memory_bytes"`
	Fuel      uint64  `json:"fuel"`
}

// interrupted is the cause of a run that a signal ended before its spawn.
type interrupted struct{ s os.Signal }

func (i interrupted) Error() string { return "ended by " + i.s.String() }

// signalCode is what a shell reports for a command ended by a signal.
func signalCode(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitInterrupted
}

func (a *app) runAttached(ctx context.Context, cancel context.CancelCauseFunc, stop <-chan os.Signal, f *runFlags, module string, args []string, status *runStatus) error {
	spec, dirs, err := a.spec(f, args)
	if err != nil {
		return err
	}
	// Until the spawn there is nothing to end but this command itself.
	spawned := make(chan struct{})
	signals := make(chan os.Signal, 4)
	go func() {
		for s := range stop {
			select {
			case <-spawned:
				signals <- s
			default:
				cancel(interrupted{s})
			}
		}
	}()

	n, l, pid, err := a.spawn(ctx, f.on, spec, dirs, module)
	close(spawned)
	if err != nil {
		var i interrupted
		if errors.As(context.Cause(ctx), &i) {
			return &failure{"interrupted", signalCode(i.s), signalCode(i.s), i}
		}
		return err
	}
	defer n.Close()
	defer l.Close()
	status.PID = n.Engine.PIDText(pid)
	if spec.Module.CID.Defined() {
		status.CID = spec.Module.CID.String()
	}
	defer a.watchWindow(l)()
	exit, sig, err := a.await(ctx, l, n, pid, signals, f.timeout)
	if err != nil {
		return err
	}
	return a.ended(exit, sig, f.on, status)
}

// spawn brings up what the run needs and starts it.
func (a *app) spawn(ctx context.Context, on string, spec *engine.Spec, dirs []origin.Dir, module string) (_ *wnode.Node, _ *origin.Leader, pid engine.PID, err error) {
	if err := oneNode(on); err != nil {
		return nil, nil, pid, err
	}
	files, err := origin.OpenDirs(dirs)
	if err != nil {
		return nil, nil, pid, &failure{"no_such_dir", exitOwn, exitFailed, fmt.Errorf("--dir: %w", err)}
	}
	n, err := a.start(ctx, wnode.Config{Offline: offline(on, module)})
	if err != nil {
		files.Close()
		return nil, nil, pid, err
	}
	defer func() {
		if err != nil {
			files.Close()
			err = errors.Join(err, n.Close())
		}
	}()
	// The check comes first: a bad module is refused whatever the node is.
	if spec.Module, err = a.resolve(ctx, n, module, spec.Limits.Memory, on); err != nil {
		return nil, nil, pid, err
	}
	target, err := a.place(ctx, n, on, spec.Module.CID)
	if err != nil {
		return nil, nil, pid, err
	}
	l := origin.New(n.Engine, origin.Config{Stdin: a.in, Stdout: a.out, Stderr: a.err, Files: files})
	return n, l, l.Spawn(target.Node, spec), nil
}

// await waits for the end of the run. The first signal kills it and goes on
// waiting for the confirmation; the second leaves at once.
func (a *app) await(ctx context.Context, l *origin.Leader, n *wnode.Node, pid engine.PID, signals <-chan os.Signal, timeout time.Duration) (origin.Exit, os.Signal, error) {
	type result struct {
		exit origin.Exit
		err  error
	}
	done := make(chan result, 1)
	go func() {
		x, err := l.Wait(ctx)
		done <- result{x, err}
	}()
	var late <-chan time.Time
	if timeout > 0 {
		// The target ends it; this is for a target that does not answer.
		late = time.After(timeout + 2*time.Second)
	}
	var first os.Signal
	for {
		select {
		case r := <-done:
			return r.exit, first, r.err
		case s := <-signals:
			if first != nil {
				return origin.Exit{}, nil, &failure{"interrupted", signalCode(s), signalCode(s),
					fmt.Errorf("left without waiting: %s is told to end when this connection closes", n.Engine.PIDText(pid))}
			}
			first = s
			l.Kill(pid, "interrupted at its terminal")
		case <-late:
			return origin.Exit{}, nil, &failure{"timeout", exitTimeout, exitFailed,
				fmt.Errorf("timeout: the node did not confirm that %s ended", n.Engine.PIDText(pid))}
		}
	}
}

// ended reports the end of a run on stderr and in status.
func (a *app) ended(x origin.Exit, sig os.Signal, node string, status *runStatus) error {
	status.Reason = string(x.Reason.Word)
	status.Message = x.Reason.Detail
	status.Fetch, status.Compile = seconds(x.Report.Fetch), seconds(x.Report.Compile)
	status.Start, status.Run = seconds(x.Report.Start), seconds(x.Report.Run)
	status.MaxMemory, status.Fuel = x.Report.MaxMemory, x.Report.Fuel
	status.Code = reasonCode(x.Reason)
	switch x.Reason.Word {
	case engine.Normal, engine.Exited:
		if x.Output != nil {
			return fmt.Errorf("output: %w", x.Output)
		}
		return nil
	case engine.Stack:
		status.Trap = x.Reason.Detail
	case engine.Trap:
		status.Trap = x.Reason.Detail
		return &failure{string(x.Reason.Word), status.Code, status.Code, fmt.Errorf("%s: trap: %s", status.PID, x.Reason.Detail)}
	case engine.Killed:
		if sig != nil {
			status.Code = signalCode(sig)
			return &failure{"interrupted", status.Code, status.Code, fmt.Errorf("%s ended by %v", status.PID, sig)}
		}
		if x.Output != nil {
			return &failure{"output", exitOwn, exitFailed, fmt.Errorf("output: %w", x.Output)}
		}
	case engine.NoConnection:
		return &failure{"node_down", status.Code, status.Code, fmt.Errorf("node down: lost %s while %s ran there; what it wrote until then is above", node, status.PID)}
	}
	return &failure{string(x.Reason.Word), status.Code, status.Code, fmt.Errorf("%s: %w", status.PID, x.Reason)}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
	"github.com/wnode-project/wnode/placement"
)

// maxFailed is the highest exit code that counts failed tasks.
const maxFailed = 101

// mapFlags are the flags of map beside those of run.
type mapFlags struct {
	runFlags
	jobs, block, halt string
	pipe, worker      bool
	retries           int
	retryTraps, hedge bool

	unordered, resume, bar  bool
	prefix, results, joblog string
}

func (a *app) mapCmd() *cobra.Command {
	var f mapFlags
	c := &cobra.Command{
		Use:   "map [flags] MODULE [args...] [::: values...]",
		Short: "Run a module once for each line or value, in parallel on several nodes",
		Long: `Run a module once for each task: each line of stdin, each value behind ::: (several
::: are multiplied), or with --pipe each block of stdin, which is then its input.
In args, as in GNU parallel, {} is the value, {.} without extension, {/} without
directory, {//} its directory, {/.} without both, {#} the task's number, {2} the
second of several; without any the value is appended.

Output comes whole and in the order of the tasks. Each task is executed at least
once: again, on another node, when its node dies or its process is killed from
outside, so what it does elsewhere may happen twice; its result counts once.

With --joblog a line is written for each task once its output is (not synced until
the end), and --resume goes on there after any end, kill -9 too: run it with the
same tasks and >> FILE. What the log does not know of is cut from that file; of a
pipe it may come again.

The exit code is the number of failed tasks, 101 for more; 125 wnode failed, 126 the
module cannot run, 127 not found, 130 Ctrl-C, which kills all that runs.`,
		Example: `  seq 100 | wnode map --on all fib.wasm
  wnode map --on any:3 convert.wasm {} {.}.png ::: *.ppm
  wnode map --on kate,alex --pipe --block 10M --dir .::/here count.wasm < big.txt
  seq 1000000 | wnode map --on kate,alex --worker --joblog log server.wasm > out`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == ":::" {
				return usagef("want: wnode map [flags] MODULE [args...] [::: values...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.mapTasks(c.Context(), &f, c.Flags().Changed, args[0], args[1:])
		},
	}
	f.add(c)
	f.addInvoke(c)
	fl := c.Flags()
	fl.Lookup("timeout").Usage = "end a task after this time, counted from its spawn"
	fl.Lookup("seed").Usage = "give each task random bytes of its own that are the same each time, of this `SEED`"
	fl.StringVar(&f.on, "on", "local", "run tasks on `SEL`: nodes, local, any:N (the least loaded), all, label:K=V, or several separated by commas; one that joins meanwhile gets work, one that drains no more")
	fl.StringVarP(&f.jobs, "jobs", "j", "auto", "run `N` tasks at once on each node; auto: as many as it had cores free when it was found")
	fl.StringArrayVar(&f.dirs, "dir", nil, "give tasks a directory of this machine: `HOST::GUEST[:ro]` (repeatable)")
	fl.BoolVar(&f.pipe, "pipe", false, "a task is a block of stdin, and its input")
	fl.StringVar(&f.block, "block", "1M", "with --pipe, as many whole lines as have `SIZE` together")
	fl.BoolVar(&f.worker, "worker", false, "start servers and send each task as a call, whose answer is its output; args say what is sent")
	fl.BoolVar(&f.unordered, "unordered", false, "write output as tasks end")
	fl.StringVar(&f.prefix, "prefix", "", "write `WHAT` and a tab before each line of output: id or arg of its task")
	fl.StringVar(&f.results, "results", "", "write `DIR`/SEQ/stdout, stderr and status of each task too")
	fl.IntVar(&f.retries, "retries", 3, "start a task again up to `N` times when its node dies or its process is killed")
	fl.BoolVar(&f.retryTraps, "retry-traps", false, "and when it traps")
	fl.BoolVar(&f.hedge, "hedge", false, "start a task that takes 3 times the median on another node too; the first result counts")
	fl.StringVar(&f.halt, "halt", "never", "end early: `WHEN` is soon,fail=N or now,fail=N, which kills what runs")
	fl.StringVar(&f.joblog, "joblog", "", "write a line for each task to `FILE`, in the columns of GNU parallel")
	fl.BoolVar(&f.resume, "resume", false, "leave out what is in the job log, and go on with it")
	fl.BoolVar(&f.bar, "bar", false, "show progress (automatic if stderr is a terminal and stdout is not)")
	return c
}

// mapping is a map that a command line describes.
type mapping struct {
	batch.Config
	batch.Printer
	total int // of tasks; 0: not known before the end of the input
}

// plan reads the flags and arguments of a map.
func (a *app) plan(f *mapFlags, given func(flag string) bool, module string, args []string) (m *mapping, dirs []origin.Dir, err error) {
	m = &mapping{}
	args, lists := cutLists(args)
	for _, bad := range []struct {
		is   bool
		what string
	}{
		{f.pipe && len(lists) > 0, "--pipe takes its tasks from stdin: leave out :::"},
		{given("block") && !f.pipe, "--block is the size of the blocks of --pipe: add that"},
		{f.resume && f.joblog == "", "--resume goes on with a job log: name it with --joblog FILE"},
		{f.worker && f.invoke != "", "--worker calls the handlers of a server: leave out --invoke"},
		{f.retries < 0, "--retries must not be negative"},
		{f.prefix != "" && f.prefix != "id" && f.prefix != "arg", fmt.Sprintf("--prefix %q: want id or arg", clean(f.prefix))},
		{f.prefix != "" && a.json, "--json has no lines for a --prefix"},
		{f.pipe && f.prefix == "arg", "--pipe has no values for --prefix arg: want id"},
	} {
		if bad.is {
			return nil, nil, usagef("%s", bad.what)
		}
	}
	spec, dirs, err := a.spec(&f.runFlags, nil)
	if err != nil {
		return nil, nil, err
	}
	spec.Terminal = engine.Terminal{}
	if m.Halt, err = parseHalt(f.halt); err != nil {
		return nil, nil, err
	}
	block, err := engine.ParseSize(f.block)
	if err != nil {
		return nil, nil, usagef("--block %w", err)
	}
	if f.pipe && block > batch.MaxBlock {
		return nil, nil, usagef("--block %s: the limit is %s", clean(f.block), size(batch.MaxBlock))
	}
	t := batch.NewTemplate(args)
	switch {
	case f.pipe:
		m.Next = t.Blocks(a.in, int(block))
	case lists != nil:
		m.Next, m.total = t.Tasks(batch.Product(lists), f.worker), batch.Size(lists)
	default:
		if term.IsTerminal(int(a.in.Fd())) {
			a.note("tasks are read from the terminal, a line each; Ctrl-D ends them")
		}
		m.Next = t.Tasks(batch.Lines(a.in), f.worker)
	}
	m.Spec = *spec
	m.Worker, m.Unordered, m.Retries, m.RetryTraps, m.Hedge = f.worker, f.unordered, f.retries, f.retryTraps, f.hedge
	m.Ahead = f.jobs == "auto"
	m.Code = reasonCode
	m.Out, m.Err, m.JSON, m.Results = a.out, a.err, a.json, f.results
	m.Config.Emit = m.Printer.Emit
	m.Command = func(t *batch.Task) string { return batch.CommandLine(append([]string{module}, t.Args...)...) }
	switch f.prefix {
	case "id":
		m.Prefix = func(t *batch.Task) string { return strconv.Itoa(t.Seq) }
	case "arg":
		m.Prefix = func(t *batch.Task) string { return strings.Join(t.Values, " ") }
	}
	return m, dirs, nil
}

// cutLists splits arguments at each ":::".
func cutLists(args []string) (before []string, lists [][]string) {
	i := slices.Index(args, ":::")
	if i < 0 {
		return args, nil
	}
	for _, arg := range args[i:] {
		if arg == ":::" {
			lists = append(lists, []string{})
		} else {
			lists[len(lists)-1] = append(lists[len(lists)-1], arg)
		}
	}
	return args[:i], lists
}

// parseHalt reads never, soon,fail=N or now,fail=N.
func parseHalt(s string) (h batch.Halt, err error) {
	when, fail, ok := strings.Cut(s, ",fail=")
	n, numErr := strconv.Atoi(fail)
	switch {
	case s == "never":
		return h, nil
	case !ok || numErr != nil || n < 1 || when != "soon" && when != "now":
		return h, usagef("--halt %q: want never, soon,fail=N or now,fail=N", clean(s))
	}
	return batch.Halt{Now: when == "now", Fail: n}, nil
}

func (a *app) mapTasks(ctx context.Context, f *mapFlags, given func(string) bool, module string, args []string) (err error) {
	jobs, err := parseJobs(f.jobs)
	if err != nil {
		return err
	}
	on, err := parseOn(f.on)
	if err != nil {
		return err
	}
	m, dirs, err := a.plan(f, given, module, args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop, end := interrupts()
	defer end()
	left := make(chan os.Signal, 1) // the second one
	go func() {
		first := true
		for s := range stop {
			if first {
				cancel(interrupted{s})
			} else {
				left <- s
			}
			first = false
		}
	}()
	files, err := origin.OpenDirs(dirs)
	if err != nil {
		return &failure{"no_such_dir", exitOwn, exitFailed, fmt.Errorf("--dir: %w", err)}
	}
	defer files.Close()
	server := origin.NewFileServer(files)
	defer server.Close()
	m.Files, m.Spec.Mounts = server, files.Mounts()

	if _, procs := cores(); procs != nil && !on.Local() {
		over := make(chan struct{})
		defer close(over)
		procs.begin()
		go procs.adapt(over)
	}
	n, err := a.start(ctx, wnode.Config{Offline: on.Local()})
	if err != nil {
		return err
	}
	defer n.Close()
	if m.Spec.Module, err = a.resolve(ctx, n, module, m.Spec.Limits.Memory, !on.Local()); err != nil {
		return err
	}
	if err := checkKind(ctx, n, m.Spec.Module, f.worker); err != nil {
		return err
	}
	nodes := mapNodes{
		app: a, node: n, on: f.on, jobs: jobs, module: m.Spec.Module.CID,
		chosen: map[string][]placement.Place{}, cores: map[engine.NodeID]int{},
	}
	m.Nodes = nodes.find
	if f.joblog != "" {
		if err := a.openLog(m, f); err != nil {
			return err
		}
	}
	endBar := a.watch(m, f.bar)
	type ended struct {
		sum batch.Summary
		err error
	}
	done := make(chan ended, 1)
	go func() {
		sum, err := batch.Run(ctx, n.Engine, m.Config)
		done <- ended{sum, err}
	}()
	select {
	case x := <-done:
		endBar()
		if m.Log != nil {
			x.err = errors.Join(x.err, a.closeLog(m.Log))
		}
		return a.mapped(x.sum, x.err)
	case s := <-left:
		return &failure{"interrupted", signalCode(s), signalCode(s),
			errors.New("left without waiting: what runs is told to end when this connection closes")}
	}
}

func parseJobs(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if s == "auto" {
		return 0, nil
	}
	if err != nil || n < 1 || n > 1<<16 {
		return 0, usagef("--jobs %q: want a number from 1 to %d, or auto", clean(s), 1<<16)
	}
	return n, nil
}

// checkKind looks whether a module that is here is a server, or none, as it is to be.
func checkKind(ctx context.Context, n *wnode.Node, m engine.Module, worker bool) error {
	if !m.CID.Defined() {
		return nil // the nodes know
	}
	b, err := n.Store.Bytes(ctx, m.CID)
	if err != nil {
		return err
	}
	parsed, err := wasmfile.Parse(b)
	if err != nil {
		return invalidf("module_invalid", "%s: %w", clean(m.Name), err)
	}
	server := false
	for _, e := range parsed.Exports {
		server = server || e.Name == abi.Server
	}
	switch {
	case worker && !server:
		return invalidf("no_server", "%s is no server, as --worker wants: it does not export %s", clean(m.Name), abi.Server)
	case !worker && server:
		return invalidf("server", "%s is a server, which does not end by itself: map it with --worker", clean(m.Name))
	}
	return nil
}

// openLog begins or goes on with the job log.
func (a *app) openLog(m *mapping, f *mapFlags) (err error) {
	out, _ := a.out.(*os.File)
	if m.Log, err = batch.OpenLog(f.joblog, f.resume, out); err != nil {
		return &failure{"joblog", exitOwn, exitFailed, fmt.Errorf("--joblog: %w", err)}
	}
	if f.resume {
		m.Next = batch.Skip(m.Next, m.Log.Has)
	}
	return nil
}

// closeLog syncs the output and then the log.
func (a *app) closeLog(l *batch.Log) error {
	if out, ok := a.out.(*os.File); ok {
		if info, err := out.Stat(); err == nil && info.Mode().IsRegular() {
			if err := out.Sync(); err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("--joblog: %w", err)
	}
	return nil
}

// mapped says how a map ended.
func (a *app) mapped(s batch.Summary, err error) error {
	var i interrupted
	if errors.As(err, &i) {
		return &failure{"interrupted", signalCode(i.s), signalCode(i.s), fmt.Errorf("%w: %d tasks are done", i, s.Good+s.Failed)}
	}
	if err != nil {
		return err
	}
	if s.Lost > 0 && !a.json {
		a.note("work of %d tasks was lost, and done again", s.Lost)
	}
	if s.Failed > 0 && !a.json {
		early := ""
		if s.Halted {
			early = ", and the map ended early"
		}
		a.note("%d of %d tasks failed%s", s.Failed, s.Good+s.Failed, early)
	}
	a.code = min(s.Failed, maxFailed)
	return nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/origin"
	examples "github.com/wnode-project/wnode/wasm-examples"
)

// figure is one measured value.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// How much each figure takes: a bench ends within a minute.
const (
	benchColds  = 5
	benchRuns   = 15
	benchPings  = 3000
	benchSpawns = 300
	benchOutput = 512 << 20
)

func (a *app) benchCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:   "bench [--on NODE]",
		Short: "Measure; prints a line `name value unit` for each figure",
		Long: `Measure this machine's wnode: nodes are started in a home of their own, which is
removed at the end. With --on, measure the node named, as far as it goes.`,
		Example: `  wnode bench
  wnode bench --on kate --json`,
		Args: exactArgs(0, "bench [--on NODE]"),
		RunE: func(c *cobra.Command, _ []string) error {
			figures, err := a.bench(c.Context(), on)
			if err != nil {
				return err
			}
			if a.json {
				return a.print(figures)
			}
			for _, f := range figures {
				fmt.Fprintf(a.out, "%-28s %10.4g %s\n", f.Name, f.Value, f.Unit)
			}
			return nil
		},
	}
	c.Flags().StringVar(&on, "on", "", "measure the node `NODE` instead of fresh ones")
	return c
}

func (a *app) bench(ctx context.Context, on string) ([]figure, error) {
	dir, err := os.MkdirTemp("", "wnode-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{app: a, dir: dir, hello: filepath.Join(dir, "hello.wasm"), node: on}
	if err := os.WriteFile(b.hello, examples.Hello, 0o600); err != nil {
		return nil, err
	}
	if b.exe, err = os.Executable(); err != nil {
		return nil, err
	}
	if on != "" {
		b.env = os.Environ()
		return b.figures, errors.Join(b.warm(ctx), b.sessions(ctx, a))
	}
	defer b.down()
	err = b.cold(ctx)
	if err == nil {
		err = b.idle()
	}
	if err == nil {
		err = b.warm(ctx)
	}
	if err == nil {
		err = b.sessionsInOwnHome(ctx)
	}
	return b.figures, err
}

// sessionsInOwnHome measures in the home of the nodes that cold started.
func (b *bench) sessionsInOwnHome(ctx context.Context) error {
	dir := filepath.Join(b.dir, strconv.Itoa(benchColds-1))
	h, err := home.Open(func(k string) string {
		if k == "WNODE_HOME" {
			return dir
		}
		return os.Getenv(k)
	})
	if err != nil {
		return err
	}
	return b.sessions(ctx, &app{in: b.in, out: io.Discard, err: io.Discard, home: h})
}

// bench measures nodes of its own in dir, or a node that runs.
type bench struct {
	*app
	dir, exe, hello string
	node            string
	env             []string // of the processes it starts
	kate            *exec.Cmd
	figures         []figure
}

func (b *bench) add(name string, value float64, unit string) {
	b.figures = append(b.figures, figure{name, value, unit})
}

// cold measures from nothing to the first line of a guest at the caller: two
// nodes start, kate and that of the command, in a home without a cookie, keys or
// compiled code. The last kate stays up.
func (b *bench) cold(ctx context.Context) error {
	var took []time.Duration
	for i := range benchColds {
		b.down()
		b.env = append(os.Environ(), "WNODE_HOME="+filepath.Join(b.dir, strconv.Itoa(i)))
		b.node = "kate"
		begin := time.Now()
		b.kate = exec.CommandContext(ctx, b.exe, "up", "kate")
		b.kate.Env = b.env
		out, err := b.kate.StdoutPipe()
		if err != nil {
			return err
		}
		if err := b.kate.Start(); err != nil {
			return err
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return fmt.Errorf("node kate did not start: %w", err)
		}
		if err := b.runHello(ctx); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	b.add("cold_start_to_first_line", ms(median(took)), "ms")
	return nil
}

// runHello runs the small guest with a command of its own.
func (b *bench) runHello(ctx context.Context) error {
	c := exec.CommandContext(ctx, b.exe, "run", "-n", "--on", b.node, b.hello, "bench")
	c.Env = b.env
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("wnode run: %s", bytes.TrimSpace(exit.Stderr))
	}
	if err == nil && string(out) != "hello from wnode, bench\n" {
		err = fmt.Errorf("wnode run printed %q", out)
	}
	return err
}

// down stops the node that cold started.
func (b *bench) down() {
	if b.kate == nil {
		return
	}
	// It ends on SIGTERM; the error of Wait is how.
	if err := b.kate.Process.Signal(syscall.SIGTERM); err == nil {
		b.kate.Wait()
	}
	b.kate = nil
}

// idle measures the resident memory of a node that has run one module.
func (b *bench) idle() error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.kate.Process.Pid))
	if err != nil {
		return nil // not Linux: no figure
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return err
			}
			b.add("idle_node_rss", kb/1024, "MiB")
		}
	}
	return nil
}

// warm measures the whole command at a node that knows the module.
func (b *bench) warm(ctx context.Context) error {
	took, err := repeat(benchRuns, func() error { return b.runHello(ctx) })
	b.add("warm_run_command", ms(median(took)), "ms")
	return err
}

// sessions measures over one connection that stays.
func (b *bench) sessions(ctx context.Context, a *app) error {
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	target, err := a.reach(ctx, n, b.node)
	if err != nil {
		return err
	}
	pings, err := repeat(benchPings, func() error { _, err := target.Ping(ctx); return err })
	if err != nil {
		return err
	}
	b.add("round_trip_p50", us(median(pings)), "us")
	b.add("round_trip_p99", us(pings[len(pings)*99/100]), "us")
	hello, err := storeModule(ctx, n, examples.Hello)
	if err != nil {
		return err
	}
	yes, err := storeModule(ctx, n, examples.Yes)
	if err != nil {
		return err
	}
	spawns, err := repeat(benchSpawns, func() error {
		_, err := runOnce(ctx, n, target, hello)
		return err
	})
	if err != nil {
		return err
	}
	b.add("spawn_to_exit_p50", us(median(spawns)), "us")
	begin := time.Now()
	got, err := runOnce(ctx, n, target, yes, strconv.Itoa(benchOutput))
	if err == nil && got != benchOutput {
		err = fmt.Errorf("%d bytes of output instead of %d", got, benchOutput)
	}
	b.add("output", float64(got)/1e6/time.Since(begin).Seconds(), "MB/s")
	return err
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func storeModule(ctx context.Context, n *wnode.Node, b []byte) (engine.Module, error) {
	c, size, err := n.Store.Add(ctx, bytes.NewReader(b))
	return engine.Module{CID: c, Size: size, Name: "bench"}, err
}

// runOnce runs a module and returns how many bytes it wrote.
func runOnce(ctx context.Context, n *wnode.Node, target control.Client, m engine.Module, args ...string) (int, error) {
	var out counter
	l := origin.New(n.Engine, origin.Config{Stdout: &out, Stderr: io.Discard})
	defer l.Close()
	l.Spawn(target.Node, &engine.Spec{Module: m, Args: args, NoInput: true})
	x, err := l.Wait(ctx)
	if err == nil && x.Reason.Word != engine.Normal {
		err = x.Reason
	}
	return int(out), err
}

// repeat returns how long f took each time, the shortest first.
func repeat(n int, f func() error) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := f(); err != nil {
			return took, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

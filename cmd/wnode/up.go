package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/placement"
)

func (a *app) upCmd() *cobra.Command {
	var listen, labels []string
	var background bool
	c := &cobra.Command{
		Use:   "up NAME",
		Short: "Start a node",
		Long: `Start a node in the foreground, or with -d in the background. Prints
NAME PEERID ADDRESS... on stdout once the node can be reached, and what happens
on stderr. Without --listen only this machine can reach it.`,
		Example: `  wnode up kate
  wnode up kate --listen /ip4/10.0.0.1/tcp/4141 --label gpu=yes
  wnode up -d alex --join /ip4/10.0.0.1/tcp/4141/p2p/12D3...`,
		Args: exactArgs(1, "up NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := home.CheckName(args[0]); err != nil {
				return usagef("%v", err)
			}
			of := map[string]string{}
			for _, l := range labels {
				k, v, err := placement.ParseLabel(l)
				if err != nil {
					return usagef("--label: %v", err)
				}
				of[k] = v
			}
			if background {
				return a.upBackground(args[0], listen, labels)
			}
			return a.up(c.Context(), args[0], listen, of)
		},
	}
	c.Flags().StringArrayVar(&listen, "listen", nil, "listen on the multiaddr `ADDR`, as /ip4/10.0.0.1/tcp/4141 or /ip4/0.0.0.0/udp/4141/quic-v1 (repeatable)")
	c.Flags().StringArrayVar(&labels, "label", nil, "say what the node is like, as `K=V`: --on label:K=V finds it (repeatable)")
	c.Flags().BoolVarP(&background, "detach", "d", false, "start it in the background and return when it is ready")
	return c
}

func (a *app) up(ctx context.Context, name string, listen []string, labels map[string]string) error {
	stop, end := interrupts()
	defer end()
	log := slog.New(slog.NewTextHandler(a.err, nil))
	slots, procs := cores()
	c := wnode.Config{Name: name, Listen: listen, Labels: labels, Log: log, Slots: slots}
	if procs != nil {
		c.Heavy = procs.Heavy
	}
	n, err := a.start(ctx, c)
	if err != nil {
		return err
	}
	over := make(chan struct{})
	defer close(over)
	go collectLess(n.Engine.Work, over)
	if procs != nil {
		go procs.adapt(over)
	}
	if err := a.printNode(name, n); err != nil {
		return errors.Join(err, n.Close())
	}
	a.sayHow(name, listen, n)
	select {
	case s := <-stop:
		log.Info("stopping", "signal", s)
	case drain := <-n.Stopped():
		log.Info("stopping", "asked by", "a peer", "drain", drain)
		ctx, cancel := context.WithTimeout(ctx, drain)
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		n.Engine.Drain(ctx)
		cancel()
	}
	return n.Close()
}

func (a *app) printNode(name string, n *wnode.Node) error {
	if a.json {
		// One line: the node goes on, and up -d hands this line over.
		return json.NewEncoder(a.out).Encode(map[string]any{"name": name, "peer_id": n.Net.PeerID(), "addrs": n.Net.Addrs()})
	}
	_, err := fmt.Fprintf(a.out, "%s %s %s\n", name, n.Net.PeerID(), strings.Join(n.Net.Addrs(), " "))
	return err
}

// sayHow tells people what to type next.
func (a *app) sayHow(name string, listen []string, n *wnode.Node) {
	if len(listen) == 0 {
		a.note("%s listens on this machine only: wnode run --on %s MODULE.wasm (for other hosts start it with --listen)", name, name)
		return
	}
	if addrs := n.Net.Addrs(); len(addrs) > 0 {
		a.note("from another host: wnode run --join %s --cookie-file FILE --on %s MODULE.wasm (FILE is made by `wnode cookie show`)", addrs[0], name)
	}
}

// upBackground starts this program again, detached, and waits for its line.
func (a *app) upBackground(name string, listen, labels []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	dir := filepath.Join(a.home.Dir, "nodes", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	logPath := filepath.Join(dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	args := []string{"up", name}
	for _, l := range labels {
		args = append(args, "--label", l)
	}
	for _, l := range listen {
		args = append(args, "--listen", l)
	}
	for _, j := range a.join {
		args = append(args, "--join", j)
	}
	if a.cookieFile != "" {
		args = append(args, "--cookie-file", a.cookieFile)
	}
	if a.json {
		args = append(args, "--json")
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = os.Args[0] // the name it was called by
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, err = io.WriteString(a.out, line)
		return errors.Join(err, cmd.Process.Release())
	}
	// It ended without a line: its own last words say why.
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		return fmt.Errorf("node %s did not start: %w (see %s)", name, err, logPath)
	}
	words, err := io.ReadAll(io.NewSectionReader(log, begin, 64<<10))
	if err != nil {
		return err
	}
	if !a.json {
		words = []byte(strings.TrimSpace(strings.TrimPrefix(lastLine(words), "wnode: ")) + " (log: " + logPath + ")")
	}
	return &failure{"not_started", exit.ExitCode(), exit.ExitCode(), errors.New(string(words))}
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

func (a *app) downCmd() *cobra.Command {
	var drain time.Duration
	c := &cobra.Command{
		Use:   "down NAME",
		Short: "Stop a node",
		Long: `Stop a node and return when it is down. Its processes end with reason shutdown,
unless they end by themselves within --drain.`,
		Example: `  wnode down kate
  wnode down kate --drain 30s`,
		Args: exactArgs(1, "down NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			n, client, err := a.connect(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer n.Close()
			ctx, cancel := context.WithTimeout(c.Context(), drain+30*time.Second)
			defer cancel()
			if err := client.Stop(ctx, drain); err != nil {
				return err
			}
			// The service answered; the node is down when it no longer does.
			for {
				if _, err := client.Ping(ctx); err != nil {
					if ctx.Err() != nil {
						return &failure{"timeout", exitOwn, exitUnreachable, fmt.Errorf("node %s does not stop", args[0])}
					}
					break
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
			if a.json {
				return a.print(map[string]string{"down": args[0]})
			}
			return nil
		},
	}
	c.Flags().DurationVar(&drain, "drain", 0, "let processes end by themselves for this long")
	return c
}

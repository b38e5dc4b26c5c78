package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
)

// onFlag adds --on with the meaning it has for commands that look.
func onFlag(c *cobra.Command, on *string) {
	c.Flags().StringVar(on, "on", "", "the nodes to ask, `SEL`: all, any:N, label:K=V, names, separated by commas (default: all of yours that run here)")
}

func (a *app) psCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:   "ps",
		Short: "List processes",
		Example: `  wnode ps
  wnode ps --on kate --json`,
		Args: exactArgs(0, "ps"),
		RunE: func(c *cobra.Command, _ []string) error {
			all := []control.Process{}
			rows := [][]string{{"PID", "STATE", "AGE", "REDUCTIONS", "MODULE", "CID"}}
			err := a.each(c.Context(), on, func(ctx context.Context, _ string, cl control.Client) error {
				ps, err := cl.Processes(ctx)
				for _, p := range ps {
					rows = append(rows, []string{p.PID, p.State, ago(p.Started), strconv.FormatUint(p.Reductions, 10), p.Module, short(p.CID)})
				}
				all = append(all, ps...)
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.print(all)
			}
			return a.table(rows)
		},
	}
	onFlag(c, &on)
	return c
}

// short cuts a CID to what still tells modules apart and can be typed.
func short(cid string) string {
	if len(cid) > 18 {
		return cid[:18]
	}
	return cid
}

func (a *app) peersCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:     "peers",
		Short:   "List the nodes that a node is connected to",
		Example: `  wnode peers`,
		Args:    exactArgs(0, "peers"),
		RunE: func(c *cobra.Command, _ []string) error {
			all := map[string][]control.Peer{}
			rows := [][]string{{"NODE", "PEER", "PEER ID", "ADDRESS"}}
			err := a.each(c.Context(), on, func(ctx context.Context, name string, cl control.Client) error {
				ps, err := cl.Peers(ctx)
				shown := []control.Peer{}
				for _, p := range ps {
					if p.Hidden {
						continue
					}
					shown = append(shown, p)
					rows = append(rows, []string{name, p.Name, p.PeerID, p.Addr})
				}
				all[name] = shown
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.print(all)
			}
			return a.table(rows)
		},
	}
	onFlag(c, &on)
	return c
}

func (a *app) statusCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:     "status",
		Short:   "Describe nodes",
		Example: `  wnode status`,
		Args:    exactArgs(0, "status"),
		RunE: func(c *cobra.Command, _ []string) error {
			all := []control.Status{}
			err := a.each(c.Context(), on, func(ctx context.Context, _ string, cl control.Client) error {
				s, err := cl.Status(ctx)
				if err == nil {
					all = append(all, s)
				}
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.print(all)
			}
			for _, s := range all {
				state := ""
				if s.Draining {
					state = ", draining"
				}
				err := a.table([][]string{
					{"node", s.Name},
					{"peer id", s.PeerID},
					{"version", s.Version},
					{"up", ago(s.Started) + " (start " + strconv.Itoa(int(s.Incarnation)) + ", process " + strconv.Itoa(s.OSProcess) + state + ")"},
					{"addresses", strings.Join(s.Addrs, " ")},
					{"processes", strconv.Itoa(s.Processes)},
					{"peers", strconv.Itoa(s.Peers)},
					{"store", size(s.StoreBytes)},
					{"labels", labels(s.Labels)},
					{"memory", size(s.MemoryBytes)},
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	onFlag(c, &on)
	return c
}

func (a *app) pingCmd() *cobra.Command {
	var count int
	c := &cobra.Command{
		Use:     "ping NODE",
		Short:   "Measure the round trip to a node",
		Example: `  wnode ping kate`,
		Args:    exactArgs(1, "ping NODE"),
		RunE: func(c *cobra.Command, args []string) error {
			if count < 1 {
				return usagef("--count must be at least 1")
			}
			n, cl, err := a.connect(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer n.Close()
			ctx, cancel := context.WithTimeout(c.Context(), connectTime)
			defer cancel()
			peer := engine.Peer{Name: "local", PeerID: "this process", Addr: "memory"}
			if s := n.Engine.Session(cl.Node); s != nil {
				peer = s.Peer()
			}
			var times []float64
			for range count {
				d, err := cl.Ping(ctx)
				if err != nil {
					return err
				}
				ms := float64(d.Microseconds()) / 1000
				times = append(times, ms)
				if !a.json {
					fmt.Fprintf(a.out, "%s %s via %s: %.3f ms\n", clean(peer.Name), clean(peer.PeerID), clean(peer.Addr), ms)
				}
			}
			if a.json {
				return a.print(map[string]any{"name": peer.Name, "peer_id": peer.PeerID, "addr": peer.Addr, "milliseconds": times})
			}
			return nil
		},
	}
	c.Flags().IntVarP(&count, "count", "c", 3, "how many round trips")
	return c
}

func (a *app) killCmd() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "kill PID",
		Short: "End a process",
		Long:  `End a process and return when it is gone. PIDs are as ps prints them.`,
		Example: `  wnode kill kate.1.3.19
  wnode kill -s "too slow" kate.1.3.19`,
		Args: exactArgs(1, "kill PID"),
		RunE: func(c *cobra.Command, args []string) error {
			node, pid, err := engine.ParsePID(args[0])
			if err != nil {
				return usagef("%v", err)
			}
			n, cl, err := a.connect(c.Context(), node)
			if err != nil {
				return err
			}
			defer n.Close()
			ctx, cancel := context.WithTimeout(c.Context(), connectTime)
			defer cancel()
			pid.Node = cl.Node
			if err := cl.Kill(ctx, pid, reason); err != nil {
				return err
			}
			if a.json {
				return a.print(map[string]string{"killed": args[0]})
			}
			return nil
		},
	}
	c.Flags().StringVarP(&reason, "reason", "s", "", "what to tell those who watch the process")
	return c
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  wnode version --json`,
		Args:    exactArgs(0, "version"),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.print(map[string]string{"version": wnode.Version(), "go": goVersion()})
			}
			_, err := fmt.Fprintf(a.out, "wnode %s %s\n", wnode.Version(), goVersion())
			return err
		},
	}
}

// seconds rounds a duration for printing.
func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

// labels writes labels as up takes them, in the order of their keys.
func labels(of map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(of)) {
		all = append(all, k+"="+of[k])
	}
	return strings.Join(all, " ")
}

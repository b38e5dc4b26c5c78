package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/supervise"
)

// planned is a child as --dry-run and check show it.
type planned struct {
	Child   string      `json:"child"` // its path of ids
	Node    string      `json:"node,omitempty"`
	On      string      `json:"on"`
	Module  string      `json:"module"`
	CID     string      `json:"cid,omitempty"` // "": for the node to look up
	Restart otp.Restart `json:"restart"`
	Name    string      `json:"name,omitempty"`
}

func plan(path string, c *supervise.Child) planned {
	p := planned{Child: path, On: c.On, Module: c.Module, CID: c.CID, Restart: c.Restart, Name: c.Name}
	if p.On == "" {
		p.On = "local"
	}
	return p
}

func (a *app) superviseCheckCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a file, and the modules that it has by path",
		Example: `  wnode supervise check app.toml`,
		Args:    exactArgs(1, "supervise check FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := loadTree(args[0])
			if err != nil {
				return err
			}
			n, err := a.start(c.Context(), wnode.Config{Offline: true})
			if err != nil {
				return err
			}
			defer n.Close()
			if err := a.resolveTree(c.Context(), n, args[0], t); err != nil {
				return err
			}
			all := []planned{}
			_ = t.Workers(func(path string, c *supervise.Child) error { // never fails
				all = append(all, plan(path, c))
				return nil
			})
			if a.json {
				return a.print(map[string]any{"name": t.Name, "children": all})
			}
			_, err = fmt.Fprintf(a.out, "%s: %s, %d modules to run\n", clean(args[0]), t.Name, len(all))
			return err
		},
	}
}

// superviseDry prints what would be started where.
func (a *app) superviseDry(ctx context.Context, file, on string) error {
	t, err := loadTree(file)
	if err != nil {
		return err
	}
	if on == "" {
		if on, err = a.only(); err != nil {
			return err
		}
	}
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := a.resolveTree(ctx, n, file, t); err != nil {
		return err
	}
	cl, err := a.treeNode(ctx, n, on)
	if err != nil {
		return err
	}
	all := []planned{}
	rows := [][]string{{"CHILD", "NODE", "ON", "MODULE", "CID", "RESTART", "NAME"}}
	home := nodeName(n, cl)
	err = t.Workers(func(path string, c *supervise.Child) error {
		p := plan(path, c)
		if p.Node, err = a.wouldBe(ctx, n, home, p.On, c.CID); err != nil {
			return at(file, c, err)
		}
		all = append(all, p)
		rows = append(rows, []string{p.Child, p.Node, p.On, p.Module, short(p.CID), string(p.Restart), p.Name})
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"name": t.Name, "node": home, "children": all})
	}
	return a.table(rows)
}

// wouldBe returns the name of the node that a child would be placed at now, if its
// supervisor were on the node home.
func (a *app) wouldBe(ctx context.Context, n *wnode.Node, home, on, module string) (string, error) {
	id, err := cid.Decode(module)
	if err != nil {
		id = cid.Undef // for the node to look up
	}
	parts := strings.Split(on, ",")
	for i, p := range parts {
		if p == "local" {
			parts[i] = home
		}
	}
	place, err := n.Place(ctx, strings.Join(parts, ","), id)
	return place.Name, err
}

func (a *app) superviseLsCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:     "ls",
		Short:   "List supervision trees",
		Example: `  wnode supervise ls`,
		Args:    exactArgs(0, "supervise ls"),
		RunE: func(c *cobra.Command, _ []string) error {
			all := []control.Tree{}
			rows := [][]string{{"PID", "NAME", "STRATEGY", "CHILDREN", "RESTARTS", "AGE", "ATTACHED"}}
			err := a.each(c.Context(), on, func(ctx context.Context, _ string, cl control.Client) error {
				ts, err := cl.Trees(ctx)
				for _, t := range ts {
					rows = append(rows, []string{
						t.PID, t.Name, string(t.Strategy), fmt.Sprintf("%d of %d", t.Active, t.Supervisors+t.Workers),
						strconv.Itoa(t.Restarts), ago(t.Started), strconv.FormatBool(t.Attached),
					})
				}
				all = append(all, ts...)
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

func (a *app) superviseTreeCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:   "tree [NAME|PID]",
		Short: "Show supervision trees with their children",
		Example: `  wnode supervise tree
  wnode supervise tree app`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want: wnode supervise tree [NAME|PID]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			which := ""
			if len(args) == 1 {
				which = args[0]
			}
			trees, err := a.findTrees(c.Context(), which, on)
			if err != nil {
				return err
			}
			defer trees.Close()
			all := []control.Tree{}
			rows := [][]string{{"CHILD", "PID", "STATE", "RESTARTS", "MODULE"}}
			for _, f := range trees.found {
				ctx, cancel := context.WithTimeout(c.Context(), connectTime)
				t, err := f.cl.Tree(ctx, f.name, engine.PID{})
				cancel()
				if err != nil {
					return err
				}
				all = append(all, t)
				rows = append(rows, []string{t.Name, t.PID, "running", "", string(t.Strategy)})
				rows = append(rows, childRows("  ", t.Children)...)
			}
			if a.json {
				return a.print(all)
			}
			return a.table(rows)
		},
	}
	c.Flags().StringVar(&on, "on", "", "the `NODE`s to ask, separated by commas (default: all of yours that run here)")
	return c
}

func childRows(indent string, children []control.TreeChild) (rows [][]string) {
	for _, c := range children {
		what := c.Module
		if c.Type == otp.ChildSupervisor {
			what = string(c.Strategy)
		}
		rows = append(rows, []string{indent + c.ID, c.PID, c.State, strconv.Itoa(c.Restarts), what})
		rows = append(rows, childRows(indent+"  ", c.Children)...)
	}
	return rows
}

func (a *app) superviseStopCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use:   "stop NAME|PID",
		Short: "End a supervision tree, its children in reverse order, and wait for it",
		Example: `  wnode supervise stop app
  wnode supervise stop kate.1.0.5`,
		Args: exactArgs(1, "supervise stop NAME|PID"),
		RunE: func(c *cobra.Command, args []string) error {
			trees, err := a.findTrees(c.Context(), args[0], on)
			if err != nil {
				return err
			}
			defer trees.Close()
			if len(trees.found) > 1 {
				return usagef("%s runs on several nodes: name one with --on", clean(args[0]))
			}
			f := trees.found[0]
			if err := f.cl.StopTree(c.Context(), f.name, engine.PID{}); err != nil {
				return err
			}
			if a.json {
				return a.print(map[string]string{"stopped": f.name, "pid": f.pid})
			}
			return nil
		},
	}
	c.Flags().StringVar(&on, "on", "", "the `NODE` that it runs on (default: look at all of yours that run here)")
	return c
}

// foundTrees are supervision trees, and the command's node that reaches theirs.
type foundTrees struct {
	own   *wnode.Node
	found []foundTree
}

type foundTree struct {
	cl        control.Client
	name, pid string
}

func (f foundTrees) Close() error { return f.own.Close() }

// findTrees returns the trees with a name or a PID, all if that is "". It is an error if
// there is none. The caller closes them.
func (a *app) findTrees(ctx context.Context, which, on string) (f foundTrees, err error) {
	node, pid, err := engine.ParsePID(which)
	isPID := err == nil
	if isPID {
		on = node
	}
	names := strings.Split(on, ",")
	if on == "" {
		if names, err = a.running(); err != nil {
			return f, err
		}
	}
	if f.own, err = a.start(ctx, wnode.Config{}); err != nil {
		return f, err
	}
	var known []string
	var failed error
	for _, name := range names {
		cl, err := a.reach(ctx, f.own, name)
		var trees []control.Tree
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			trees, err = cl.Trees(ctx)
			cancel()
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, t := range trees {
			known = append(known, t.Name)
			_, its, err := engine.ParsePID(t.PID)
			if which == "" || !isPID && t.Name == which || isPID && err == nil && its == pid {
				f.found = append(f.found, foundTree{cl, t.Name, t.PID})
			}
		}
	}
	switch {
	case len(f.found) > 0 || which == "" && failed == nil:
		return f, nil
	case failed != nil:
		return f, errors.Join(failed, f.own.Close())
	}
	return f, errors.Join(notFoundf("no_such_tree", "no supervision tree %s runs there%s", clean(which), suggest(which, known)), f.own.Close())
}

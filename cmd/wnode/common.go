package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/p2p"
)

// connectTime bounds the wait for another node.
const connectTime = 10 * time.Second

func exactArgs(n int, use string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("want: wnode %s", use)
		}
		return nil
	}
}

// start starts a node for a command, with what the common flags say.
func (a *app) start(ctx context.Context, c wnode.Config) (*wnode.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	c.Home, c.Join, c.CookieFile = a.home, a.join, a.cookieFile
	n, err := wnode.Start(ctx, c)
	if errors.Is(err, wnode.ErrNoCookie) {
		return nil, a.noCookie()
	}
	return n, err
}

func (a *app) noCookie() error {
	if len(a.join) == 0 {
		return &failure{"no_cookie", exitOwn, exitUnreachable, fmt.Errorf(
			"no node was started here yet: `wnode up NAME` starts one; or join one with --join ADDR --cookie-file FILE")}
	}
	return &failure{"no_cookie", exitOwn, exitUnreachable, fmt.Errorf(
		"this home has no cookie to prove itself with: run `wnode cookie show` where the cluster began, and here --cookie-file FILE or `wnode cookie set < FILE`")}
}

// connect starts a hidden node and connects it to the named one.
func (a *app) connect(ctx context.Context, name string) (*wnode.Node, control.Client, error) {
	if name == "local" {
		n, err := a.start(ctx, wnode.Config{Offline: true})
		if err != nil {
			return nil, control.Client{}, err
		}
		return n, n.Self, nil
	}
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return nil, control.Client{}, err
	}
	client, err := a.reach(ctx, n, name)
	if err != nil {
		return nil, client, errors.Join(err, n.Close())
	}
	return n, client, nil
}

// reach connects a running hidden node to the named one.
func (a *app) reach(ctx context.Context, n *wnode.Node, name string) (control.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	id, err := n.Engine.Connect(ctx, name)
	if errors.Is(err, p2p.ErrUnknownPeer) && a.home.HasNode(name) {
		return control.Client{}, &failure{"peer_down", exitOwn, exitUnreachable, fmt.Errorf("node %s does not run: `wnode up %s` starts it", name, name)}
	}
	if errors.Is(err, p2p.ErrUnknownPeer) {
		return control.Client{}, notFoundf("unknown_peer", "no node %q is known%s", clean(name), a.knownHint(name))
	}
	if errors.Is(err, p2p.ErrPeerDown) {
		err = fmt.Errorf("%w: `wnode up %s`, where it belongs, starts it", err, clean(name))
	}
	return control.Client{Engine: n.Engine, Node: id}, err
}

// knownHint suggests a name, or lists those that are known.
func (a *app) knownHint(name string) string {
	var names []string
	for _, r := range a.home.Announced() {
		names = append(names, r.Name)
	}
	if known, err := a.home.Peers(); err == nil {
		for _, k := range known {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if s := suggest(name, names); s != "" {
		return s
	}
	if len(names) == 0 {
		return ": start it with `wnode up " + clean(name) + "`, or reach another host with --join ADDR"
	}
	return ": known are " + clean(strings.Join(names, ", "))
}

// running returns the nodes a look without --on is about: those of this user
// that run, or an error that says how to start one.
func (a *app) running() ([]string, error) {
	var names []string
	for _, r := range a.home.Announced() {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return nil, notFoundf("no_node", "no node runs here: start one with `wnode up NAME`, or name one with --on")
	}
	return names, nil
}

// each runs f for every node of a selection (a name, a comma list, or "" for
// the running ones). A node that fails is reported, and the others go on.
func (a *app) each(ctx context.Context, sel string, f func(ctx context.Context, name string, c control.Client) error) error {
	var names []string
	if sel != "" {
		names = strings.Split(sel, ",")
		if _, err := parseOn(sel); err != nil {
			return err
		}
	} else {
		var err error
		if names, err = a.running(); err != nil {
			return err
		}
	}
	n, err := a.start(ctx, wnode.Config{Offline: sel == "local"})
	if err != nil {
		return err
	}
	defer n.Close()
	if names, err = a.named(ctx, n, names); err != nil {
		return err
	}
	var failed error
	good := 0
	for _, name := range names {
		c := n.Self
		err := error(nil)
		if name != "local" {
			c, err = a.reach(ctx, n, name)
		}
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			err = f(ctx, name, c)
			cancel()
		}
		switch {
		case err == nil:
			good++
		case len(names) == 1:
			return err
		default:
			a.note("%s: %s", clean(name), clean(err.Error()))
			failed = err
		}
	}
	if failed != nil && good > 0 {
		a.code = exitPartial
		return nil
	}
	return failed
}

// print writes a value as one JSON document.
func (a *app) print(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows with aligned columns; the first is the header.
func (a *app) table(rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i := range r {
			r[i] = clean(r[i])
			if r[i] == "" {
				r[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// ago prints an age in its largest unit.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// size prints bytes with a binary unit.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

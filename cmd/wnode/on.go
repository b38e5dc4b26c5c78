package main

import (
	"context"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/placement"
)

// parseOn reads what --on was given.
func parseOn(on string) (placement.Selector, error) {
	s, err := placement.Parse(on)
	if err != nil {
		return s, usagef("--on: %w", err)
	}
	return s, nil
}

// places returns the nodes that --on means, for a command whose hidden node is n.
func (a *app) places(ctx context.Context, n *wnode.Node, on string, module cid.Cid) ([]placement.Place, error) {
	s, err := parseOn(on)
	if err != nil {
		return nil, err
	}
	return n.Select(ctx, s, module, func(ctx context.Context, name string) (engine.NodeID, error) {
		c, err := a.reach(ctx, n, name)
		return c.Node, err
	})
}

// place returns the one node that something is to run at: the least loaded of those
// that --on means.
func (a *app) place(ctx context.Context, n *wnode.Node, on string, module cid.Cid) (control.Client, error) {
	s, err := parseOn(on)
	if err != nil {
		return control.Client{}, err
	}
	if s.Local() {
		return n.Self, nil
	}
	if name, ok := s.Name(); ok {
		return a.reach(ctx, n, name)
	}
	places, err := a.places(ctx, n, on, module)
	if err != nil {
		return control.Client{}, err
	}
	return control.Client{Engine: n.Engine, Node: placement.Least(places).Node}, nil
}

// oneNode refuses a selector that means several nodes at once.
func oneNode(on string) error {
	s, err := parseOn(on)
	if err == nil && s.Every() {
		err = usagef("--on %s: this runs on one node: any, label:K=V or a list choose the least loaded one; `wnode map` uses several", clean(on))
	}
	return err
}

// named replaces the parts of a selector that search by the names of what they find.
func (a *app) named(ctx context.Context, n *wnode.Node, parts []string) (names []string, err error) {
	for _, p := range parts {
		s, err := parseOn(p)
		if err != nil {
			return nil, err
		}
		if !s.Searches() {
			names = append(names, p)
			continue
		}
		found, err := a.places(ctx, n, p, cid.Undef)
		if err != nil {
			return nil, err
		}
		for _, place := range found {
			names = append(names, place.Name)
		}
	}
	return names, nil
}

package main

import (
	"context"
	"strings"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/placement"
)

// mapNodes finds the nodes of a map, again and again.
type mapNodes struct {
	app    *app
	node   *wnode.Node
	on     string
	jobs   int     // 0: by the cores of each
	module cid.Cid // undefined: the nodes know a tag of it

	chosen map[string][]placement.Place // by each part any of the selector
	cores  map[engine.NodeID]int        // that were free when the node was found
	asked  bool                         // once: who cannot be reached later is no news
}

// find is the Nodes of a map: those that any part of the selection means now. One that
// cannot be reached is left out, if there is another.
func (m *mapNodes) find(ctx context.Context) ([]batch.Node, error) {
	parts := strings.Split(m.on, ",")
	found := make([][]placement.Place, len(parts))
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		if isAny(part) && m.stays(ctx, part) {
			found[i] = m.chosen[part]
			continue
		}
		wg.Go(func() { found[i], errs[i] = m.app.places(ctx, m.node, part, m.module) })
	}
	wg.Wait()
	var nodes []batch.Node
	var failed error
	seen := map[engine.NodeID]bool{}
	for i, part := range parts {
		if errs[i] != nil {
			failed = errs[i]
			continue
		}
		if isAny(part) {
			m.chosen[part] = found[i]
		}
		for _, p := range found[i] {
			if !seen[p.Node] {
				seen[p.Node] = true
				nodes = append(nodes, m.describe(p))
			}
		}
	}
	if len(nodes) == 0 {
		return nil, failed
	}
	for _, err := range errs {
		if err != nil && !m.asked {
			m.app.note("%s", clean(err.Error()))
		}
	}
	m.asked = true
	return nodes, nil
}

func isAny(part string) bool { return part == "any" || strings.HasPrefix(part, "any:") }

// stays reports whether all nodes that a part any has chosen are still there: tasks of
// the map itself make them the more loaded ones, so that it would choose others.
func (m *mapNodes) stays(ctx context.Context, part string) bool {
	for _, p := range m.chosen[part] {
		l, err := control.Client{Engine: m.node.Engine, Node: p.Node}.Load(ctx, cid.Undef)
		if err != nil || l.Draining {
			return false
		}
	}
	return m.chosen[part] != nil
}

func (m *mapNodes) describe(p placement.Place) batch.Node {
	n := batch.Node{ID: p.Node, Name: p.Name, Jobs: m.jobs}
	if n.Name == "" {
		n.Name = "local"
	}
	if _, ok := m.cores[p.Node]; !ok {
		m.cores[p.Node] = max(1, p.Cores-p.Running)
	}
	if m.jobs == 0 {
		n.Jobs = m.cores[p.Node]
	}
	if p.Draining {
		n.Jobs = 0
	}
	return n
}

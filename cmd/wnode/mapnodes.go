package main

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/batch"
)

// places finds the nodes of a map.
type places struct {
	app    *app
	node   *wnode.Node
	on     string
	jobs   int // 0: by the cores of each
	module cid.Cid
}

// find is the Nodes of a map: those of the selection that can be reached.
func (p *places) find(ctx context.Context) ([]batch.Node, error) {
	if p.on == "local" {
		return []batch.Node{{ID: p.node.Self.Node, Name: "local", Jobs: p.count(runtime.GOMAXPROCS(0))}}, nil
	}
	var nodes []batch.Node
	var failed error
	for name := range strings.SplitSeq(p.on, ",") {
		c, err := p.app.reach(ctx, p.node, name)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		nodes = append(nodes, batch.Node{ID: c.Node, Name: name, Jobs: p.count(runtime.NumCPU())})
	}
	if len(nodes) == 0 {
		return nil, failed
	}
	return nodes, nil
}

func (p *places) count(cores int) int {
	if p.jobs > 0 {
		return p.jobs
	}
	return max(1, cores)
}

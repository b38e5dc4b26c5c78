package wnode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/placement"
)

// placeGrace is how long the parts of a selector may take before a later one is taken
// that answered.
const placeGrace = 500 * time.Millisecond

// Place returns a node for one process: that of the first part of a selector that can be
// had, the least loaded if a part means several. All parts are tried at once; when one
// has been found those before it have half a second, so that a node that is down does not
// hold up what may run elsewhere. module is as of Select.
func (n *Node) Place(ctx context.Context, on string, module cid.Cid) (placement.Place, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts := strings.Split(on, ",")
	type result struct {
		part  int
		place placement.Place
		err   error
	}
	results := make(chan result, len(parts))
	for i, text := range parts {
		s, err := placement.Parse(text)
		if err != nil {
			return placement.Place{}, engine.Reasonf(engine.BadArg, "%v", err)
		}
		go func() {
			r := result{part: i}
			r.place, r.err = n.least(ctx, s, module)
			results <- r
		}()
	}
	found := make([]*result, len(parts))
	grace := time.NewTimer(placeGrace)
	defer grace.Stop()
	for over := false; ; {
		var errs []error
		for _, r := range found {
			if r == nil && !over {
				break // it comes first, if it comes
			}
			if r != nil && r.err == nil {
				return r.place, nil
			}
			if r != nil {
				errs = append(errs, r.err)
			}
		}
		if len(errs) == len(parts) {
			return placement.Place{}, errors.Join(errs...)
		}
		select {
		case r := <-results:
			found[r.part] = &r
		case <-grace.C:
			over = true
		case <-ctx.Done():
			return placement.Place{}, engine.Reasonf(engine.NoConnection, "no node of %s answered", on)
		}
	}
}

// least returns the least loaded node of a selector that takes processes.
func (n *Node) least(ctx context.Context, s placement.Selector, module cid.Cid) (placement.Place, error) {
	places, err := n.Select(ctx, s, module, nil)
	if err != nil {
		return placement.Place{}, err
	}
	var open []placement.Place
	for _, p := range places {
		if !p.Draining {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return placement.Place{}, fmt.Errorf("%w: %s stops", placement.ErrNoNode, s)
	}
	return placement.Least(open), nil
}

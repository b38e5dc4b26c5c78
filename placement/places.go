package placement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
)

// ErrNoNode is the error when no node is what a selector means.
var ErrNoNode = errors.New("no such node")

// Place is a node where something can run.
type Place struct {
	Node engine.NodeID
	control.Load
}

// answerTime is how long a node may take to say how loaded it is; one that does not
// is no place to run at.
const answerTime = 3 * time.Second

// maxNodes bounds how many nodes one selector asks.
const maxNodes = 4096

// Finder finds the nodes that selectors mean.
type Finder struct {
	Engine *engine.Engine
	Self   bool // this node is one of all: it is no command's
	// Connect brings up a session with a named node; nil is Engine.Connect.
	Connect func(ctx context.Context, name string) (engine.NodeID, error)
}

// Find returns the nodes that a selector means, each once: those of its first part, then
// those of its second, and so on. A part any is in the order of load, others in that of names. module
// is what is to run there, undefined for nothing: who has it comes first among those
// that are equally loaded. Nodes that stop are not found but by name. ErrNoNode if a
// part means no node, or the error of connecting to one that is named.
func (f *Finder) Find(ctx context.Context, s Selector, module cid.Cid) (places []Place, err error) {
	var known []Place
	seen := map[engine.NodeID]bool{}
	for _, p := range s.parts {
		if known == nil && p.kind != named && p.kind != local {
			known = f.all(ctx, module)
		}
		found, err := f.part(ctx, p, known, module)
		if err != nil {
			return nil, err
		}
		for _, place := range found {
			if !seen[place.Node] {
				seen[place.Node] = true
				places = append(places, place)
			}
		}
	}
	return places, nil
}

func (f *Finder) part(ctx context.Context, p part, known []Place, module cid.Cid) ([]Place, error) {
	switch p.kind {
	case named, local:
		id := f.Engine.Node()
		if p.kind == named {
			connect := f.Connect
			if connect == nil {
				connect = f.Engine.Connect
			}
			var err error
			if id, err = connect(ctx, p.name); err != nil {
				return nil, err
			}
		}
		l, err := f.load(ctx, id, module)
		return []Place{{id, l}}, err
	case anyOf:
		found := slices.Clone(known)
		rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] }) // or all who ask would choose the same one
		slices.SortStableFunc(found, func(a, b Place) int { return cmp.Compare(a.weight(), b.weight()) })
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: there is none to choose from", ErrNoNode)
		}
		return found[:min(p.n, len(found))], nil
	case labelled:
		var found []Place
		values := map[string]bool{}
		for _, k := range known {
			v, ok := k.Labels[p.key]
			if ok && v == p.value {
				found = append(found, k)
			} else if ok {
				values[p.key+"="+v] = true
			}
		}
		if len(found) > 0 {
			return found, nil
		}
		others := ""
		if len(values) > 0 {
			others = ": there is " + strings.Join(slices.Sorted(maps.Keys(values)), ", ")
		}
		return nil, fmt.Errorf("%w: none of %d has the label %s=%s%s", ErrNoNode, len(known), p.key, p.value, others)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("%w: there is none besides this one", ErrNoNode)
	}
	return known, nil
}

// weight orders nodes by how much a guest that begins there has to share a core with. A
// process that waits for something takes little of it; a module that must come first
// costs as much as ten of these on each core, so that servers spread too.
func (p Place) weight() float64 {
	w := (float64(p.Running) + float64(p.Processes)/1000) / float64(max(1, p.Cores))
	if p.Holds {
		return w
	}
	return w + 0.01
}

// Least returns the one that a process is best started at; there must be one.
func Least(places []Place) Place {
	return slices.MinFunc(places, func(a, b Place) int { return cmp.Compare(a.weight(), b.weight()) })
}

// all returns all nodes that can be reached and take processes, in the order of their
// names.
func (f *Finder) all(ctx context.Context, module cid.Cid) (found []Place) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	asked := map[string]bool{} // by peer id
	var ask func(id engine.NodeID)
	begin := func(peerID string, id func() (engine.NodeID, error)) { // mu is held
		if asked[peerID] || len(asked) >= maxNodes {
			return
		}
		asked[peerID] = true
		wg.Go(func() {
			if id, err := id(); err == nil {
				ask(id)
			}
		})
	}
	ask = func(id engine.NodeID) {
		c := control.Client{Engine: f.Engine, Node: id}
		l, err := c.Load(ctx, module)
		if err != nil {
			return
		}
		mu.Lock()
		if !l.Draining {
			found = append(found, Place{id, l})
		}
		asked[l.PeerID] = true
		mu.Unlock()
		peers, err := c.Peers(ctx)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, p := range peers {
			if !p.Hidden {
				begin(p.PeerID, func() (engine.NodeID, error) { return f.Engine.Connect(ctx, p.PeerID) })
			}
		}
	}
	mu.Lock()
	for _, p := range f.Engine.Nodes() {
		begin(p.PeerID, func() (engine.NodeID, error) { return p.Node, nil })
	}
	mu.Unlock()
	if f.Self {
		ask(f.Engine.Node())
	}
	wg.Wait()
	found = slices.DeleteFunc(found, func(p Place) bool { return !f.Self && p.Node == f.Engine.Node() })
	slices.SortFunc(found, func(a, b Place) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.PeerID, b.PeerID)) })
	return slices.CompactFunc(found, func(a, b Place) bool { return a.Node == b.Node })
}

func (f *Finder) load(ctx context.Context, id engine.NodeID, module cid.Cid) (control.Load, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return control.Client{Engine: f.Engine, Node: id}.Load(ctx, module)
}

package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
	"github.com/wnode-project/wnode/p2p/wire"
)

// moduleProtocol sends a whole module, block by block.
const moduleProtocol = "/wnode/module/1"

const (
	// stallTime is how long a peer may take for the next block.
	stallTime = 10 * time.Second
	// maxServing is how many modules a node sends at once.
	maxServing = 16
	// liarTime is how long a peer that sent a wrong block is not asked again.
	liarTime = 10 * time.Minute
)

// exchange gets modules from peers and gives them to peers.
type exchange struct {
	node  *Node
	local local
	slots chan struct{}

	mu      sync.Mutex
	fetches map[cid.Cid]*fetch
	liars   map[peer.ID]time.Time // when they lied
	wg      sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

// fetch is one module on its way: all who want it wait for it.
type fetch struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{}
	bytes   []byte
	err     error
}

func (x *exchange) init(n *Node, s *modstore.Store) {
	x.node, x.local = n, local{s}
	x.slots = make(chan struct{}, maxServing)
	x.fetches, x.liars = map[cid.Cid]*fetch{}, map[peer.ID]time.Time{}
	x.ctx, x.cancel = context.WithCancel(context.Background())
}

func (x *exchange) close() {
	x.cancel()
	x.wg.Wait()
}

// Resolve implements engine.Modules.
func (n *Node) Resolve(name string) (cid.Cid, error) { return n.mods.local.Resolve(name) }

// Has implements engine.Modules.
func (n *Node) Has(c cid.Cid) bool { return n.mods.local.Has(c) }

// Open implements engine.Modules: from the store, else from the node that wants
// it run, else from any other one with a session.
func (n *Node) Open(ctx context.Context, c cid.Cid, size uint64, from engine.NodeID) ([]byte, error) {
	b, err := n.mods.local.Open(ctx, c, size, from)
	if !errors.Is(err, engine.Reason{Word: engine.ModuleNotFound}) {
		return b, err
	}
	if size > modstore.MaxModule {
		return nil, engine.Reasonf(engine.ModuleNotFound, "%s has %d bytes, the limit is %d", c, size, modstore.MaxModule)
	}
	return n.mods.fetch(ctx, c, from)
}

// fetch joins the fetch of a module, or begins it. It goes on as long as one of
// those who wait for it does.
func (x *exchange) fetch(ctx context.Context, c cid.Cid, from engine.NodeID) ([]byte, error) {
	x.mu.Lock()
	f := x.fetches[c]
	if f == nil {
		fctx, cancel := context.WithCancel(x.ctx)
		f = &fetch{cancel: cancel, done: make(chan struct{})}
		x.fetches[c] = f
		x.wg.Go(func() {
			f.bytes, f.err = x.get(fctx, c, from)
			x.mu.Lock()
			if x.fetches[c] == f {
				delete(x.fetches, c)
			}
			x.mu.Unlock()
			cancel()
			close(f.done)
		})
	}
	f.waiting++
	x.mu.Unlock()
	select {
	case <-f.done:
		return f.bytes, f.err
	case <-ctx.Done():
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if x.fetches[c] == f {
			delete(x.fetches, c)
		}
	}
	return nil, context.Cause(ctx)
}

// get asks one peer after the other. What it got it keeps in the store.
func (x *exchange) get(ctx context.Context, c cid.Cid, from engine.NodeID) ([]byte, error) {
	var said []error
	peers := x.candidates(from)
	for _, s := range peers {
		err := x.getFrom(ctx, s, c)
		if err == nil {
			return x.local.store.Bytes(ctx, c)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		said = append(said, fmt.Errorf("%s: %w", x.nameOf(s), err))
		if lied(err) {
			x.node.log.Warn("peer sent a wrong block", "node", s.eng.Peer().Name, "peer", s.id, "module", c, "why", err)
			x.mu.Lock()
			x.liars[s.id] = time.Now()
			x.mu.Unlock()
		}
		if errors.Is(err, modstore.ErrTooLarge) {
			break
		}
	}
	if len(said) == 0 {
		return nil, engine.Reasonf(engine.ModuleNotFound, "%s is not here, and there is no peer to ask", c)
	}
	return nil, engine.Reasonf(engine.ModuleNotFound, "%s is not here, and no peer gave it: %v", c, errors.Join(said...))
}

func (x *exchange) nameOf(s *session) string {
	p := s.eng.Peer()
	switch {
	case p.Node == x.node.eng.Node():
		return "this node"
	case p.Hidden:
		return "the command " + s.id.String()
	}
	return "node " + p.Name
}

// lied reports whether an error shows that the peer sent what it should not.
func lied(err error) bool {
	return errors.Is(err, modstore.ErrCorrupt) || errors.Is(err, modstore.ErrUnexpected) ||
		errors.Is(err, modstore.ErrBadDAG) || errors.Is(err, modstore.ErrTooLarge) || errors.Is(err, wire.ErrMalformed)
}

// candidates returns the sessions to ask, the preferred node first, without
// those who lied of late.
func (x *exchange) candidates(first engine.NodeID) []*session {
	x.mu.Lock()
	liars := map[peer.ID]bool{}
	for id, at := range x.liars {
		if time.Since(at) > liarTime {
			delete(x.liars, id)
		} else {
			liars[id] = true
		}
	}
	x.mu.Unlock()
	n := x.node
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []*session
	for id, e := range n.pairs {
		if e.session != nil && !liars[id] {
			out = append(out, e.session)
		}
	}
	slices.SortFunc(out, func(a, b *session) int {
		rank := func(s *session) int {
			switch p := s.eng.Peer(); {
			case p.Node == first:
				return 0
			case p.Hidden: // of another command: it has little, and not for long
				return 2
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	return out
}

// getFrom gets a module from one peer into the store.
func (x *exchange) getFrom(ctx context.Context, from *session, c cid.Cid) error {
	s, err := openStream(ctx, from.conn, moduleProtocol)
	if err != nil {
		return err
	}
	defer s.Reset()
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	im := x.local.store.NewImport(c)
	defer im.Discard()
	if err := s.SetDeadline(time.Now().Add(stallTime)); err != nil {
		return err
	}
	if _, err := s.Write(wire.AppendWant(nil, c)); err != nil {
		return err
	}
	r := bufio.NewReaderSize(s, 64<<10)
	for done := false; !done; {
		if err := s.SetDeadline(time.Now().Add(stallTime)); err != nil {
			return err
		}
		kind, body, err := wire.ReadFrame(r, wire.MaxBlock)
		if err != nil {
			return fmt.Errorf("the stream broke off: %w", err)
		}
		switch kind {
		case wire.KindRefusal:
			r, err := wire.DecodeRefusal(body)
			if err != nil {
				return err
			}
			return errors.New(r.Text)
		case wire.ModuleBlock:
			id, data, err := wire.DecodeBlock(body)
			if err != nil {
				return err
			}
			if done, err = im.Put(id, data); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: frame %#x instead of a block", wire.ErrMalformed, kind)
		}
	}
	return im.Commit()
}

// serve answers one request.
func (x *exchange) serve(s network.Stream) {
	defer s.Close()
	err := x.serveOne(s)
	if err != nil {
		x.node.log.Debug("module not served", "peer", s.Conn().RemotePeer(), "why", err)
	}
}

func (x *exchange) serveOne(s network.Stream) error {
	if err := s.SetDeadline(time.Now().Add(stallTime)); err != nil {
		return err
	}
	kind, body, err := wire.ReadFrame(bufio.NewReaderSize(s, 512), wire.MaxHello)
	if err != nil {
		return err
	}
	refuse := func(code wire.RefusalCode, format string, args ...any) error {
		err := fmt.Errorf(format, args...)
		_, werr := s.Write(wire.Refusal{Code: code, Text: err.Error()}.Append(nil))
		return errors.Join(err, werr)
	}
	if kind != wire.ModuleWant {
		return refuse(wire.RefusedRequest, "frame %#x instead of a want", kind)
	}
	c, err := wire.DecodeWant(body)
	if err != nil {
		return refuse(wire.RefusedRequest, "%v", err)
	}
	if p := x.node.host.proved(s.Conn()); p == nil || !p.roles.Allows("stream:module") {
		return refuse(wire.RefusedRole, "the role does not allow to get modules")
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-time.After(stallTime / 2):
		return refuse(wire.RefusedBusy, "%d modules are being sent", maxServing)
	}
	x.local.store.Use(c)
	err = x.local.store.Blocks(x.ctx, c, func(id cid.Cid, data []byte) error {
		if err := s.SetDeadline(time.Now().Add(stallTime)); err != nil {
			return err
		}
		_, err := s.Write(wire.AppendBlock(nil, id, data))
		return err
	})
	switch {
	case errors.Is(err, modstore.ErrNotFound):
		return refuse(wire.RefusedNotFound, "it does not have the module")
	case err != nil:
		s.Reset()
		return err
	}
	_, err = s.Write(wire.AppendFrame(nil, wire.ModuleEnd, nil))
	return err
}

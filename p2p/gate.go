package p2p

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/wnode-project/wnode/engine"
)

const (
	// proofTime is how long a connection may stay without a proof.
	proofTime = 5 * time.Second
	// maxUnproved bounds the inbound connections that have not proved anything.
	maxUnproved = 64
)

// proof is what a peer proved on a connection.
type proof struct {
	user  engine.Origin
	roles engine.Role
}

// gate is a host that knows which connections proved that they belong to the
// cluster. It is the only host that protocols get: their handlers see streams
// of proved connections only, and they can open streams, and see peers, only
// there. Authentication itself, and libp2p's identify, use the host below it.
type gate struct {
	host.Host

	mu       sync.Mutex
	proofs   map[string]*proof   // by connection
	unproved map[string]*waiting // inbound connections only
}

// waiting is an inbound connection that has proved nothing yet.
type waiting struct {
	timeout *time.Timer
	tried   bool
}

var _ host.Host = (*gate)(nil)

func newGate(h host.Host) *gate {
	g := &gate{Host: h, proofs: map[string]*proof{}, unproved: map[string]*waiting{}}
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { g.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { g.forget(c) },
	})
	return g
}

// connected gives an inbound connection its time to prove itself.
func (g *gate) connected(c network.Conn) {
	if c.Stat().Direction != network.DirInbound {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.unproved) >= maxUnproved {
		go c.Close()
		return
	}
	g.unproved[c.ID()] = &waiting{timeout: time.AfterFunc(proofTime, func() { c.Close() })}
}

func (g *gate) forget(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(c)
	delete(g.proofs, c.ID())
}

// settle ends the wait for a proof. g.mu is held.
func (g *gate) settle(c network.Conn) {
	if w := g.unproved[c.ID()]; w != nil {
		w.timeout.Stop()
		delete(g.unproved, c.ID())
	}
}

// mayTry reports whether the peer may try to prove itself on a connection: once,
// and only if it dialled.
func (g *gate) mayTry(c network.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.unproved[c.ID()]
	if w == nil || w.tried {
		return false
	}
	w.tried = true
	return true
}

// admit opens the gate for a connection.
func (g *gate) admit(c network.Conn, p proof) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(c)
	if !c.IsClosed() {
		g.proofs[c.ID()] = &p
	}
}

// proved returns what was proved on a connection, nil if nothing was.
func (g *gate) proved(c network.Conn) *proof {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proofs[c.ID()]
}

// provedConn returns a connection to the peer that is proved, nil if none is.
func (g *gate) provedConn(p peer.ID) network.Conn {
	for _, c := range g.Host.Network().ConnsToPeer(p) {
		if !c.IsClosed() && g.proved(c) != nil {
			return c
		}
	}
	return nil
}

// guarded returns the handler behind the gate.
func (g *gate) guarded(h network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if g.proved(s.Conn()) == nil {
			s.Reset()
			return
		}
		h(s)
	}
}

// SetStreamHandler implements host.Host.
func (g *gate) SetStreamHandler(id protocol.ID, h network.StreamHandler) {
	g.Host.SetStreamHandler(id, g.guarded(h))
}

// SetStreamHandlerMatch implements host.Host.
func (g *gate) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, h network.StreamHandler) {
	g.Host.SetStreamHandlerMatch(id, match, g.guarded(h))
}

// Connect implements host.Host. It makes no connection: whoever wants one asks
// the Node, which also proves itself there.
func (g *gate) Connect(_ context.Context, info peer.AddrInfo) error {
	if g.provedConn(info.ID) == nil {
		return fmt.Errorf("no proved connection to %s", info.ID)
	}
	return nil
}

// NewStream implements host.Host, on a proved connection that is there.
func (g *gate) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	c := g.provedConn(p)
	if c == nil {
		return nil, fmt.Errorf("no proved connection to %s", p)
	}
	return openStream(ctx, c, ids...)
}

// openStream opens a stream on this very connection, whatever others there are.
func openStream(ctx context.Context, c network.Conn, ids ...protocol.ID) (network.Stream, error) {
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	id, err := multistream.SelectOneOf(ids, s)
	if err == nil {
		err = s.SetProtocol(id)
	}
	if err != nil {
		s.Reset()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("protocol %v: %w", ids, err)
	}
	return s, nil
}

// Network implements host.Host.
func (g *gate) Network() network.Network { return &gatedNetwork{g.Host.Network(), g} }

// gatedNetwork shows proved connections only.
type gatedNetwork struct {
	network.Network
	gate *gate
}

// Peers implements network.Dialer.
func (n *gatedNetwork) Peers() []peer.ID {
	return slices.DeleteFunc(n.Network.Peers(), func(p peer.ID) bool { return n.gate.provedConn(p) == nil })
}

// Conns implements network.Dialer.
func (n *gatedNetwork) Conns() []network.Conn { return n.only(n.Network.Conns()) }

// ConnsToPeer implements network.Dialer.
func (n *gatedNetwork) ConnsToPeer(p peer.ID) []network.Conn {
	return n.only(n.Network.ConnsToPeer(p))
}

func (n *gatedNetwork) only(cs []network.Conn) []network.Conn {
	return slices.DeleteFunc(cs, func(c network.Conn) bool { return n.gate.proved(c) == nil })
}

// Connectedness implements network.Dialer.
func (n *gatedNetwork) Connectedness(p peer.ID) network.Connectedness {
	if n.gate.provedConn(p) == nil {
		return network.NotConnected
	}
	return n.Network.Connectedness(p)
}

// DialPeer implements network.Dialer, without dialling.
func (n *gatedNetwork) DialPeer(_ context.Context, p peer.ID) (network.Conn, error) {
	if c := n.gate.provedConn(p); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no proved connection to %s", p)
}

// NewStream implements network.Network.
func (n *gatedNetwork) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	c := n.gate.provedConn(p)
	if c == nil {
		return nil, fmt.Errorf("no proved connection to %s", p)
	}
	return c.NewStream(ctx)
}

// SetStreamHandler implements network.Network. The host has it: a library that
// took it over would bypass the gate.
func (n *gatedNetwork) SetStreamHandler(network.StreamHandler) {}

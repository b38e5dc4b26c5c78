package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// Config describes the network side of a node. All fields but Listen, Name,
// Find, OnPeer and Log are needed.
type Config struct {
	Key     ed25519.PrivateKey // of the node
	User    ed25519.PrivateKey // of who runs it
	Cookie  Cookie
	Name    string // alias; "" with Hidden
	Hidden  bool   // a command's short-lived node, which nobody lists
	Version string // of the program, told to peers for people
	Listen  []string
	Engine  *engine.Engine
	Store   *modstore.Store
	Log     *slog.Logger // nil discards

	// Find returns the multiaddrs, each with /p2p/, that may lead to a node by
	// name, peer id or the beginning of one. It may ask the network.
	Find func(ctx context.Context, node string) []string
	// OnPeer is called for each session with a node that is not hidden, on a
	// goroutine of its own.
	OnPeer func(p engine.Peer, addrs []string)
}

// Node is a libp2p host and its sessions. It implements engine.Dist and
// engine.Modules. Its methods are safe for concurrent use.
type Node struct {
	cfg  Config
	eng  *engine.Engine
	log  *slog.Logger
	host *gate
	auth *authenticator
	mods exchange

	sessions atomic.Uint64
	minters  atomic.Uint32

	mu     sync.Mutex
	closed bool
	pairs  map[peer.ID]*pair
	wg     sync.WaitGroup // sessions and what they began
}

var (
	_ engine.Dist    = (*Node)(nil)
	_ engine.Modules = (*Node)(nil)
)

// Start listens. The context bounds the start only.
func Start(_ context.Context, c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	key, id, err := libp2pKey(c.Key)
	if err != nil {
		return nil, err
	}
	h, err := newHost(key, c.Listen)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: c, eng: c.Engine, log: c.Log, pairs: map[peer.ID]*pair{}}
	n.mods.init(n, c.Store)
	n.auth = &authenticator{
		cookie: c.Cookie, self: id,
		delegate: func() []byte { return delegate(c.User, id, time.Now()) },
	}
	n.host = newGate(h)
	h.SetStreamHandler(authProtocol, n.acceptAuth)
	n.host.SetStreamHandler(signalProtocol, n.acceptSession)
	n.host.SetStreamHandler(moduleProtocol, n.mods.serve)
	n.eng.Serve("connect", n.introduced)
	return n, nil
}

// acceptAuth lets another node prove itself. A connection has one attempt.
func (n *Node) acceptAuth(s network.Stream) {
	defer s.Close()
	c := s.Conn()
	if !n.host.mayTry(c) {
		s.Reset()
		return
	}
	err := n.auth.accept(s, func(p proof) { n.host.admit(c, p) })
	if err == nil {
		return
	}
	n.log.Warn("authentication refused", "peer", c.RemotePeer(), "addr", c.RemoteMultiaddr(), "why", err)
	// The refusal must arrive before the connection goes. The dialler closes
	// it; if not, the gate does when the time for the proof is over.
	if n.host.proved(c) != nil {
		c.Close()
	}
}

// PeerID returns this node's libp2p peer id in text form.
func (n *Node) PeerID() string { return n.host.ID().String() }

// Addrs returns the multiaddrs to reach this node by, TCP first, each with
// /p2p/. One that listens on all interfaces lists those of each.
func (n *Node) Addrs() []string {
	addrs := n.host.Addrs()
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String()+"/p2p/"+n.PeerID())
	}
	slices.SortStableFunc(out, func(a, b string) int {
		quic := func(s string) int {
			if strings.Contains(s, "/quic-v1") {
				return 1
			}
			return 0
		}
		return quic(a) - quic(b)
	})
	return out
}

// Peer is a node that this one has a session with.
type Peer struct {
	engine.Peer
	Addrs []string // where it says that others reach it
}

// Peers returns the nodes with a session, without hidden ones, by name.
func (n *Node) Peers() []Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Peer
	for _, e := range n.pairs {
		if s := e.session; s != nil && !s.eng.Peer().Hidden {
			out = append(out, Peer{s.eng.Peer(), s.addrs})
		}
	}
	slices.SortFunc(out, func(a, b Peer) int {
		return strings.Compare(a.Name+a.PeerID, b.Name+b.PeerID)
	})
	return out
}

var errClosing = errors.New("the node is stopping")

// Close ends all sessions, in peace, and the host. Close the engine before: its
// last signals then still arrive.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	var up []*session
	for _, e := range n.pairs {
		if e.session != nil {
			up = append(up, e.session)
		}
	}
	n.mu.Unlock()
	for _, s := range up {
		s.link.Close(errClosing)
	}
	n.wg.Wait()
	n.mods.close()
	return n.host.Close()
}

package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/wnode-project/wnode/engine"
)

// minPeerPrefix is how much of a peer id names a node: the first 8 characters
// are the same for all Ed25519 keys.
const minPeerPrefix = 12

// isNode reports whether a text is a node's id, or 12 digits of it and more, as pids
// have it.
func isNode(id engine.NodeID, text string) bool {
	return len(text) >= 12 && strings.HasPrefix(id.String(), text)
}

// IsNode reports whether a text is the node id of a peer id, or 12 digits of it and
// more.
func IsNode(peerID, text string) bool {
	id, err := peer.Decode(peerID)
	return err == nil && isNode(nodeID(id), text)
}

// Connect implements engine.Dist. It knows a node by its sessions, else by
// Config.Find. Errors match one of this package's.
func (n *Node) Connect(ctx context.Context, node string) (engine.NodeID, error) {
	if s := n.sessionWith(node); s != nil {
		return s.eng.Peer().Node, nil
	}
	var addrs []string
	if n.cfg.Find != nil {
		addrs = n.cfg.Find(ctx, node)
	}
	if len(addrs) == 0 {
		return engine.NodeID{}, failf(ErrUnknownPeer, "no node %q is known", node)
	}
	infos, err := parseInfos(addrs)
	if err != nil {
		return engine.NodeID{}, err
	}
	var failed error
	for _, info := range infos {
		s, err := n.reach(ctx, info)
		if err != nil {
			failed = fmt.Errorf("node %s: %w", node, err)
			continue
		}
		p := s.eng.Peer()
		if p.Name == node || strings.HasPrefix(p.PeerID, node) || isNode(p.Node, node) {
			return p.Node, nil
		}
		failed = failf(ErrUnknownPeer, "the node at %s is %q, not %q", p.Addr, p.Name, node)
	}
	return engine.NodeID{}, failed
}

// sessionWith finds a session by name, or peer id or the beginning of one.
func (n *Node) sessionWith(node string) *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found *session
	for id, e := range n.pairs {
		if e.session == nil {
			continue
		}
		if p := e.session.eng.Peer(); p.Name == node || isNode(p.Node, node) {
			return e.session
		}
		if len(node) >= minPeerPrefix && strings.HasPrefix(id.String(), node) {
			found = e.session
		}
	}
	return found
}

// Join connects to the node at an address: a multiaddr with or without /p2p/,
// or HOST:PORT. It returns who is there.
func (n *Node) Join(ctx context.Context, addr string) (engine.NodeID, error) {
	info, err := n.resolve(ctx, addr)
	if err != nil {
		return engine.NodeID{}, err
	}
	if info.ID == n.host.ID() {
		return engine.NodeID{}, failf(ErrBadAddress, "%s is this node itself", addr)
	}
	s, err := n.reach(ctx, *info)
	if err != nil {
		return engine.NodeID{}, err
	}
	return s.eng.Peer().Node, nil
}

// reach returns the session with a peer, and makes it if there is none.
func (n *Node) reach(ctx context.Context, info peer.AddrInfo) (*session, error) {
	if info.ID == n.host.ID() {
		return nil, failf(ErrBadAddress, "that is this node itself")
	}
	for broken := 0; ; {
		n.mu.Lock()
		e := n.pairOf(info.ID)
		busy := e.dial
		if busy == nil {
			busy = e.accept
		}
		switch {
		case e.session != nil:
			n.mu.Unlock()
			return e.session, nil
		case n.closed:
			n.dropPair(info.ID)
			n.mu.Unlock()
			return nil, failf(ErrPeerDown, "this node is stopping")
		case busy != nil:
			n.mu.Unlock()
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				return nil, failf(ErrPeerDown, "%s does not answer", info.ID)
			}
		}
		over := make(chan struct{})
		e.dial, e.helloSent = over, false
		n.mu.Unlock()
		s, err := n.dial(ctx, info)
		n.mu.Lock()
		e.dial, e.helloSent = nil, false
		n.dropPair(info.ID)
		n.mu.Unlock()
		close(over)
		switch {
		case isBroken(err) && broken < maxBroken && ctx.Err() == nil:
			broken++ // it may have been that of a session that was just ending
			continue
		case !errors.Is(err, errDuplicate):
			return s, err
		}
		// Theirs comes first: it is up soon, or it failed and ours is due.
		if err := n.giveWay(ctx, info.ID); err != nil {
			return nil, err
		}
	}
}

// maxBroken is how often a connection may break before that is the answer.
const maxBroken = 2

// giveWayTime is how long a node that gave way waits before it dials again.
const giveWayTime = 50 * time.Millisecond

func (n *Node) giveWay(ctx context.Context, id peer.ID) error {
	t := time.NewTimer(giveWayTime)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return failf(ErrPeerDown, "%s holds another session with this node and does not begin a new one", id)
	}
}

// dial connects, proves and opens the session.
func (n *Node) dial(ctx context.Context, info peer.AddrInfo) (*session, error) {
	c, err := n.connection(ctx, info)
	if err != nil {
		return nil, err
	}
	if n.host.proved(c) == nil {
		if c.Stat().Direction == network.DirInbound {
			return nil, errDuplicate // theirs: they prove themselves first, or it ends soon
		}
		p, err := n.auth.dial(ctx, c)
		if err != nil {
			c.Close()
			return nil, err
		}
		n.host.admit(c, p)
	}
	s, err := n.openSession(ctx, c)
	if err != nil && !errors.Is(err, errDuplicate) {
		c.Close()
	}
	return s, err
}

const (
	// tcpTime and quicTime bound a dial. A host that is there answers at once;
	// one whose TCP says so may not be there at all.
	tcpTime  = 5 * time.Second
	quicTime = 2 * time.Second
)

// connection dials a peer: over TCP, and only if that fails over QUIC, because
// over TCP the death of a process is noticed at once.
func (n *Node) connection(ctx context.Context, info peer.AddrInfo) (network.Conn, error) {
	var tcp, quic []ma.Multiaddr
	for _, a := range info.Addrs {
		if isQUIC(a) {
			quic = append(quic, a)
		} else {
			tcp = append(tcp, a)
		}
	}
	net := n.host.Host.Network()
	var why []string
	for _, try := range []struct {
		addrs []ma.Multiaddr
		limit time.Duration
	}{{tcp, tcpTime}, {quic, quicTime}} {
		if len(try.addrs) == 0 {
			continue
		}
		if s, ok := net.(*swarm.Swarm); ok {
			s.Backoff().Clear(info.ID) // who asks again has a reason to
		}
		n.host.Peerstore().ClearAddrs(info.ID)
		n.host.Peerstore().AddAddrs(info.ID, try.addrs, time.Minute)
		dctx, cancel := context.WithTimeout(ctx, try.limit)
		c, err := net.DialPeer(dctx, info.ID)
		timedOut := dctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return c, nil
		case timedOut:
			why = append(why, "no answer in time")
		default:
			why = append(why, dialReason(err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failf(ErrPeerDown, "no answer from %s: %s", addrsText(info), strings.Join(slices.Compact(why), "; "))
}

func addrsText(info peer.AddrInfo) string {
	if len(info.Addrs) == 0 {
		return info.ID.String()
	}
	return info.Addrs[0].String()
}

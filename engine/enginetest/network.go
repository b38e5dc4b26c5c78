package enginetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wnode-project/wnode/engine"
)

// Network wires engines in memory. Make one with NewNetwork.
type Network struct {
	programs *Programs
	recode   func(*engine.Signal) (*engine.Signal, error)

	mu       sync.Mutex
	nodes    map[string]*engine.Engine
	parted   map[[2]engine.NodeID]bool // pairs that cannot connect
	sessions uint64
	wg       sync.WaitGroup
}

// NewNetwork returns a network whose nodes run the programs. Each signal
// passes through recode, which encodes and decodes it as a wire would; nil
// hands it over as it is.
func NewNetwork(t *testing.T, programs *Programs, recode func(*engine.Signal) (*engine.Signal, error)) *Network {
	n := &Network{programs: programs, recode: recode, nodes: map[string]*engine.Engine{}, parted: map[[2]engine.NodeID]bool{}}
	t.Cleanup(func() {
		n.mu.Lock()
		nodes := n.nodes
		n.nodes = map[string]*engine.Engine{}
		n.mu.Unlock()
		for _, e := range nodes {
			e.Close()
		}
		n.wg.Wait()
	})
	return n
}

// NodeID returns the id that the node of that name has in this network.
func NodeID(name string) (id engine.NodeID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}

// Start implements Cluster.
func (n *Network) Start(name string, user byte) *engine.Engine {
	n.mu.Lock()
	before := n.nodes[name]
	delete(n.nodes, name)
	n.mu.Unlock()
	incarnation := uint32(1)
	if before != nil {
		before.Close()
		incarnation += before.Incarnation()
	}
	e := engine.New(engine.Config{
		Node: NodeID(name), Name: name, Incarnation: incarnation, Owner: engine.Origin{user},
		Runner: n.programs, Modules: n.programs,
	})
	e.Use(&dist{n, e}, n.programs)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[name] = e
	return e
}

// Cut implements Cluster.
func (n *Network) Cut(a, b *engine.Engine) {
	if s := a.Session(b.Node()); s != nil {
		s.Close(errors.New("cut"))
	}
}

// Part cuts the session of two nodes, and lets none begin before Heal.
func (n *Network) Part(a, b *engine.Engine) { n.part(a, b, true) }

// Heal takes Part back. It does not connect the nodes.
func (n *Network) Heal(a, b *engine.Engine) { n.part(a, b, false) }

func (n *Network) part(a, b *engine.Engine, parted bool) {
	n.mu.Lock()
	n.parted[[2]engine.NodeID{a.Node(), b.Node()}] = parted
	n.parted[[2]engine.NodeID{b.Node(), a.Node()}] = parted
	n.mu.Unlock()
	if parted {
		n.Cut(a, b)
	}
}

type dist struct {
	net  *Network
	self *engine.Engine
}

var _ engine.Dist = (*dist)(nil)

// Connect implements engine.Dist.
func (d *dist) Connect(_ context.Context, node string) (engine.NodeID, error) {
	n := d.net
	n.mu.Lock()
	defer n.mu.Unlock()
	var other *engine.Engine
	for name, e := range n.nodes {
		if name == node || len(node) >= 4 && strings.HasPrefix(e.Node().String(), node) {
			other = e
		}
	}
	if other == nil {
		return engine.NodeID{}, engine.Reasonf(engine.NoConnection, "no node %q", node)
	}
	if n.parted[[2]engine.NodeID{d.self.Node(), other.Node()}] {
		return engine.NodeID{}, engine.Reasonf(engine.NoConnection, "no way to %q", node)
	}
	if d.self.Session(other.Node()) != nil {
		return other.Node(), nil
	}
	return other.Node(), n.connect(d.self, other)
}

// Introduce implements engine.Dist.
func (d *dist) Introduce(ctx context.Context, node, to engine.NodeID) error {
	n := d.net
	n.mu.Lock()
	var from *engine.Engine
	for _, e := range n.nodes {
		if e.Node() == node {
			from = e
		}
	}
	n.mu.Unlock()
	if from == nil {
		return engine.Reasonf(engine.NoConnection, "no node %v", node)
	}
	_, err := from.Connect(ctx, to.String())
	return err
}

// connect makes a session. n.mu is held.
func (n *Network) connect(a, b *engine.Engine) error {
	n.sessions++
	ab, ba := newLink(), newLink()
	ab.other, ba.other = ba, ab
	minter := uint32(n.sessions)
	up := func(e, peer *engine.Engine, l *link, dialled bool) (*engine.Session, error) {
		return e.SessionUp(engine.Peer{
			Node: peer.Node(), Name: peer.Name(), PeerID: "mem-" + peer.Name(), Incarnation: peer.Incarnation(),
			Session: n.sessions, Minter: minter, GaveMinter: minter, Origin: peer.Owner(),
			Roles: engine.OpenRoles, Addr: "memory", Dialled: dialled,
		}, l)
	}
	sa, err := up(a, b, ab, true)
	if err != nil {
		return err
	}
	sb, err := up(b, a, ba, false)
	if err != nil {
		sa.Down(err)
		return err
	}
	n.wg.Go(func() { n.read(sa, ab, ba) })
	n.wg.Go(func() { n.read(sb, ba, ab) })
	return nil
}

// read delivers what the other side sent, until the session ends.
func (n *Network) read(s *engine.Session, mine, other *link) {
	for {
		sig, err := other.next()
		if err == nil && n.recode != nil {
			sig, err = n.recode(sig)
		}
		if err == nil {
			err = s.Deliver(sig)
		}
		if err != nil {
			mine.Close(err)
			other.Close(err)
			s.Down(err)
			return
		}
	}
}

// busyBytes is how much data a link queues before it is busy.
const busyBytes = 1 << 20

// link is one direction.
type link struct {
	other *link // of the other direction: both end together

	mu     sync.Mutex
	cond   *sync.Cond
	queue  []*engine.Signal
	bytes  int
	free   chan struct{} // not nil while busy
	closed error
}

var _ engine.Link = (*link)(nil)

// size is what a signal has of user data.
func size(sig *engine.Signal) int {
	if sig.Message != nil {
		return len(sig.Message.Data)
	}
	return len(sig.Data)
}

func newLink() *link {
	l := &link{}
	l.cond = sync.NewCond(&l.mu)
	return l
}

// Send implements engine.Link.
func (l *link) Send(sig *engine.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed != nil {
		return
	}
	if sig.Kind == engine.KindMessage {
		copied := *sig
		sig = &copied
	}
	l.queue = append(l.queue, sig)
	l.bytes += size(sig)
	if l.bytes > busyBytes && l.free == nil {
		l.free = make(chan struct{})
	}
	l.cond.Signal()
}

// Busy implements engine.Link.
func (l *link) Busy(*engine.Signal) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free == nil {
		return nil
	}
	return l.free
}

// Close implements engine.Link. What was sent before still arrives.
func (l *link) Close(why error) {
	for _, l := range []*link{l, l.other} {
		l.mu.Lock()
		if l.closed == nil {
			l.closed = fmt.Errorf("session closed: %w", why)
			if l.free != nil {
				close(l.free)
				l.free = nil
			}
			l.cond.Broadcast()
		}
		l.mu.Unlock()
	}
}

func (l *link) next() (*engine.Signal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closed != nil {
			return nil, l.closed
		}
		l.cond.Wait()
	}
	sig := l.queue[0]
	l.queue = l.queue[1:]
	l.bytes -= size(sig)
	if l.bytes <= busyBytes && l.free != nil {
		close(l.free)
		l.free = nil
	}
	return sig, nil
}

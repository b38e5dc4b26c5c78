package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// signalProtocol carries all signals between two nodes.
const signalProtocol = "/wnode/signal/1"

// helloTime bounds the handshake of a session.
const helloTime = 5 * time.Second

// pair is what a node has to do with another one: at most one session.
type pair struct {
	session   *session
	dial      chan struct{} // closed when our dial is over; nil: none
	accept    chan struct{} // closed when the accept of theirs is over; nil: none
	helloSent bool          // by our dial: from then on it counts
}

// session is one that is up.
type session struct {
	eng   *engine.Session
	link  *link
	conn  network.Conn
	id    peer.ID
	addrs []string      // where the peer says that others reach it
	done  chan struct{} // closed after Down
}

// errDuplicate: another session of this pair is up or about to be.
var errDuplicate = errors.New("another session of this pair comes first")

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// pairOf returns the entry for a peer, n.mu held.
func (n *Node) pairOf(p peer.ID) *pair {
	e := n.pairs[p]
	if e == nil {
		e = &pair{}
		n.pairs[p] = e
	}
	return e
}

// dropPair forgets an entry that holds nothing, n.mu held.
func (n *Node) dropPair(p peer.ID) {
	if e := n.pairs[p]; e != nil && e.session == nil && e.dial == nil && e.accept == nil {
		delete(n.pairs, p)
	}
}

func (n *Node) hello() wire.Hello {
	return wire.Hello{
		Version: wire.Version, Incarnation: n.eng.Incarnation(), Session: n.sessions.Add(1), Minter: n.minters.Add(1),
		Hidden: n.cfg.Hidden, Name: n.cfg.Name, Release: n.cfg.Version, Addrs: n.Addrs(),
	}
}

// openSession begins a session over a proved connection that we dialled.
func (n *Node) openSession(ctx context.Context, c network.Conn) (*session, error) {
	s, err := openStream(ctx, c, signalProtocol)
	if err != nil {
		return nil, brokef(ErrVersion, "%s at %s speaks no %s: bring both to one release", c.RemotePeer(), c.RemoteMultiaddr(), signalProtocol)
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	defer stop()
	up, err := n.sayHello(s)
	if err != nil {
		s.Reset()
		return nil, err
	}
	return up, nil
}

func (n *Node) sayHello(s network.Stream) (*session, error) {
	id := s.Conn().RemotePeer()
	who := fmt.Sprintf("%s at %s", id, s.Conn().RemoteMultiaddr())
	if err := s.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return nil, err
	}
	n.mu.Lock()
	e := n.pairOf(id)
	if e.accept != nil || e.session != nil {
		n.mu.Unlock()
		return nil, errDuplicate
	}
	e.helloSent = true
	n.mu.Unlock()
	mine := n.hello()
	if _, err := s.Write(mine.Append(nil)); err != nil {
		return nil, brokef(ErrPeerDown, "%s hung up: %s", who, lastPart(err.Error()))
	}
	r, heard := listen(s)
	kind, body, err := wire.ReadFrame(r, wire.MaxHello)
	switch {
	case errors.Is(err, wire.ErrMalformed):
		return nil, failf(ErrProtocol, "%s sent wrong bytes: %v", who, err)
	case err != nil:
		return nil, brokef(ErrPeerDown, "%s hung up: %s", who, lastPart(err.Error()))
	case kind == wire.KindRefusal:
		return nil, refusedSession(who, body)
	}
	theirs, err := checkHello(kind, body)
	if err != nil {
		return nil, failf(ErrProtocol, "%s sent wrong bytes: %v", who, err)
	}
	if theirs.Version < wire.MinVersion {
		return nil, versionMismatch(who, theirs)
	}
	if other := n.holder(theirs.Name, id); other != "" {
		return nil, failf(ErrNameConflict, "the name %s is taken: by %s, and by %s; start one of them under another name", theirs.Name, other, who)
	}
	if _, err := s.Write(wire.AppendFrame(nil, wire.KindConfirm, nil)); err != nil {
		return nil, brokef(ErrPeerDown, "%s hung up: %s", who, lastPart(err.Error()))
	}
	return n.up(newLink(s, r, heard), mine, theirs, true)
}

func versionMismatch(who string, h wire.Hello) error {
	return failf(ErrVersion, "%s speaks version %d of the signal protocol (release %q), this wnode %d to %d: bring both to one release", who, h.Version, h.Release, wire.MinVersion, wire.Version)
}

func refusedSession(who string, body []byte) error {
	r, err := wire.DecodeRefusal(body)
	switch {
	case err != nil:
		return failf(ErrProtocol, "%s sent wrong bytes: %v", who, err)
	case r.Code == wire.RefusedDuplicate:
		return errDuplicate
	case r.Code == wire.RefusedName:
		return failf(ErrNameConflict, "%s", r.Text)
	case r.Code == wire.RefusedVersion:
		return failf(ErrVersion, "%s refused us: %s", who, r.Text)
	}
	return failf(ErrPeerDown, "%s refused us: %s", who, r.Text)
}

func checkHello(kind uint8, body []byte) (wire.Hello, error) {
	if kind != wire.KindHello {
		return wire.Hello{}, fmt.Errorf("frame %#x instead of a hello", kind)
	}
	h, err := wire.DecodeHello(body)
	if err == nil && (h.Name == "") != h.Hidden || h.Name != "" && !nameRE.MatchString(h.Name) {
		err = fmt.Errorf("a hello with the name %q", h.Name)
	}
	return h, err
}

// holder returns who else than the peer has a name, "" for nobody.
func (n *Node) holder(name string, except peer.ID) string {
	if name == "" {
		return ""
	}
	if name == n.cfg.Name {
		return n.host.ID().String()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, e := range n.pairs {
		if id != except && e.session != nil && e.session.eng.Peer().Name == name {
			return id.String()
		}
	}
	return ""
}

// acceptSession answers the hello of a proved peer. It is the handler of the
// stream and stays until the session ends.
func (n *Node) acceptSession(s network.Stream) {
	id := s.Conn().RemotePeer()
	up, err := n.answerHello(s)
	if err != nil {
		level := slog.LevelWarn
		var broke *network.StreamError
		if errors.Is(err, errDuplicate) || errors.As(err, &broke) || errors.Is(err, io.EOF) {
			level = slog.LevelDebug // two dials at once, and theirs gave way
		}
		n.log.Log(context.Background(), level, "session refused", "peer", id, "addr", s.Conn().RemoteMultiaddr(), "why", err)
		// What was written, the refusal, must still arrive.
		s.CloseWrite()
		s.CloseRead()
		return
	}
	<-up.done
}

func (n *Node) answerHello(s network.Stream) (*session, error) {
	id := s.Conn().RemotePeer()
	if err := s.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return nil, err
	}
	refuse := func(code wire.RefusalCode, err error) error {
		_, werr := s.Write(wire.Refusal{Code: code, Text: err.Error()}.Append(nil))
		return errors.Join(err, werr)
	}
	r, heard := listen(s)
	kind, body, err := wire.ReadFrame(r, wire.MaxHello)
	if err != nil {
		return nil, err
	}
	theirs, err := checkHello(kind, body)
	if err != nil {
		return nil, refuse(wire.RefusedRequest, err)
	}
	if theirs.Version < wire.MinVersion {
		return nil, refuse(wire.RefusedVersion, versionMismatch(n.host.ID().String(), wire.Hello{Version: wire.Version, Release: n.cfg.Version}))
	}
	if other := n.holder(theirs.Name, id); other != "" {
		return nil, refuse(wire.RefusedName, fmt.Errorf("the name %s is taken: by %s, so %s must have another one", theirs.Name, other, id))
	}
	done, err := n.reserve(id, theirs.Incarnation)
	if err != nil {
		return nil, refuse(wire.RefusedDuplicate, err)
	}
	defer done()
	mine := n.hello()
	if _, err := s.Write(mine.Append(nil)); err != nil {
		return nil, err
	}
	if kind, _, err = wire.ReadFrame(r, wire.MaxHello); err != nil {
		return nil, err
	}
	if kind != wire.KindConfirm {
		return nil, fmt.Errorf("%w: frame %#x instead of a confirm", ErrProtocol, kind)
	}
	return n.up(newLink(s, r, heard), mine, theirs, false)
}

// reserve decides whether a session that the peer began may be the one of this
// pair. When both dial at once, the dial of the lower peer id counts, if it has
// got as far as its hello.
func (n *Node) reserve(id peer.ID, incarnation uint32) (done func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.pairOf(id)
	for e.session != nil && e.session.eng.Peer().Incarnation != incarnation {
		// It has started anew: what is here is of its former life.
		old := e.session
		n.mu.Unlock()
		old.link.fail(errors.New("the node has started anew"))
		<-old.done
		n.mu.Lock()
		e = n.pairOf(id)
	}
	if n.closed || e.session != nil || e.accept != nil || e.dial != nil && e.helloSent && n.host.ID() < id {
		n.dropPair(id)
		return nil, errDuplicate
	}
	over := make(chan struct{})
	e.accept = over
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		e.accept = nil
		n.dropPair(id)
		close(over)
	}, nil
}

// up makes a session of a stream on which both sides agreed.
func (n *Node) up(l *link, mine, theirs wire.Hello, dialled bool) (*session, error) {
	c := l.stream.Conn()
	id := c.RemotePeer()
	p := n.host.proved(c)
	if p == nil {
		return nil, brokef(ErrPeerDown, "%s hung up", id)
	}
	if err := l.stream.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	number := theirs.Session
	if dialled {
		number = mine.Session
	}
	up := &session{link: l, conn: c, id: id, addrs: theirs.Addrs, done: make(chan struct{})}
	if theirs.Hidden && isQUIC(c.RemoteMultiaddr()) {
		l.limit = commandSilence
	}
	described := engine.Peer{
		Node: nodeID(id), Name: theirs.Name, PeerID: id.String(), Incarnation: theirs.Incarnation, Hidden: theirs.Hidden,
		Session: number, Minter: theirs.Minter, GaveMinter: mine.Minter, Origin: p.user, Roles: p.roles,
		Addr: c.RemoteMultiaddr().String(), Dialled: dialled,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.pairOf(id)
	if e.session != nil || n.closed {
		return nil, errDuplicate
	}
	eng, err := n.eng.SessionUp(described, up.link)
	if err != nil {
		return nil, failf(ErrPeerDown, "%v", err)
	}
	up.eng = eng
	e.session = up
	n.wg.Add(1)
	go n.serve(up, wire.Endpoint{Node: described.Node, Incarnation: described.Incarnation})
	if n.cfg.OnPeer != nil && !theirs.Hidden {
		n.wg.Go(func() { n.cfg.OnPeer(described, theirs.Addrs) })
	}
	return up, nil
}

// serve runs a session to its end.
func (n *Node) serve(up *session, from wire.Endpoint) {
	defer n.wg.Done()
	var out sync.WaitGroup
	out.Go(up.link.write)
	out.Go(up.link.beat)
	why := up.link.read(from, wire.Endpoint{Node: n.eng.Node(), Incarnation: n.eng.Incarnation()}, up.eng.Deliver)
	out.Wait()
	if errors.Is(why, ErrProtocol) {
		n.log.Warn("peer sent wrong bytes", "node", up.eng.Peer().Name, "peer", up.id, "addr", up.eng.Peer().Addr, "why", why)
	}
	up.link.stream.Reset()
	up.conn.Close()
	up.eng.Down(why)
	n.mu.Lock()
	if e := n.pairs[up.id]; e != nil && e.session == up {
		e.session = nil
		n.dropPair(up.id)
	}
	n.mu.Unlock()
	close(up.done)
}

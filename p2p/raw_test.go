package p2p

import (
	"bufio"
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// raw is a peer that says what a test wants, not what the protocol does.
type raw struct {
	t    *testing.T
	host host.Host
	auth *authenticator
}

func newRaw(t *testing.T, name string, cookie Cookie, listen ...string) *raw {
	t.Helper()
	key, id, err := libp2pKey(keyOf("node " + name))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(key, listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return &raw{t, h, &authenticator{
		cookie: cookie, self: id,
		delegate: func() []byte { return delegate(keyOf("user "+name), id, time.Now()) },
	}}
}

// dial makes a connection of which nothing is proved.
func (r *raw) dial(to *testNode) network.Conn {
	r.t.Helper()
	c, err := r.tryDial(to)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *raw) tryDial(to *testNode) (network.Conn, error) {
	infos, err := parseInfos(to.Addrs()[:1])
	if err != nil {
		return nil, err
	}
	r.host.Peerstore().AddAddrs(infos[0].ID, infos[0].Addrs, time.Minute)
	return r.host.Network().DialPeer(r.t.Context(), infos[0].ID)
}

// prove makes a proved connection.
func (r *raw) prove(to *testNode) network.Conn {
	r.t.Helper()
	c := r.dial(to)
	if _, err := r.auth.dial(r.t.Context(), c); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *raw) open(c network.Conn, id protocol.ID) network.Stream {
	r.t.Helper()
	s, err := openStream(r.t.Context(), c, id)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *raw) write(s network.Stream, b []byte) {
	r.t.Helper()
	if _, err := s.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// session begins a session by the book and returns its stream.
func (r *raw) session(to *testNode) (network.Stream, *bufio.Reader, wire.Hello) {
	r.t.Helper()
	s := r.open(r.prove(to), signalProtocol)
	r.write(s, wire.Hello{Version: wire.Version, Incarnation: 1, Session: 1, Minter: 77, Hidden: true}.Append(nil))
	in := bufio.NewReader(s)
	kind, body, err := wire.ReadFrame(in, wire.MaxFrame)
	if err != nil || kind != wire.KindHello {
		r.t.Fatalf("frame %#x, %v", kind, err)
	}
	h, err := wire.DecodeHello(body)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(s, wire.AppendFrame(nil, wire.KindConfirm, nil))
	return s, in, h
}

func (r *raw) id() peer.ID { return r.host.ID() }

// nodeID is where the pids of this peer are.
func (r *raw) endpoint() wire.Endpoint {
	return wire.Endpoint{Node: nodeID(r.id()), Incarnation: 1}
}

// call pings a node over a session that should work.
func ping(t *testing.T, from, to *testNode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	to.eng.Serve("ping", func(context.Context, engine.Caller, []byte) ([]byte, error) { return []byte("pong"), nil })
	if b, err := from.eng.Call(ctx, to.eng.Node(), "ping", nil); err != nil || string(b) != "pong" {
		t.Fatalf("ping: %q, %v", b, err)
	}
}

package p2p

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// Both sides dial at the same moment: one session, and it works.
func TestSimultaneousConnect(t *testing.T) {
	c := newCluster(t, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	kate, alex := c.node("kate", 1, nil), c.node("alex", 1, nil)
	for i := range 50 {
		var wg sync.WaitGroup
		for _, d := range []struct {
			from *testNode
			to   string
		}{{kate, "alex"}, {alex, "kate"}, {kate, "alex"}, {alex, "kate"}} {
			wg.Go(func() {
				if _, err := d.from.Connect(t.Context(), d.to); err != nil {
					t.Errorf("round %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		a, b := waitSession(t, kate, alex), waitSession(t, alex, kate)
		if pa, pb := a.eng.Peer(), b.eng.Peer(); pa.Session != pb.Session || pa.Dialled == pb.Dialled ||
			pa.Minter != pb.GaveMinter || pa.GaveMinter != pb.Minter {
			t.Fatalf("round %d: the sides disagree:\n%+v\n%+v", i, pa, pb)
		}
		ping(t, kate, alex)
		ping(t, alex, kate)
		a.eng.Close(errors.New("next round"))
		<-a.done
		<-b.done
	}
}

func TestNameConflict(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	impostor := c.node("kate2", 1, func(cfg *Config) { cfg.Name = "kate" })
	alex := c.joined("alex", kate)
	for name, to := range map[string]*testNode{"kate herself": kate, "one who knows kate": alex} {
		_, err := impostor.Join(t.Context(), to.Addrs()[0])
		if !errors.Is(err, ErrNameConflict) || !strings.Contains(err.Error(), kate.PeerID()) || !strings.Contains(err.Error(), impostor.PeerID()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The command that knows kate does not confuse the two.
	cli := c.node("cli", 1, func(cfg *Config) { cfg.Name, cfg.Hidden = "", true })
	connect(t, cli, kate)
	if _, err := cli.Join(t.Context(), impostor.Addrs()[0]); !errors.Is(err, ErrNameConflict) {
		t.Errorf("the command: %v", err)
	}
	ping(t, cli, kate)
}

func TestHiddenNodes(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex := c.joined("alex", kate)
	cli := c.node("cli", 1, func(cfg *Config) { cfg.Name, cfg.Hidden, cfg.Listen = "", true, nil })
	connect(t, cli, kate)
	peers := kate.Peers()
	if len(peers) != 1 || peers[0].Name != "alex" || len(peers[0].Addrs) == 0 || peers[0].Addrs[0] != alex.Addrs()[0] {
		t.Fatalf("got %+v", peers)
	}
	ping(t, cli, kate)
}

func TestConnectByName(t *testing.T) {
	c := newCluster(t)
	kate, alex := c.node("kate", 1, nil), c.node("alex", 1, nil)
	if _, err := alex.Connect(t.Context(), "nobody"); !errors.Is(err, ErrUnknownPeer) || !errors.Is(err, engine.Reason{Word: engine.NoConnection}) {
		t.Errorf("unknown: %v", err)
	}
	id, err := alex.Connect(t.Context(), "kate")
	if err != nil || id != kate.eng.Node() {
		t.Fatalf("by name: %v, %v", id, err)
	}
	id, err = alex.Connect(t.Context(), kate.PeerID()[:16])
	if err != nil || id != kate.eng.Node() {
		t.Errorf("by the beginning of its peer id: %v, %v", id, err)
	}
	kate.stop()
	eventually(t, "end of the session", func() bool { return len(alex.eng.Sessions()) == 0 })
	if _, err := alex.Connect(t.Context(), "kate"); !errors.Is(err, ErrUnknownPeer) && !errors.Is(err, ErrPeerDown) {
		t.Errorf("after its end: %v", err)
	}
}

func TestJoin(t *testing.T) {
	c := newCluster(t, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	kate := c.node("kate", 1, nil)
	tcp, quic := kate.Addrs()[0], kate.Addrs()[1]
	without := func(a string) string { return a[:strings.Index(a, "/p2p/")] }
	port := strings.Split(tcp, "/")[4]
	for i, addr := range []string{tcp, quic, without(tcp), without(quic), "127.0.0.1:" + port, "localhost:" + port} {
		t.Run(addr, func(t *testing.T) {
			alex := c.node(fmt.Sprintf("alex%d", i), 1, nil)
			id, err := alex.Join(t.Context(), addr)
			if err != nil || id != kate.eng.Node() {
				t.Fatalf("got %v, %v", id, err)
			}
			if got := alex.eng.Session(id).Peer().Addr; strings.Contains(addr, "quic") != strings.Contains(got, "quic") {
				t.Fatalf("joined %s over %s", addr, got)
			}
			ping(t, alex, kate)
		})
	}
	alex := c.node("alex", 1, nil)
	for _, tc := range []struct {
		name, addr string
		want       error
	}{
		{"word", "kate", ErrBadAddress},
		{"port 0", "127.0.0.1:0", ErrBadAddress},
		{"large port", "127.0.0.1:70000", ErrBadAddress},
		{"no host", ":4141", ErrBadAddress},
		{"cut multiaddr", "/ip4/127.0.0.1", ErrBadAddress},
		{"wrong multiaddr", "/ip4/300.0.0.1/tcp/1", ErrBadAddress},
		{"peer only", "/p2p/" + kate.PeerID(), ErrBadAddress},
		{"itself", alex.Addrs()[0], ErrBadAddress},
		{"nobody there", "127.0.0.1:1", ErrPeerDown},
		{"nobody there, with id", "/ip4/127.0.0.1/tcp/1/p2p/" + kate.PeerID(), ErrPeerDown},
		{"someone else there", without(tcp) + "/p2p/" + alex.PeerID(), ErrBadAddress},
	} {
		_, err := alex.Join(t.Context(), tc.addr)
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// A peer of the cluster that breaks the protocol loses its session, and nobody
// else does.
func TestWrongBytesInASession(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex := c.joined("alex", kate)
	for _, tc := range []struct {
		name string
		send func(r *raw, h wire.Hello) []byte
	}{
		{"not a frame", func(*raw, wire.Hello) []byte { return []byte("hello, is anybody there?") }},
		{"huge frame", func(*raw, wire.Hello) []byte { return []byte{0, 0, 0, 1, 32, 0} }},
		{"cut signal", func(*raw, wire.Hello) []byte { return wire.AppendFrame(nil, byte(engine.KindExit), nil) }},
		{"second hello", func(*raw, wire.Hello) []byte { return wire.Hello{}.Append(nil) }},
		{"a pid of another minter", func(r *raw, h wire.Hello) []byte {
			return spawn(r, kate, h.Minter+1, 1)
		}},
		{"a pid minted twice", func(r *raw, h wire.Hello) []byte {
			return append(spawn(r, kate, h.Minter, 5), spawn(r, kate, h.Minter, 5)...)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRaw(t, tc.name, c.cookie)
			s, in, hello := r.session(kate)
			r.write(s, tc.send(r, hello))
			if _, err := io.Copy(io.Discard, in); err == nil || errors.Is(err, errTimeout) {
				t.Fatalf("the session goes on: %v", err)
			}
			eventually(t, "end of the session", func() bool { return len(kate.eng.Sessions()) == 1 })
		})
	}
	ping(t, alex, kate)
	t.Run("an unknown kind is passed over", func(t *testing.T) {
		r := newRaw(t, "later", c.cookie)
		s, in, _ := r.session(kate)
		r.write(s, wire.AppendFrame(nil, 200, func(b []byte) []byte { return append(b, make([]byte, 30)...) }))
		b, err := wire.AppendSignal(nil, &engine.Signal{Kind: engine.KindCall, Ref: engine.Ref{Counter: 9}, Name: "no such"})
		if err != nil {
			t.Fatal(err)
		}
		r.write(s, b)
		for {
			kind, body, err := wire.ReadFrame(in, wire.MaxFrame)
			if err != nil {
				t.Fatal(err)
			}
			if kind == wire.KindPing {
				continue
			}
			sig, err := wire.DecodeSignal(kind, body, r.endpoint(), r.endpoint())
			if err != nil || sig.Kind != engine.KindReply || sig.Ref.Counter != 9 {
				t.Fatalf("%+v, %v", sig, err)
			}
			return
		}
	})
}

var errTimeout = errors.New("i/o deadline reached")

func spawn(r *raw, at *testNode, minter uint32, counter uint64) []byte {
	b, err := wire.AppendSignal(nil, &engine.Signal{
		Kind: engine.KindSpawn, To: engine.PID{Minter: minter, Counter: counter},
		From: engine.PID{Counter: 1}, Spec: &engine.Spec{Module: engine.Module{Name: "none"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func TestWrongHellos(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	for _, tc := range []struct {
		name string
		send []byte
		want wire.RefusalCode
	}{
		{"version 0", wire.Hello{Incarnation: 1, Hidden: true}.Append(nil), wire.RefusedVersion},
		{"a name that is none", wire.Hello{Version: 1, Name: "\x1b[31mkate"}.Append(nil), wire.RefusedRequest},
		{"named and hidden", wire.Hello{Version: 1, Name: "x", Hidden: true}.Append(nil), wire.RefusedRequest},
		{"another kind", wire.AppendFrame(nil, wire.KindConfirm, nil), wire.RefusedRequest},
		{"kate's name", wire.Hello{Version: 1, Name: "kate"}.Append(nil), wire.RefusedName},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRaw(t, tc.name, c.cookie)
			s := r.open(r.prove(kate), signalProtocol)
			r.write(s, tc.send)
			b, err := io.ReadAll(s)
			if err != nil || len(b) < 6 || b[4] != wire.KindRefusal {
				t.Fatalf("got %q, %v", b, err)
			}
			got, err := wire.DecodeRefusal(b[6:])
			if err != nil || got.Code != tc.want || bytes.ContainsRune(b[6:], '\x1b') {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
	if n := len(kate.eng.Sessions()); n != 0 {
		t.Fatalf("%d sessions", n)
	}
}

// A peer that says nothing at all any more is down within 5 s.
func TestSilentPeer(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	r := newRaw(t, "silent", c.cookie)
	s, _, _ := r.session(kate)
	waitFor := time.Now()
	eventually(t, "session", func() bool { return len(kate.eng.Sessions()) == 1 })
	go io.Copy(io.Discard, s) // it still reads
	eventually(t, "end of the session", func() bool { return len(kate.eng.Sessions()) == 0 })
	if d := time.Since(waitFor); d < silence || d > silence+2*heartbeat {
		t.Fatalf("down after %v", d)
	}
}

// A node that starts again with its key is let in, though its former life has
// not been missed yet.
func TestRestart(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	r := newRaw(t, "alex", c.cookie)
	first, _, _ := r.session(kate)
	r = newRaw(t, "alex", c.cookie)
	s := r.open(r.prove(kate), signalProtocol)
	r.write(s, wire.Hello{Version: 1, Incarnation: 2, Session: 1, Hidden: true}.Append(nil))
	b := make([]byte, 6)
	if _, err := io.ReadFull(s, b); err != nil || b[4] != wire.KindHello {
		t.Fatalf("%x, %v", b, err)
	}
	if _, err := io.Copy(io.Discard, first); err == nil {
		t.Fatal("the former session ended in peace")
	}
}

// User data waits while much is queued; signals of the engine never do.
func TestBusyLink(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	r := newRaw(t, "slow", c.cookie)
	_, in, _ := r.session(kate)
	eventually(t, "session", func() bool { return len(kate.eng.Sessions()) == 1 })
	s := kate.eng.Sessions()[0]
	kate.mu.Lock()
	l := kate.pairs[r.id()].session.link
	kate.mu.Unlock()
	sent := 0
	for l.Busy(&engine.Signal{}) == nil && sent < 64<<20 {
		l.Send(&engine.Signal{Kind: engine.KindOutput, Data: make([]byte, engine.MaxChunk), From: engine.PID{Node: s.Peer().Node}})
		sent += engine.MaxChunk
	}
	free := l.Busy(&engine.Signal{})
	if free == nil {
		t.Fatal("never busy")
	}
	select {
	case <-free:
		t.Fatal("free at once")
	default:
	}
	l.Send(&engine.Signal{Kind: engine.KindCredit, N: 1})
	got := 0
	for got < sent {
		kind, body, err := wire.ReadFrame(in, wire.MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		if kind == byte(engine.KindOutput) {
			sig, err := wire.DecodeSignal(kind, body, wire.Endpoint{}, wire.Endpoint{})
			if err != nil {
				t.Fatal(err)
			}
			got += len(sig.Data)
		}
	}
	<-free
}

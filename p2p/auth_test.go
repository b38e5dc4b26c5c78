package p2p

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/wnode-project/wnode/p2p/wire"
)

func otherCookie(t *testing.T) Cookie {
	t.Helper()
	k, _, err := NewCookie()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWrongCookie(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex := c.node("alex", 1, func(cfg *Config) { cfg.Cookie = otherCookie(t) })
	_, err := alex.Join(t.Context(), kate.Addrs()[0])
	if !errors.Is(err, ErrNotAuthenticated) || !strings.Contains(err.Error(), kate.PeerID()) {
		t.Fatalf("got %v", err)
	}
	if len(kate.eng.Sessions())+len(alex.eng.Sessions()) != 0 {
		t.Fatal("a session without a proof")
	}
}

// The same key in another cluster proves nothing: the cluster id is in it.
func TestOtherClusterSameKey(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex := c.node("alex", 1, func(cfg *Config) { cfg.Cookie.cluster[0] ^= 1 })
	if _, err := alex.Join(t.Context(), kate.Addrs()[0]); !errors.Is(err, ErrNotAuthenticated) {
		t.Fatalf("got %v", err)
	}
}

// open are the protocols that a peer may use before it has proved anything.
var open = []protocol.ID{authProtocol, "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0"}

// Every protocol that a node has a handler for is tried on a connection that
// proved nothing.
func TestUnprovedPeerReachesNothing(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	all := kate.host.Mux().Protocols()
	for _, want := range []protocol.ID{signalProtocol, moduleProtocol} {
		if !slices.Contains(all, want) {
			t.Fatalf("%s is not among %v", want, all)
		}
	}
	stranger := newRaw(t, "stranger", otherCookie(t))
	conn := stranger.dial(kate)
	for _, id := range all {
		if slices.Contains(open, id) {
			continue
		}
		t.Run(string(id), func(t *testing.T) {
			s, err := openStream(t.Context(), conn, id)
			if err != nil {
				return // reset as soon as it knew the protocol: as it should be
			}
			if _, err := s.Write(wire.Hello{Version: 1, Hidden: true}.Append(nil)); err != nil {
				return // the same, a moment later
			}
			if b, err := io.ReadAll(s); len(b) != 0 || err == nil {
				t.Fatalf("it answered %q, %v", b, err)
			}
		})
	}
	if n := len(kate.host.Network().Peers()); n != 0 {
		t.Fatalf("the gate shows %d peers", n)
	}
	if _, err := kate.host.NewStream(t.Context(), stranger.id(), "/x"); err == nil {
		t.Fatal("the gate opens streams to a peer that proved nothing")
	}
}

// A recorded proof is worth nothing with another nonce, and a second attempt on
// a connection is not heard.
func TestReplayedProof(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	honest := newRaw(t, "mallory", c.cookie)
	conn := honest.dial(kate)

	offer := freshOffer()
	tr := transcript{
		kind: wire.ProofCookie, cookie: c.cookie, dialler: honest.id(), listener: kate.host.ID(),
		offer: offer.Body(), security: string(conn.ConnState().Security),
	}
	try := func(conn network.Conn, proof []byte) (uint8, []byte, *transcript) {
		s, err := openStream(t.Context(), conn, authProtocol)
		if err != nil {
			return 0, nil, nil
		}
		if _, err := s.Write(wire.AppendFrame(nil, wire.AuthOffer, func(b []byte) []byte { return append(b, tr.offer...) })); err != nil {
			return 0, nil, nil // it was reset by then
		}
		in := bufio.NewReader(s)
		kind, body, err := wire.ReadFrame(in, wire.MaxAuth)
		if err != nil {
			return 0, nil, nil
		}
		if kind != wire.AuthChallenge {
			t.Fatalf("frame %d", kind)
		}
		now := tr
		now.challenge = body
		if proof == nil {
			p := wire.Proof{Kind: wire.ProofCookie, Delegation: honest.auth.delegate()}
			now.diallerDel, now.diallerCt = p.Delegation, wire.CertificateBytes(nil)
			if p.MAC, err = now.mac(dialler); err != nil {
				t.Fatal(err)
			}
			proof = p.Append(nil)
		}
		honest.write(s, proof)
		kind, _, err = wire.ReadFrame(in, wire.MaxAuth)
		if err != nil {
			t.Fatal(err)
		}
		return kind, proof, &now
	}
	kind, proof, first := try(conn, nil)
	if kind != wire.AuthProof {
		t.Fatalf("the right proof got frame %#x", kind)
	}
	if _, _, again := try(conn, nil); again != nil {
		t.Fatal("a second attempt on the connection was heard")
	}
	conn.Close()
	conn = honest.dial(kate)
	kind, _, second := try(conn, proof)
	if kind != wire.KindRefusal {
		t.Fatalf("the replayed proof got frame %#x", kind)
	}
	if bytes.Equal(first.challenge, second.challenge) {
		t.Fatal("two challenges are the same")
	}
}

func TestWrongAuthMessages(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	old := wire.Offer{Versions: []uint32{99}}
	frame := func(kind uint8, body []byte) []byte {
		return wire.AppendFrame(nil, kind, func(b []byte) []byte { return append(b, body...) })
	}
	for _, tc := range []struct {
		name  string
		first []byte
		want  wire.RefusalCode // 0: it just hangs up
	}{
		{"no common version", frame(wire.AuthOffer, old.Body()), wire.RefusedVersion},
		{"a proof first", wire.Proof{Kind: 1}.Append(nil), 0},
		{"cut offer", frame(wire.AuthOffer, []byte{1, 2}), wire.RefusedRequest},
		{"huge frame", []byte{0xff, 0xff, 0xff, 0x7f, 1, 0}, 0},
		{"not a frame", []byte("GET / HTTP/1.1\r\n\r\n"), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			peer := newRaw(t, tc.name, c.cookie)
			s := peer.open(peer.dial(kate), authProtocol)
			peer.write(s, tc.first)
			kind, body, err := wire.ReadFrame(bufio.NewReader(s), wire.MaxAuth)
			if tc.want == 0 {
				if err == nil {
					t.Fatalf("it answered with frame %#x", kind)
				}
				return
			}
			r, derr := wire.DecodeRefusal(body)
			if err != nil || derr != nil || kind != wire.KindRefusal || r.Code != tc.want {
				t.Fatalf("got %#x %+v, %v, %v", kind, r, err, derr)
			}
		})
	}
	// All that leaves the node well.
	ping(t, c.joined("alex", kate), kate)
}

func (c *testCluster) joined(name string, to *testNode) *testNode {
	c.t.Helper()
	n := c.node(name, 1, nil)
	connect(c.t, n, to)
	return n
}

// A listener that is none of ours is named, whatever it answers.
func TestWrongListener(t *testing.T) {
	c := newCluster(t)
	frame := func(kind uint8, body []byte) []byte {
		return wire.AppendFrame(nil, kind, func(b []byte) []byte { return append(b, body...) })
	}
	challenge := frame(wire.AuthChallenge, freshOffer().Body())
	for _, tc := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"another version", frame(wire.AuthChallenge, wire.Offer{Versions: []uint32{7}}.Body()), ErrVersion},
		{"refuses the version", wire.Refusal{Code: wire.RefusedVersion}.Append(nil), ErrVersion},
		{"wrong proof", append(slices.Clone(challenge), wire.Proof{Kind: wire.ProofCookie}.Append(nil)...), ErrNotAuthenticated},
		{"garbage", []byte("SSH-2.0-OpenSSH_9.2\r\n"), ErrProtocol},
		{"hangs up", nil, ErrNotAuthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newRaw(t, "listener "+tc.name, c.cookie, "/ip4/127.0.0.1/tcp/0")
			l.host.SetStreamHandler(authProtocol, func(s network.Stream) {
				s.Write(tc.answer)
				s.CloseWrite()
				io.Copy(io.Discard, s)
			})
			n := c.node("n"+strings.ReplaceAll(tc.name, " ", ""), 1, nil)
			_, err := n.Join(t.Context(), l.host.Addrs()[0].String()+"/p2p/"+l.id().String())
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), l.id().String()) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("no wnode at all", func(t *testing.T) {
		l := newRaw(t, "bare", c.cookie, "/ip4/127.0.0.1/tcp/0")
		_, err := c.node("m", 1, nil).Join(t.Context(), l.host.Addrs()[0].String())
		if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "no wnode") {
			t.Fatalf("got %v", err)
		}
	})
}

// Who proves nothing is few and short.
func TestUnprovedConnectionsAreBounded(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	begin := time.Now()
	var conns []network.Conn
	for i := range maxUnproved + 20 {
		if conn, err := newRaw(t, "s"+string(rune('A'+i)), c.cookie).tryDial(kate); err == nil {
			conns = append(conns, conn)
		} else if i < maxUnproved {
			t.Fatal(err)
		}
	}
	alive := func() (n int) {
		for _, c := range conns {
			if !c.IsClosed() {
				n++
			}
		}
		return n
	}
	if time.Since(begin) < proofTime { // else the first have gone
		eventually(t, "bound", func() bool { return alive() <= maxUnproved })
	}
	eventually(t, "end of the rest", func() bool { return alive() == 0 })
	if d := time.Since(begin); d < proofTime {
		t.Fatalf("all are gone after %v, none had its time", d)
	}
	ping(t, c.joined("alex", kate), kate)
}

func TestCookieText(t *testing.T) {
	k := otherCookie(t)
	text := k.Text()
	got, err := ParseCookie(text)
	if err != nil || got != k {
		t.Fatalf("%v", err)
	}
	for name, bad := range map[string]string{
		"empty": "", "password": "correct horse battery staple", "cut": text[:len(text)-1],
		"longer": text + "a", "one letter": text[:20] + string("ab"[btoi(text[20] == 'a')]) + text[21:], "upper case": strings.ToUpper(text),
	} {
		if _, err := ParseCookie(bad); err == nil {
			t.Errorf("%s: taken", name)
		} else if len(bad) > 8 && strings.Contains(err.Error(), bad[8:]) {
			t.Errorf("%s: the error repeats the secret", name)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func FuzzCookie(f *testing.F) {
	k, _, err := NewCookie()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Text())
	f.Add("wnode1-")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseCookie(s); err == nil && k.Text() != s {
			again, err := ParseCookie(k.Text())
			if err != nil || again != k {
				t.Fatal("a cookie changed")
			}
		}
	})
}

func TestDelegation(t *testing.T) {
	_, id, err := libp2pKey(keyOf("node"))
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := libp2pKey(keyOf("other"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	good := delegate(keyOf("user"), id, now)
	flipped := slices.Clone(good)
	flipped[50] ^= 1
	for _, tc := range []struct {
		name string
		b    []byte
		at   time.Time
		who  bool
		ok   bool
	}{
		{"fresh", good, now, true, true},
		{"clock behind", good, now.Add(-time.Hour), true, true},
		{"expired", good, now.Add(delegationLife + 2*time.Hour), true, false},
		{"of another node", good, now, false, false},
		{"changed", flipped, now, true, false},
		{"cut", good[:90], now, true, false},
		{"empty", nil, now, true, false},
	} {
		p := id
		if !tc.who {
			p = other
		}
		user, err := checkDelegation(tc.b, p, tc.at)
		if (err == nil) != tc.ok || tc.ok && user == [32]byte{} {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

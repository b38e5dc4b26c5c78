package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
	"github.com/wnode-project/wnode/p2p/wire"
)

// content returns bytes that no other seed gives.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	r.Read(b)
	return b
}

func add(t *testing.T, n *testNode, b []byte) cid.Cid {
	t.Helper()
	c, _, err := n.store.Add(t.Context(), bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestModuleFetch(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex := c.joined("alex", kate)
	for name, size := range map[string]int{"empty": 0, "small": 300, "one block": 1 << 20, "many blocks": 5<<20 + 7} {
		t.Run(name, func(t *testing.T) {
			want := content(uint64(size), size)
			id := add(t, alex, want)
			var wg sync.WaitGroup
			for range 8 { // all at once: one fetch
				wg.Go(func() {
					got, err := kate.Open(t.Context(), id, uint64(size), alex.eng.Node())
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				})
			}
			wg.Wait()
			if !kate.store.Has(t.Context(), id) {
				t.Error("it was not kept")
			}
		})
	}
}

// Not the spawner, but another peer has it.
func TestModuleOfAThirdNode(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	alex, third := c.joined("alex", kate), c.joined("third", kate)
	want := content(1, 1000)
	id := add(t, third, want)
	got, err := kate.Open(t.Context(), id, 0, alex.eng.Node())
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestModuleNotFound(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	id := add(t, c.node("elsewhere", 1, nil), content(2, 100))
	missing := engine.Reason{Word: engine.ModuleNotFound}
	if _, err := kate.Open(t.Context(), id, 0, engine.NodeID{}); !errors.Is(err, missing) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("without peers: %v", err)
	}
	alex := c.joined("alex", kate)
	if _, err := kate.Open(t.Context(), id, 0, alex.eng.Node()); !errors.Is(err, missing) || !strings.Contains(err.Error(), "node alex") {
		t.Errorf("with a peer: %v", err)
	}
	if _, err := kate.Open(t.Context(), id, modstore.MaxModule+1, alex.eng.Node()); !errors.Is(err, missing) {
		t.Errorf("too large: %v", err)
	}
	if _, err := kate.Resolve("nothing"); !errors.Is(err, missing) {
		t.Errorf("a tag: %v", err)
	}
	if got, err := kate.Resolve(id.String()); err != nil || got != id {
		t.Errorf("a CID that others may have: %v, %v", got, err)
	}
}

// A peer that sends what the CID does not say is named, and not asked again; the
// module comes from another one.
func TestLyingPeer(t *testing.T) {
	want := content(3, 3<<20)
	for _, tc := range []struct {
		name string
		send func(c cid.Cid, s network.Stream)
	}{
		{"other bytes", func(c cid.Cid, s network.Stream) { s.Write(wire.AppendBlock(nil, c, []byte("evil"))) }},
		{"other block", func(c cid.Cid, s network.Stream) {
			other, _, _ := modstore.CIDOf(strings.NewReader("evil"))
			s.Write(wire.AppendBlock(nil, other, []byte("evil")))
		}},
		{"not a block", func(_ cid.Cid, s network.Stream) { s.Write(wire.Hello{}.Append(nil)) }},
		{"not a frame", func(_ cid.Cid, s network.Stream) { s.Write([]byte("<html></html>")) }},
		{"empty frame", func(_ cid.Cid, s network.Stream) { s.Write(make([]byte, 6)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t)
			kate := c.node("kate", 1, nil)
			liar := newRaw(t, "liar", c.cookie)
			asked := make(chan struct{}, 10)
			liar.host.SetStreamHandler(moduleProtocol, func(s network.Stream) {
				asked <- struct{}{}
				defer s.Close()
				b := make([]byte, 6)
				if _, err := io.ReadFull(s, b); err != nil {
					return
				}
				id, _, _ := modstore.CIDOf(bytes.NewReader(want))
				tc.send(id, s)
			})
			liar.session(kate)
			eventually(t, "session", func() bool { return len(kate.eng.Sessions()) == 1 })
			id, _, err := modstore.CIDOf(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			_, err = kate.Open(t.Context(), id, 0, nodeID(liar.id()))
			if !errors.Is(err, engine.Reason{Word: engine.ModuleNotFound}) || !strings.Contains(err.Error(), liar.id().String()) {
				t.Fatalf("got %v", err)
			}
			<-asked
			honest := c.joined("honest", kate)
			add(t, honest, want)
			got, err := kate.Open(t.Context(), id, 0, nodeID(liar.id()))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if len(asked) != 0 {
				t.Fatal("the liar was asked again")
			}
		})
	}
}

// A fetch that nobody waits for any more ends.
func TestFetchIsCalledOff(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	stuck := newRaw(t, "stuck", c.cookie)
	asked, over := make(chan struct{}, 1), make(chan struct{})
	stuck.host.SetStreamHandler(moduleProtocol, func(s network.Stream) {
		asked <- struct{}{}
		io.Copy(io.Discard, s) // says nothing until kate hangs up
		close(over)
	})
	stuck.session(kate)
	eventually(t, "session", func() bool { return len(kate.eng.Sessions()) == 1 })
	id, _, err := modstore.CIDOf(strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("killed")
	go func() { <-asked; cancel(why) }()
	if _, err := kate.Open(ctx, id, 1, nodeID(stuck.id())); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	<-over
}

func TestWrongModuleRequests(t *testing.T) {
	c := newCluster(t)
	kate := c.node("kate", 1, nil)
	r := newRaw(t, "asker", c.cookie)
	conn := r.prove(kate)
	for name, tc := range map[string]struct {
		send []byte
		want wire.RefusalCode
	}{
		"another kind": {wire.AppendFrame(nil, 9, nil), wire.RefusedRequest},
		"not a CID":    {wire.AppendFrame(nil, wire.ModuleWant, func(b []byte) []byte { return append(b, 3, 1, 2, 3) }), wire.RefusedRequest},
	} {
		s := r.open(conn, moduleProtocol)
		r.write(s, tc.send)
		b, err := io.ReadAll(s)
		if err != nil || len(b) < 6 {
			t.Errorf("%s: %x, %v", name, b, err)
			continue
		}
		if got, err := wire.DecodeRefusal(b[6:]); err != nil || got.Code != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

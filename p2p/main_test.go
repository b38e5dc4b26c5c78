package p2p

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/modstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCluster starts real nodes on loopback.
type testCluster struct {
	t        testing.TB
	cookie   Cookie
	listen   []string
	programs *enginetest.Programs

	mu    sync.Mutex
	nodes map[string]*testNode
}

type testNode struct {
	*Node
	eng      *engine.Engine
	store    *modstore.Store
	programs *enginetest.Programs
	stop     func()
}

func newCluster(t testing.TB, listen ...string) *testCluster {
	t.Helper()
	k, _, err := NewCookie()
	if err != nil {
		t.Fatal(err)
	}
	if len(listen) == 0 {
		listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	return &testCluster{t: t, cookie: k, listen: listen, programs: &enginetest.Programs{}, nodes: map[string]*testNode{}}
}

// keyOf returns a key that a text determines.
func keyOf(text string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(text))
	return ed25519.NewKeyFromSeed(seed[:])
}

// node starts a node; change may alter its configuration.
func (c *testCluster) node(name string, user byte, change func(*Config)) *testNode {
	c.t.Helper()
	store, err := modstore.Open(c.t.TempDir())
	if err != nil {
		c.t.Fatal(err)
	}
	userKey := keyOf("user " + string(rune('a'+user)))
	cfg := Config{
		Key: keyOf("node " + name), User: userKey, Cookie: c.cookie, Name: name, Version: "test",
		Listen: c.listen, Store: store, Find: c.find, Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)).With("at", name),
	}
	if change != nil {
		change(&cfg)
	}
	_, id, err := IDs(cfg.Key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	before := c.nodes[name]
	c.mu.Unlock()
	incarnation := uint32(1)
	if before != nil {
		before.stop()
		incarnation += before.eng.Incarnation()
	}
	cfg.Engine = engine.New(engine.Config{
		Node: id, Name: cfg.Name, Incarnation: incarnation, Owner: engine.Origin(userKey.Public().(ed25519.PublicKey)),
		Runner: c.programs,
	})
	n, err := Start(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	cfg.Engine.Use(n, c.programs)
	node := &testNode{Node: n, eng: cfg.Engine, store: store, programs: c.programs}
	node.stop = sync.OnceFunc(func() {
		cfg.Engine.Close()
		if err := n.Close(); err != nil {
			c.t.Errorf("close %s: %v", name, err)
		}
		if err := store.Close(); err != nil {
			c.t.Errorf("close the store of %s: %v", name, err)
		}
	})
	c.t.Cleanup(node.stop)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[name] = node
	return node
}

func (c *testCluster) find(_ context.Context, name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[name]; n != nil {
		return n.Addrs()
	}
	return nil
}

// Start implements enginetest.Cluster.
func (c *testCluster) Start(name string, user byte) *engine.Engine {
	return c.node(name, user, nil).eng
}

// Cut implements enginetest.Cluster.
func (c *testCluster) Cut(a, b *engine.Engine) {
	if s := a.Session(b.Node()); s != nil {
		s.Close(context.Canceled)
	}
}

// connect brings up a session and returns both ends of it.
func connect(t testing.TB, from, to *testNode) (*session, *session) {
	t.Helper()
	if _, err := from.Join(t.Context(), to.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	return waitSession(t, from, to), waitSession(t, to, from)
}

// waitSession waits until a node has a session with another.
func waitSession(t testing.TB, at, with *testNode) *session {
	t.Helper()
	var s *session
	eventually(t, "a session", func() bool {
		at.mu.Lock()
		defer at.mu.Unlock()
		if e := at.pairs[with.host.ID()]; e != nil {
			s = e.session
		}
		return s != nil
	})
	return s
}

// eventually polls for what must come; 20 s without it is a failure.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no %s", what)
		}
	}
}

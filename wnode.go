package wnode

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/hostfuncs"
	"github.com/wnode-project/wnode/logs"
	"github.com/wnode-project/wnode/modstore"
	"github.com/wnode-project/wnode/p2p"
	"github.com/wnode-project/wnode/placement"
)

// DefaultPort is the port that the first node of a machine listens on.
const DefaultPort = 4141

// Config describes a node. The zero value is a hidden node of the user's home,
// as commands are: it has a fresh key, listens nowhere and is listed by nobody.
type Config struct {
	Home       *home.Home   // nil: by the environment
	Name       string       // of a node with state of its own; "" is a hidden node
	Listen     []string     // multiaddrs; nil: for a named node TCP and QUIC on loopback
	Join       []string     // addresses of nodes to connect to
	CookieFile string       // a file with the cookie, instead of the home's
	Offline    bool         // no network: only Engine.Node is there to spawn on
	Log        *slog.Logger // nil discards

	// Labels say what the node is like, for who chooses one: placement.ParseLabel
	// has the rules.
	Labels map[string]string

	// Slots is how many guests run at once; the others take turns. 0 is
	// GOMAXPROCS. That is for programs with no hurry: Go looks at the network
	// only when one of its processors has nothing else to do, so with all of them
	// busy with guests a message can wait for 10 ms. A program that minds sets
	// GOMAXPROCS to two more than there are cores, and Slots to the cores, as the
	// command does for its nodes.
	Slots int
	// Heavy is told how many guests and compilations compute for longer than a
	// moment, whenever that changes, on their goroutines; it must be quick.
	Heavy func(n int)
}

// Node is a running node. Its parts may be used as their packages say.
type Node struct {
	Engine *engine.Engine
	Store  *modstore.Store
	Net    *p2p.Node // nil if offline
	Self   control.Client

	home     *home.Home
	runner   *guest.Runner
	state    *home.Node // nil if hidden
	logs     *logs.Logs // nil if hidden
	withdraw func() error
	stopped  chan time.Duration // has one element when a stop was asked for
}

// Start starts a node. The context bounds the start, not the node's life:
// Close ends it.
func Start(ctx context.Context, c Config) (_ *Node, err error) {
	if c.Home == nil {
		if c.Home, err = home.Open(os.Getenv); err != nil {
			return nil, err
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{home: c.Home, stopped: make(chan time.Duration, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	key, incarnation, modules, cache, err := n.identity(c)
	if err != nil {
		return nil, err
	}
	user, err := c.Home.UserKey()
	if err != nil {
		return nil, err
	}
	if n.Store, err = modstore.Open(modules); err != nil {
		return nil, err
	}
	n.runner = guest.New(guest.Config{Host: hostfuncs.New(), CacheDir: cache, Log: c.Log, Slots: c.Slots, Heavy: c.Heavy})
	peerID, id, err := p2p.IDs(key)
	if err != nil {
		return nil, err
	}
	n.Engine = engine.New(engine.Config{
		Node: id, Name: c.Name, Incarnation: incarnation, Owner: engine.Origin(user.Public().(ed25519.PublicKey)),
		Runner: n.runner, Log: c.Log,
	})
	n.Self = control.Client{Engine: n.Engine, Node: id}
	var found engine.Modules = p2p.Local(n.Store)
	if !c.Offline {
		if n.Net, err = n.network(ctx, c, key, user); err != nil {
			return nil, err
		}
		found = n.Net
		n.Engine.Use(n.Net, found)
	} else {
		n.Engine.Use(nil, found)
	}
	server := control.Server{
		Engine: n.Engine, Store: n.Store, Modules: found, PeerID: peerID, Version: Version(),
		Check: func(b []byte) error { return guest.Check(b, guest.MaxMemory) }, Prepare: n.runner.Prepare,
		Network: n.describeNetwork, Labels: c.Labels, Running: n.runner.Load,
	}
	server.Place = func(ctx context.Context, on string, module cid.Cid) (engine.NodeID, error) {
		p, err := n.Place(ctx, on, module)
		return p.Node, err
	}
	if c.Name != "" {
		server.Stop = func(drain time.Duration) {
			select {
			case n.stopped <- drain:
			default:
			}
		}
	}
	if n.state != nil {
		if n.logs, err = logs.New(n.Engine, n.state.Logs()); err != nil {
			return nil, err
		}
		server.Logs = n.logs
	}
	server.Register()
	if n.Net == nil {
		return n, nil
	}
	for _, addr := range c.Join {
		if _, err := n.Net.Join(ctx, addr); err != nil {
			return nil, err
		}
	}
	if c.Name != "" {
		n.withdraw, err = c.Home.Announce(home.Announcement{
			Name: c.Name, PeerID: peerID, Addrs: n.Net.Addrs(), Process: os.Getpid(),
		})
	}
	return n, err
}

// identity returns the node's key, incarnation and directories.
func (n *Node) identity(c Config) (key ed25519.PrivateKey, incarnation uint32, modules, cache string, err error) {
	if c.Name == "" {
		modules, cache = c.Home.CLI()
		_, key, err = ed25519.GenerateKey(nil)
		return key, 1, modules, cache, err
	}
	if n.state, err = c.Home.Node(c.Name); err != nil {
		return nil, 0, "", "", err
	}
	return n.state.Key, n.state.Incarnation, n.state.Modules(), n.state.Cache(), nil
}

// ErrNoCookie is the error of a start that needs a cookie in a home that has none.
var ErrNoCookie = home.ErrNoCookie

// cookie returns the cluster's secret. Only a node that joins nobody makes one:
// a home that wants to join needs the cookie of those it joins.
func cookie(c Config) (p2p.Cookie, error) {
	if c.CookieFile != "" {
		text, err := home.ReadSecret(c.CookieFile)
		if err != nil {
			return p2p.Cookie{}, err
		}
		return parseCookie(text, c.CookieFile)
	}
	text, err := c.Home.Cookie()
	if errors.Is(err, home.ErrNoCookie) && c.Name != "" && len(c.Join) == 0 {
		fresh, root, err := p2p.NewCookie()
		if err != nil {
			return p2p.Cookie{}, err
		}
		if text, err = c.Home.CreateCookie(fresh.Text(), root); err != nil {
			return p2p.Cookie{}, err
		}
	} else if err != nil {
		return p2p.Cookie{}, err
	}
	return parseCookie(text, c.Home.CookieFile())
}

func parseCookie(text, file string) (p2p.Cookie, error) {
	k, err := p2p.ParseCookie(text)
	if err != nil {
		return k, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

// network starts libp2p.
func (n *Node) network(ctx context.Context, c Config, key, user ed25519.PrivateKey) (*p2p.Node, error) {
	k, err := cookie(c)
	if err != nil {
		return nil, err
	}
	cfg := p2p.Config{
		Key: key, User: user, Cookie: k, Name: c.Name, Hidden: c.Name == "", Version: Version(),
		Listen: c.Listen, Engine: n.Engine, Store: n.Store, Log: c.Log,
		Find: func(_ context.Context, name string) []string { return find(c.Home, name) },
		OnPeer: func(p engine.Peer, addrs []string) {
			if err := c.Home.Remember(home.Known{Name: p.Name, PeerID: p.PeerID, Addrs: addrs}, announced(c.Home, p.PeerID)); err != nil {
				c.Log.Warn("peer book", "err", err)
			}
		},
	}
	if c.Listen != nil || n.state == nil {
		return p2p.Start(ctx, cfg)
	}
	return n.onLoopback(ctx, cfg)
}

// onLoopback listens on this machine only, TCP and QUIC on one port: that of the
// last time, or the default one if it is free, else any. The port is kept.
func (n *Node) onLoopback(ctx context.Context, cfg p2p.Config) (*p2p.Node, error) {
	port := n.state.Port()
	if port == 0 {
		port = DefaultPort
	}
	var failed error
	for range 5 { // another node may take the port between the look and the listen
		if !free(port) {
			port = freePort()
		}
		cfg.Listen = []string{
			fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port),
			fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port),
		}
		net, err := p2p.Start(ctx, cfg)
		if err == nil && len(net.Addrs()) < len(cfg.Listen) { // one of them was taken
			err = errors.Join(fmt.Errorf("port %d is taken", port), net.Close())
		}
		if err == nil && n.state.Port() == 0 {
			err = n.state.SetPort(port)
		}
		if err == nil {
			return net, nil
		}
		failed, port = err, freePort()
	}
	return nil, failed
}

// free reports whether nobody listens on a loopback port, TCP or UDP.
func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	t, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return u.Close() == nil
}

// freePort returns a port that was free just now.
func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// find returns where a home knows a node to be, by name, peer id or a prefix of
// one: in the run directory, else in the peer book.
func find(h *home.Home, name string) []string {
	matches := func(n, id string) bool {
		return n == name || len(name) >= 8 && strings.HasPrefix(id, name) || p2p.IsNode(id, name)
	}
	for _, a := range h.Announced() {
		if matches(a.Name, a.PeerID) {
			return a.Addrs
		}
	}
	known, err := h.Peers()
	if err != nil {
		return nil
	}
	for _, k := range known {
		if matches(k.Name, k.PeerID) {
			return k.Addrs
		}
	}
	return nil
}

func announced(h *home.Home, peerID string) bool {
	return slices.ContainsFunc(h.Announced(), func(a home.Announcement) bool { return a.PeerID == peerID })
}

// describeNetwork is what the control services say of the network.
func (n *Node) describeNetwork() ([]string, []control.Peer) {
	if n.Net == nil {
		return nil, nil
	}
	peers := []control.Peer{}
	for _, p := range n.Net.Peers() {
		peers = append(peers, control.Peer{Name: p.Name, PeerID: p.PeerID, Addr: p.Addr, Addrs: p.Addrs, Hidden: p.Hidden})
	}
	return n.Net.Addrs(), peers
}

// Select returns the nodes that a selector means, as package placement says; all are
// those that this one knows, with those of this user that run on this machine. module
// is what is to run there; it may be undefined.
// connect brings up a session with a node that is named; nil is Engine.Connect.
func (n *Node) Select(ctx context.Context, s placement.Selector, module cid.Cid, connect func(ctx context.Context, name string) (engine.NodeID, error)) ([]placement.Place, error) {
	f := placement.Finder{Engine: n.Engine, Self: n.state != nil, Connect: connect}
	if n.Net != nil && s.Searches() {
		for _, a := range n.home.Announced() {
			if a.PeerID != n.Net.PeerID() {
				_, _ = n.Engine.Connect(ctx, a.PeerID) // one that cannot be reached is not found
			}
		}
	}
	return f.Find(ctx, s, module)
}

// Stopped yields how long to drain once another node asked this one to stop.
func (n *Node) Stopped() <-chan time.Duration { return n.stopped }

// Close stops the node: its processes end with shutdown, which those who
// watch them see, and then its sessions close.
func (n *Node) Close() error {
	var errs []error
	if n.withdraw != nil {
		errs = append(errs, n.withdraw())
	}
	if n.Engine != nil {
		n.Engine.Close()
	}
	if n.logs != nil {
		n.logs.Close()
	}
	if n.Net != nil {
		errs = append(errs, n.Net.Close())
	}
	if n.runner != nil {
		errs = append(errs, n.runner.Close(context.Background()))
	}
	if n.Store != nil {
		errs = append(errs, n.Store.Close())
	}
	if n.state != nil {
		errs = append(errs, n.state.Close())
	}
	return errors.Join(errs...)
}

// Version returns the module's version and the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	return v
}

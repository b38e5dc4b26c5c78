package wnode_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/origin"
	examples "github.com/wnode-project/wnode/wasm-examples"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHome returns an empty home.
func newHome(t *testing.T) *home.Home {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	h, err := home.Open(func(k string) string {
		if k == "WNODE_HOME" {
			return dir
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func start(t *testing.T, c wnode.Config) *wnode.Node {
	t.Helper()
	n, err := wnode.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

// on connects a node to another and returns the services there.
func on(t *testing.T, n *wnode.Node, name string) control.Client {
	t.Helper()
	id, err := n.Engine.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return control.Client{Engine: n.Engine, Node: id}
}

// loopback is any port, so that tests do not take the default one.
var loopback = []string{"/ip4/127.0.0.1/tcp/0"}

// What an embedding program does: two nodes, a module of one runs on the other.
func TestRunOnAnotherNode(t *testing.T) {
	h := newHome(t)
	start(t, wnode.Config{Home: h, Name: "kate", Listen: loopback})
	n := start(t, wnode.Config{Home: h})
	c, size, err := n.Store.Add(t.Context(), bytes.NewReader(examples.Hello))
	if err != nil {
		t.Fatal(err)
	}
	kate := on(t, n, "kate")
	var out, errs bytes.Buffer
	l := origin.New(n.Engine, origin.Config{Stdout: &out, Stderr: &errs})
	defer l.Close()
	l.Spawn(kate.Node, &engine.Spec{Module: engine.Module{CID: c, Size: size, Name: "hello"}, Args: []string{"you"}})
	exit, err := l.Wait(t.Context())
	if err != nil || exit.Reason.Word != engine.Normal || out.String() != "hello from wnode, you\n" || errs.Len() != 0 {
		t.Fatalf("%+v, %v, %q, %q", exit, err, out.String(), errs.String())
	}
	if exit.Report.Fetch == 0 || exit.Report.Compile == 0 || exit.Report.Run == 0 || exit.Report.MaxMemory == 0 {
		t.Errorf("report %+v", exit.Report)
	}
	ms, err := kate.Modules(t.Context())
	if err != nil || len(ms) != 1 || ms[0].CID != c.String() {
		t.Errorf("kate's modules: %+v, %v", ms, err)
	}
}

// Another user of the cluster may look and run, but not end what is not theirs.
func TestAnotherUser(t *testing.T) {
	ours, theirs := newHome(t), newHome(t)
	node := start(t, wnode.Config{Home: ours, Name: "kate", Listen: loopback})
	cookie, err := ours.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.SetCookie(cookie); err != nil {
		t.Fatal(err)
	}
	addr := node.Net.Addrs()[0]
	us := start(t, wnode.Config{Home: ours})
	them := start(t, wnode.Config{Home: theirs, Join: []string{addr}})
	kate := on(t, them, "kate")
	ctx := t.Context()

	c, size, err := us.Store.Add(ctx, bytes.NewReader(examples.Yes))
	if err != nil {
		t.Fatal(err)
	}
	if err := on(t, us, "kate").AddModule(ctx, c.String(), size, "yes"); err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{})
	l := origin.New(us.Engine, origin.Config{Stdout: firstWrite{began}, Stderr: os.Stderr})
	defer l.Close()
	pid := l.Spawn(on(t, us, "kate").Node, &engine.Spec{Module: engine.Module{Name: "yes"}, Args: []string{"1000000000000"}})
	<-began

	notAllowed := engine.Reason{Word: engine.NotAllowed}
	if err := kate.Kill(ctx, pid, ""); !errors.Is(err, notAllowed) {
		t.Errorf("kill: %v", err)
	}
	if err := kate.Stop(ctx, 0); !errors.Is(err, notAllowed) {
		t.Errorf("stop: %v", err)
	}
	if err := kate.RemoveModule(ctx, "yes"); !errors.Is(err, notAllowed) {
		t.Errorf("rm: %v", err)
	}
	if err := kate.UntagModule(ctx, "yes"); !errors.Is(err, notAllowed) {
		t.Errorf("untag: %v", err)
	}
	if _, err := kate.UnpinModule(ctx, "yes"); !errors.Is(err, notAllowed) {
		t.Errorf("unpin: %v", err)
	}
	if _, err := kate.CollectModules(ctx, 0, true); !errors.Is(err, notAllowed) {
		t.Errorf("gc: %v", err)
	}
	if _, err := kate.VerifyModules(ctx, nil); !errors.Is(err, notAllowed) {
		t.Errorf("verify: %v", err)
	}
	ps, err := kate.Processes(ctx)
	if err != nil || len(ps) != 1 || ps[0].Module != "yes" || ps[0].State != "running" {
		t.Errorf("ps: %+v, %v", ps, err)
	}
	if s, err := kate.Status(ctx); err != nil || s.Name != "kate" || s.Processes != 1 {
		t.Errorf("status: %+v, %v", s, err)
	}
	if i, err := kate.Inspect(ctx, "yes"); err != nil || i.Kind != "command" || i.NotRunnable != "" || len(i.SHA256) != 64 {
		t.Errorf("inspect: %+v, %v", i, err)
	}

	// Its own user may.
	if err := on(t, us, "kate").Kill(ctx, pid, "enough"); err != nil {
		t.Errorf("our kill: %v", err)
	}
	if x, err := l.Wait(ctx); err != nil || x.Reason != (engine.Reason{Word: engine.Killed, Detail: "enough"}) {
		t.Errorf("end: %+v, %v", x, err)
	}
	if err := on(t, us, "kate").Stop(ctx, 0); err != nil {
		t.Errorf("our stop: %v", err)
	}
	<-node.Stopped()
}

// firstWrite closes a channel at the first write.
type firstWrite struct{ c chan struct{} }

func (w firstWrite) Write(b []byte) (int, error) {
	select {
	case <-w.c:
	default:
		close(w.c)
	}
	return len(b), nil
}

// What runs is safe from a gc that takes all it may, and what begins to run meanwhile
// starts: its module is kept, or comes again.
func TestGCBesideSpawns(t *testing.T) {
	h := newHome(t)
	node := start(t, wnode.Config{Home: h, Name: "kate", Listen: loopback})
	n := start(t, wnode.Config{Home: h})
	kate := on(t, n, "kate")
	ctx := t.Context()
	add := func(b []byte) engine.Module {
		c, size, err := n.Store.Add(ctx, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return engine.Module{CID: c, Size: size, Name: c.String()}
	}
	hello, yes := add(examples.Hello), add(examples.Yes)
	began := make(chan struct{})
	forever := origin.New(n.Engine, origin.Config{Stdout: firstWrite{began}, Stderr: os.Stderr})
	defer forever.Close()
	pid := forever.Spawn(kate.Node, &engine.Spec{Module: yes, Args: []string{"1000000000000"}})
	<-began

	stop, removed := make(chan struct{}), 0
	var collector sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); collector.Wait() })
	defer end()
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			r, err := kate.CollectModules(ctx, 0, false)
			if err != nil {
				t.Error(err)
				return
			}
			removed += r.Modules
			if !node.Store.Has(ctx, yes.CID) {
				t.Error("gc took a module that runs")
			}
		}
	})
	for i := range 30 {
		var out bytes.Buffer
		l := origin.New(n.Engine, origin.Config{Stdout: &out, Stderr: os.Stderr})
		l.Spawn(kate.Node, &engine.Spec{Module: hello, Args: []string{"you"}})
		exit, err := l.Wait(ctx)
		l.Close()
		if err != nil || exit.Reason.Word != engine.Normal || out.String() != "hello from wnode, you\n" {
			t.Fatalf("run %d: %+v, %v, %q", i, exit.Reason, err, out.String())
		}
	}
	end()
	t.Logf("gc removed the module that came and went %d times", removed)
	if err := kate.Kill(ctx, pid, "enough"); err != nil {
		t.Error(err)
	}
	if r, err := kate.CollectModules(ctx, 0, false); err != nil || r.Kept != 0 || node.Store.Has(ctx, yes.CID) {
		t.Errorf("when nothing runs any more: %+v, %v", r, err)
	}
}

// A module that cannot run is not kept by a node that is asked to add it.
func TestAddIsChecked(t *testing.T) {
	h := newHome(t)
	start(t, wnode.Config{Home: h, Name: "kate", Listen: loopback})
	n := start(t, wnode.Config{Home: h})
	kate := on(t, n, "kate")
	c, size, err := n.Store.Add(t.Context(), strings.NewReader("not wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := kate.AddModule(t.Context(), c.String(), size, "bad"); !errors.Is(err, engine.Reason{Word: engine.ModuleInvalid}) {
		t.Errorf("got %v", err)
	}
	if err := kate.AddModule(t.Context(), "nonsense", 0, ""); !errors.Is(err, engine.Reason{Word: engine.BadArg}) {
		t.Errorf("got %v", err)
	}
	if ms, err := kate.Modules(t.Context()); err != nil || len(ms) != 0 {
		t.Errorf("kate keeps %+v, %v", ms, err)
	}
}

func TestStartErrors(t *testing.T) {
	h := newHome(t)
	if _, err := wnode.Start(t.Context(), wnode.Config{Home: h}); !errors.Is(err, wnode.ErrNoCookie) {
		t.Errorf("a command without a cookie: %v", err)
	}
	if _, err := wnode.Start(t.Context(), wnode.Config{Home: h, Name: "kate", Join: []string{"127.0.0.1:1"}}); !errors.Is(err, wnode.ErrNoCookie) {
		t.Errorf("a node that joins without a cookie: %v", err)
	}
	if _, err := wnode.Start(t.Context(), wnode.Config{Home: h, Name: "not a name"}); err == nil {
		t.Error("a name that is none")
	}
	start(t, wnode.Config{Home: h, Name: "kate", Listen: loopback})
	if _, err := wnode.Start(t.Context(), wnode.Config{Home: h, Name: "kate", Listen: loopback}); !errors.Is(err, home.ErrRuns) {
		t.Errorf("a name that runs: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := wnode.Start(ctx, wnode.Config{Home: h, Name: "alex", Listen: loopback, Join: []string{"127.0.0.1:1"}}); err == nil {
		t.Error("joined nobody")
	}
	// After a failure nothing is held: the same name starts.
	start(t, wnode.Config{Home: h, Name: "alex", Listen: loopback})
}

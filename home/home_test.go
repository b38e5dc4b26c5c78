package home

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HOME_TEST_HOLD"); dir != "" {
		os.Exit(hold(dir))
	}
	goleak.VerifyTestMain(m)
}

// hold is the child of TestKilledNode: it takes and announces a node, says so,
// and waits to be killed.
func hold(dir string) int {
	h, err := Open(env("WNODE_HOME", dir))
	if err != nil {
		return 2
	}
	if _, err := h.Node("kate"); err != nil {
		return 3
	}
	if _, err := h.Announce(Announcement{Name: "kate", PeerID: "12D3"}); err != nil {
		return 4
	}
	fmt.Println("holding")
	os.Stdin.Read(make([]byte, 1))
	return 0
}

func env(kv ...string) func(string) string {
	return func(k string) string {
		for i := 0; i < len(kv); i += 2 {
			if kv[i] == k {
				return kv[i+1]
			}
		}
		return ""
	}
}

func open(t *testing.T) *Home {
	t.Helper()
	h, err := Open(env("WNODE_HOME", t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWhere(t *testing.T) {
	d := t.TempDir()
	for _, c := range []struct {
		name     string
		env      []string
		dir, run string
	}{
		{"WNODE_HOME", []string{"WNODE_HOME", d + "/a", "XDG_DATA_HOME", d + "/x", "XDG_RUNTIME_DIR", d + "/r"}, d + "/a", d + "/a/run"},
		{"XDG", []string{"XDG_DATA_HOME", d + "/x", "XDG_RUNTIME_DIR", d + "/r", "HOME", d}, d + "/x/wnode", d + "/r/wnode"},
		{"HOME", []string{"HOME", d, "XDG_RUNTIME_DIR", d + "/r"}, d + "/.local/share/wnode", d + "/r/wnode"},
	} {
		h, err := Open(env(c.env...))
		if err != nil || h.Dir != c.dir || h.Run != c.run {
			t.Errorf("%s: %+v, %v", c.name, h, err)
		}
		for _, dir := range []string{c.dir, c.run} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %s is %v, %v", c.name, dir, info.Mode(), err)
			}
		}
	}
	if _, err := Open(env()); err == nil {
		t.Error("opened a home without any variable")
	}
	if err := os.Mkdir(d+"/open", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d+"/open", 0o777); err != nil { // past the umask
		t.Fatal(err)
	}
	if _, err := Open(env("WNODE_HOME", d+"/open")); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a home that others can write: %v", err)
	}
}

func TestSecretsAreForTheUserAlone(t *testing.T) {
	h := open(t)
	if _, err := h.Cookie(); !errors.Is(err, ErrNoCookie) {
		t.Errorf("without a cookie: %v", err)
	}
	if err := h.SetCookie("wnode1-abc"); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Cookie(); got != "wnode1-abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if info, _ := os.Stat(h.CookieFile()); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(h.CookieFile(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Cookie(); err == nil || !strings.Contains(err.Error(), "read by others") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

func TestFirstStartsAtOnceAgree(t *testing.T) {
	h := open(t)
	var wg sync.WaitGroup
	got := make([]string, 16)
	keys := make([]ed25519.PrivateKey, len(got))
	for i := range got {
		wg.Go(func() {
			_, root, _ := ed25519.GenerateKey(nil)
			var err error
			if got[i], err = h.CreateCookie(fmt.Sprint("cookie ", i), root); err != nil {
				t.Error(err)
			}
			if keys[i], err = h.UserKey(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if got[i] != got[0] || !bytes.Equal(keys[i], keys[0]) {
			t.Fatalf("start %d has %q, start 0 %q", i, got[i], got[0])
		}
	}
}

func TestNodeState(t *testing.T) {
	h := open(t)
	for _, bad := range []string{"", "local", "any", "all", "label", "self", "Kate", "-k", "_k", "a/b", "a.b", "é", strings.Repeat("a", 64)} {
		if _, err := h.Node(bad); err == nil {
			t.Errorf("%q was taken as a name", bad)
		}
	}
	n, err := h.Node("kate")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Node("kate"); !errors.Is(err, ErrRuns) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a name that runs: %v", err)
	}
	key, first := n.Key, n.Incarnation
	if err := errors.Join(n.SetPort(4141), n.Close()); err != nil {
		t.Fatal(err)
	}
	n, err = h.Node("kate")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.Incarnation != first+1 || !n.Key.Equal(key) || n.Port() != 4141 {
		t.Errorf("the second start has incarnation %d, port %d", n.Incarnation, n.Port())
	}
}

func TestAnnouncements(t *testing.T) {
	h := open(t)
	withdraw, err := h.Announce(Announcement{Name: "kate", PeerID: "12D3", Addrs: []string{"/ip4/127.0.0.1/tcp/1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Announced(); len(got) != 1 || got[0].Name != "kate" || got[0].Addrs[0] != "/ip4/127.0.0.1/tcp/1" {
		t.Errorf("announced: %+v", got)
	}
	if err := withdraw(); err != nil {
		t.Error(err)
	}
	if got := h.Announced(); len(got) != 0 {
		t.Errorf("after it was withdrawn: %+v", got)
	}
}

func TestKilledNode(t *testing.T) {
	h := open(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOME_TEST_HOLD="+h.Dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 7)
	if _, err := out.Read(buf); err != nil || string(buf) != "holding" {
		t.Fatalf("child: %q, %v", buf, err)
	}
	if got := h.Announced(); len(got) != 1 {
		t.Errorf("while it runs: %+v", got)
	}
	if _, err := h.Node("kate"); !errors.Is(err, ErrRuns) {
		t.Errorf("while it runs: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // says that it was killed
	if got := h.Announced(); len(got) != 0 {
		t.Errorf("after kill -9: %+v", got)
	}
	n, err := h.Node("kate")
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	defer n.Close()
	if n.Incarnation != 2 {
		t.Errorf("incarnation %d", n.Incarnation)
	}
}

func TestPeerBook(t *testing.T) {
	h := open(t)
	kate := Known{"kate", "12D3a", []string{"/ip4/10.0.0.1/tcp/4141"}}
	for _, err := range []error{
		h.Remember(kate, false), h.Remember(kate, false),
		h.Remember(Known{"alex", "12D3b", nil}, false),
		h.Remember(Known{"kate", "12D3a", []string{"/ip4/10.0.0.2/tcp/4141"}}, false),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Remember(Known{"kate", "12D3c", nil}, false); err == nil || !strings.Contains(err.Error(), h.PeersFile()) {
		t.Errorf("another node of a known name: %v", err)
	}
	got, err := h.Peers()
	if err != nil || len(got) != 2 || got[0].PeerID != "12D3a" || got[0].Addrs[0] != "/ip4/10.0.0.2/tcp/4141" || got[1].Name != "alex" {
		t.Errorf("book: %+v, %v", got, err)
	}
	if err := h.Remember(Known{"kate", "12D3c", nil}, true); err != nil {
		t.Errorf("a trusted change: %v", err)
	}
	if err := os.WriteFile(filepath.Join(h.Dir, "peers"), []byte("# mine\n\nkate\nalex 12D3b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Peers(); err != nil || len(got) != 1 || got[0].Name != "alex" {
		t.Errorf("an edited book: %+v, %v", got, err)
	}
}

// A node that does not know how often it started must not begin again at 1.
func TestDamagedLock(t *testing.T) {
	h := open(t)
	n, err := h.Node("kate")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(h.Dir, "nodes", "kate", "lock")
	if err := os.WriteFile(file, []byte("\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Node("kate"); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Fatalf("got %v", err)
	}
	if err := os.WriteFile(file, []byte("1000000 0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = h.Node("kate"); err != nil || n.Incarnation != 1000001 {
		t.Fatalf("got %+v, %v", n, err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

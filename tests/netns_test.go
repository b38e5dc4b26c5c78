package tests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// twoHosts makes two network namespaces joined by a cable.
func twoHosts(t *testing.T) (a, b *host, addrA string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("two hosts are two network namespaces, which only root can make")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("two hosts are two network namespaces, made with ip: install iproute2")
	}
	id := fmt.Sprintf("%d", os.Getpid()%100000)
	nsA, nsB := "wna"+id, "wnb"+id
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	for _, ns := range []string{nsA, nsB} {
		ip("netns", "add", ns)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() }) // with it go its links
	}
	ip("link", "add", "va"+id, "netns", nsA, "type", "veth", "peer", "name", "vb"+id, "netns", nsB)
	for _, e := range [][3]string{{nsA, "va" + id, "10.77.0.1/24"}, {nsB, "vb" + id, "10.77.0.2/24"}} {
		ip("-n", e[0], "addr", "add", e[2], "dev", e[1])
		ip("-n", e[0], "link", "set", e[1], "up")
		ip("-n", e[0], "link", "set", "lo", "up")
	}
	return newHost(t, "ip", "netns", "exec", nsA), newHost(t, "ip", "netns", "exec", nsB), "10.77.0.1"
}

// handOver moves the cookie from one host to another, as a user would.
func handOver(t *testing.T, from, to *host) (file string) {
	t.Helper()
	if err := os.MkdirAll(to.home, 0o700); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(filepath.Dir(to.home), "cookie")
	if err := os.WriteFile(file, []byte(from.must("cookie", "show")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTwoHosts(t *testing.T) {
	for _, transport := range []string{"tcp/4141", "udp/4141/quic-v1"} {
		t.Run(strings.Split(transport, "/")[0], func(t *testing.T) {
			a, b, addr := twoHosts(t)
			_, line := a.up("kate", "--listen", "/ip4/"+addr+"/"+transport)
			if len(line) != 3 || !strings.HasPrefix(line[2], "/ip4/"+addr+"/"+transport+"/p2p/"+line[1]) {
				t.Fatalf("up printed %q, want the one address to join", line)
			}
			join := line[2]
			cookie := handOver(t, a, b)

			if r := b.run("run", "--join", join, "--on", "kate", guest(t, "hello-c")); r.code != 125 || !strings.Contains(r.err, "no cookie") {
				t.Errorf("without the cookie: exit %d, %q", r.code, r.err)
			}
			r := b.run("run", "--join", join, "--cookie-file", cookie, "--on", "kate", guest(t, "hello-c"), "world")
			if r.code != 0 || !strings.Contains(r.out, "world") {
				t.Errorf("exit %d, out %q, err %q", r.code, r.out, r.err)
			}
			// Kept, cookie and address are not needed again.
			set := b.command("cookie", "set")
			set.Stdin = strings.NewReader(a.must("cookie", "show"))
			if out, err := set.CombinedOutput(); err != nil {
				t.Fatalf("cookie set: %v: %s", err, out)
			}
			if out := b.must("run", "--on", "kate", guest(t, "hello-c"), "again"); !strings.Contains(out, "again") {
				t.Errorf("by name alone: %q", out)
			}

			// The caller's directory, from the other host.
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "in"), []byte("of the caller\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			sh := b.command("run", "--on", "kate", "--dir", dir+"::/d", guest(t, "sh-like"))
			sh.Stdin = strings.NewReader("cat /d/in\nwrite /d/out written there\n")
			if out, err := sh.CombinedOutput(); err != nil || !strings.Contains(string(out), "of the caller") {
				t.Errorf("sh-like: %v: %s", err, out)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || !strings.Contains(string(got), "written there") {
				t.Errorf("the caller's file: %q, %v", got, err)
			}
		})
	}
}

// TestNodeDies kills the target of a run, over each transport.
func TestNodeDies(t *testing.T) {
	for _, c := range []struct {
		transport string
		within    time.Duration
	}{{"tcp", time.Second}, {"udp", 5 * time.Second}} {
		t.Run(c.transport, func(t *testing.T) {
			h := newHost(t)
			listen := "/ip4/127.0.0.1/tcp/0"
			if c.transport == "udp" {
				listen = "/ip4/127.0.0.1/udp/0/quic-v1"
			}
			node, _ := h.up("kate", "--listen", listen)
			run := h.command("run", "--on", "kate", guest(t, "cat"))
			stdin, err := run.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			var errs bytes.Buffer
			run.Stderr = &errs
			out, err := run.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := stdin.Write([]byte("before\n")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 7)
			if _, err := out.Read(buf); err != nil || string(buf) != "before\n" {
				t.Fatalf("output so far: %q, %v", buf, err)
			}
			if err := node.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			var exit *exec.ExitError
			if err := run.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 137 || !strings.Contains(errs.String(), "node down") {
				t.Errorf("run: %v, %q", err, errs.String())
			}
			t.Logf("noticed after %v", time.Since(begin))
			// The bound is of the contract; a busy machine gets twice that.
			if d := time.Since(begin); d > 2*c.within {
				t.Errorf("noticed after %v", d)
			}
		})
	}
}

// TestCallerDies kills the command of a run: what it ran ends within 2 s.
func TestCallerDies(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run(strings.Split(listen, "/")[3], func(t *testing.T) {
			h := newHost(t)
			h.up("kate", "--listen", listen)
			run := h.command("run", "-n", "--on", "kate", guest(t, "spin"))
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			h.waitFor("running", "ps")
			if err := run.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			run.Wait() // says that it was killed
			h.waitForNot("spin", "ps")
			t.Logf("the guest ended within %v", time.Since(begin))
			if d := time.Since(begin); d > 4*time.Second {
				t.Errorf("the guest ended after %v", d)
			}
		})
	}
}

// waitFor runs a command until it prints text.
func (h *host) waitFor(text string, args ...string) { h.poll(text, true, args) }

// waitForNot runs a command until it prints no text.
func (h *host) waitForNot(text string, args ...string) { h.poll(text, false, args) }

func (h *host) poll(text string, want bool, args []string) {
	h.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r := h.run(args...)
		if r.code == 0 && strings.Contains(r.out, text) == want {
			return
		}
		select {
		case <-deadline:
			h.t.Fatalf("wnode %s: %q in its output is never %v; last: exit %d %s%s", strings.Join(args, " "), text, want, r.code, r.out, r.err)
		case <-tick.C:
		}
	}
}

// Package tests holds tests of the whole system: the command as its users run
// it, on real terminals, several processes and several hosts.
package tests

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait for what must come; reaching it is a failure.
const patience = 30 * time.Second

// wnode returns the path of the command, built once.
var wnode = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wnode-tests")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wnode")
	out, err := exec.Command("go", "build", "-o", path, module+"/cmd/wnode").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %v\n%s", err, out)
	}
	return path, nil
})

// host is one machine, or what a test takes for one: a home, and for network
// namespaces the command that enters it.
type host struct {
	t     *testing.T
	home  string
	enter []string
}

func newHost(t *testing.T, enter ...string) *host {
	return &host{t: t, home: filepath.Join(t.TempDir(), "home"), enter: enter}
}

// command returns a wnode command on the host. It is killed when the test ends,
// and after two minutes.
func (h *host) command(args ...string) *exec.Cmd {
	h.t.Helper()
	return h.within(2*time.Minute, args...)
}

// long returns a command that may take half an hour.
func (h *host) long(args ...string) *exec.Cmd {
	h.t.Helper()
	return h.within(30*time.Minute, args...)
}

func (h *host) within(limit time.Duration, args ...string) *exec.Cmd {
	h.t.Helper()
	bin, err := wnode()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	h.t.Cleanup(cancel)
	line := append(append([]string{}, h.enter...), append([]string{bin}, args...)...)
	c := exec.CommandContext(ctx, line[0], line[1:]...)
	c.Env = append(os.Environ(), "WNODE_HOME="+h.home)
	c.WaitDelay = 5 * time.Second
	return c
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// run runs a command to its end.
func (h *host) run(args ...string) result {
	h.t.Helper()
	c := h.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if c.ProcessState == nil {
		h.t.Fatalf("wnode %s: %v", strings.Join(args, " "), err)
	}
	return result{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// must runs a command that must succeed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	if r.code != 0 {
		h.t.Fatalf("wnode %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// up starts a node in the foreground of a process of its own and returns that
// process and the words of the line it printed. It is stopped with the test.
func (h *host) up(name string, args ...string) (*exec.Cmd, []string) {
	h.t.Helper()
	c := h.long(append([]string{"up", name}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM) // an error says that it is gone
		c.Wait()
		if h.t.Failed() {
			h.t.Logf("node %s said:\n%s", name, errs.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.t.Fatalf("node %s did not start: %s", name, errs.String())
	}
	return c, strings.Fields(line)
}

// guest returns the path of an example guest.
func guest(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "wasm-examples", name, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build", err)
	}
	return path
}

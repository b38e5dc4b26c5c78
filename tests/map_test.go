package tests

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wnode-project/wnode/batch"
)

// A map of endless input takes no more memory with time, and reads no further ahead
// than it can work: 10,000 tasks in CI, a million in make soak.
func TestMapEndlessInput(t *testing.T) {
	onlyLinux(t)
	const warmUp, mayGrow = 3_000, 8 << 20
	total := 10_000
	if os.Getenv("WNODE_SOAK") != "" {
		total = 1_000_000
	}
	// A node that finds itself busy has up to 32 MiB of garbage more, soon or late:
	// that is not what is measured here.
	t.Setenv("GOGC", "100")
	h := newHost(t)
	node, _ := h.up("kate")
	cmd := h.long("map", "--on", "kate", guest(t, "hello-c"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Lines of a kilobyte, so that few of them are in buffers.
	long := strings.Repeat("x", 1000)
	var written atomic.Int64
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintln(in, long, i); err != nil {
				return // it has ended
			}
			written.Add(1)
		}
	}()
	const buffered = batch.Window + 500 // of the pipe and of readers: 64 KiB each and some
	var first, most [2]int64
	lines := bufio.NewReaderSize(out, 64<<10)
	for i := range total {
		got, err := lines.ReadString('\n')
		if want := fmt.Sprintf("hello from wnode, %s %d\n", long, i); err != nil || got != want {
			t.Fatalf("task %d: %q, %v: %s", i, got, err, errs.String())
		}
		if ahead := written.Load() - int64(i); ahead > buffered {
			t.Fatalf("%d tasks were taken beyond the %d that are done", ahead, i)
		}
		if i >= warmUp && i%1000 == 0 {
			for k, pid := range [2]int{node.Process.Pid, cmd.Process.Pid} {
				m := rss(t, pid)
				if first[k] == 0 {
					first[k] = m
				}
				most[k] = max(most[k], m)
			}
		}
	}
	cmd.Process.Kill()
	cmd.Wait() // an error, as it was killed
	for k, name := range []string{"node", "command"} {
		t.Logf("%s: %.1f MiB, at most %.1f MiB more later", name, float64(first[k])/(1<<20), float64(most[k]-first[k])/(1<<20))
		if most[k]-first[k] > mayGrow {
			t.Errorf("%s: grew by %d bytes", name, most[k]-first[k])
		}
	}
}

// A result of which nobody reads the rest holds up the tasks, and they go on when
// somebody does.
func TestMapStalledReader(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	cmd := h.command("map", "--on", "kate", "-j", "2", guest(t, "flood"), "3000000", "{}", ":::", "0", "0", "0", "0", "0", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := h.must("run", "--on", "kate", guest(t, "flood"), "3000000", "0")
	got := make([]byte, 100_000)
	if _, err := io.ReadFull(out, got); err != nil {
		t.Fatal(err)
	}
	h.must("run", "--on", "kate", guest(t, "hello-c")) // others run meanwhile
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+string(rest) != strings.Repeat(want, 6) {
		t.Errorf("%d bytes that are not what 6 tasks wrote, %d", len(got)+len(rest), 6*len(want))
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Progress is shown on a terminal, beside results that go somewhere else.
func TestMapBar(t *testing.T) {
	h := newHost(t)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := h.command("map", guest(t, "exit"), ":::", "0", "0", "trap", "0")
	cmd.Stdout = out
	x := onTerminal(t, cmd)
	x.expect("task 3 on local: trap")
	x.expect("4/4 tasks")
	x.expect("/s")
	x.expect("1 of 4 tasks failed")
	if code := x.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// Ctrl-C ends all tasks before the command does; and so does the end of the command.
func TestMapInterrupted(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	spinning := func() int { return strings.Count(h.must("ps", "--on", "kate"), "spin") }
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		cmd := h.command("map", "--on", "kate", "-j", "3", guest(t, "spin"), ":::", "1", "2", "3", "4", "5")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, "task does not begin", func() bool { return spinning() == 3 })
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // an error, as it was interrupted
		if s == syscall.SIGKILL {
			begin := time.Now()
			eventually(ctx, t, "task outlives the command", func() bool { return spinning() == 0 })
			t.Logf("all tasks had ended %v after the command was killed", time.Since(begin).Round(time.Millisecond))
			continue
		}
		if n := spinning(); n != 0 {
			t.Errorf("%v: %d tasks outlive the command", s, n)
		}
		if code, want := cmd.ProcessState.ExitCode(), 128+int(s); code != want {
			t.Errorf("%v: exit code %d, want %d: %s", s, code, want, errs.String())
		}
		if want := fmt.Sprintf("wnode: ended by %v: 0 tasks are done\n", s); errs.String() != want {
			t.Errorf("%v: it said %q, want %q", s, errs.String(), want)
		}
	}
}

package tests

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rss returns the resident memory of a process in bytes.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmRSS in /proc")
	return 0
}

// onlyLinux skips where memory of a process cannot be read from /proc.
func onlyLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which is Linux's")
	}
}

// More output than fits any buffer costs neither end memory: 512 MB of it in
// CI, 10 GB in make soak.
func TestOutputTakesNoMemory(t *testing.T) {
	onlyLinux(t)
	const warmUp, mayGrow = 1 << 20, 8 << 20
	total := int64(512e6)
	if os.Getenv("WNODE_SOAK") != "" {
		total = 10e9
	}
	h := newHost(t)
	node, _ := h.up("kate")
	run := h.long("run", "-n", "--on", "kate", guest(t, "yes"), strconv.FormatInt(total, 10))
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	run.Stderr = &errs
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	buf := make([]byte, 64<<10)
	var got, next int64
	var first, most [2]int64
	pids := [2]int{node.Process.Pid, run.Process.Pid}
	for next = warmUp; ; {
		n, err := out.Read(buf)
		got += int64(n)
		if got >= next {
			next += 16 << 20
			for i, pid := range pids {
				m := rss(t, pid)
				if first[i] == 0 {
					first[i] = m
				}
				most[i] = max(most[i], m)
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Wait(); err != nil || got != total {
		t.Fatalf("%d of %d bytes, %v: %s", got, total, err, errs.String())
	}
	for i, name := range []string{"node", "caller"} {
		grown := most[i] - first[i]
		t.Logf("%s: %.1f MiB after %d MiB of output, at most %.1f MiB more later", name, float64(first[i])/(1<<20), warmUp>>20, float64(grown)/(1<<20))
		if grown > mayGrow {
			t.Errorf("%s: grew by %d bytes", name, grown)
		}
	}
	t.Logf("%.0f MB/s", float64(got)/1e6/time.Since(begin).Seconds())
}

// A reader that stalls stops its own guest, and no other.
func TestStalledReader(t *testing.T) {
	onlyLinux(t)
	h := newHost(t)
	node, _ := h.up("kate")
	stalled := h.command("run", "-n", "--on", "kate", guest(t, "yes"), "1000000000000")
	out, err := stalled.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stalled.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	// From here on nobody reads it. Others run, and the node does not fill up.
	before := rss(t, node.Process.Pid)
	for range 5 {
		if got := h.must("run", "--on", "kate", guest(t, "flood"), "1000000"); len(got) != 1000000 {
			t.Fatalf("%d bytes beside a stalled guest", len(got))
		}
	}
	if grown := rss(t, node.Process.Pid) - before; grown > 16<<20 {
		t.Errorf("the node grew by %d bytes", grown)
	}
	// Read again, it goes on.
	if _, err := io.ReadFull(out, make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	stalled.Process.Kill() // an error says that it is gone
	stalled.Wait()
	h.waitForNot("running", "ps")
}

// A reader that goes away ends the guest, as a shell's pipe does.
func TestReaderGoesAway(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	run := h.command("run", "-n", "--on", "kate", guest(t, "yes"), "1000000000000")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := run.Wait(); err == nil {
		t.Error("exit 0 though its output went nowhere")
	}
	h.waitForNot("running", "ps")
}

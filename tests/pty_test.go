package tests

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal runs a command on a terminal of its own.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu   sync.Mutex
	text string        // all it showed
	more chan struct{} // has one element when text grew
	done chan struct{} // closed when nothing more comes
}

func onTerminal(t *testing.T, c *exec.Cmd) *terminal {
	t.Helper()
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	x := &terminal{t: t, cmd: c, tty: tty, more: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(x.done)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			x.mu.Lock()
			x.text += string(buf[:n])
			x.mu.Unlock()
			select {
			case x.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		c.Process.Kill() // an error says that it is gone
		tty.Close()
		<-x.done
	})
	return x
}

// expect waits until the terminal shows text behind what was expected before.
func (x *terminal) expect(text string) {
	x.t.Helper()
	deadline := time.After(patience)
	for {
		x.mu.Lock()
		_, after, ok := strings.Cut(x.text, text)
		if ok {
			x.text = after
		}
		shown := x.text
		x.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-x.more:
		case <-deadline:
			x.t.Fatalf("the terminal never showed %q; it shows %q", text, shown)
		}
	}
}

func (x *terminal) typed(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.tty, text); err != nil {
		x.t.Fatal(err)
	}
}

// exit waits for the end of the command and returns its exit code.
func (x *terminal) exit() int {
	x.t.Helper()
	err := x.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	return x.cmd.ProcessState.ExitCode()
}

func TestConversationOnATerminal(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	x := onTerminal(t, h.command("run", "--on", "kate", guest(t, "ask")))
	x.expect("name?")
	x.typed("Kate\n")
	x.expect("Hello, Kate")
	x.typed("\x04") // Ctrl-D: end of input
	if code := x.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestCtrlC(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	for _, on := range []string{"kate", "local"} {
		for _, args := range [][]string{ // one computes, one waits for input, one writes
			{guest(t, "spin")}, {guest(t, "cat")}, {guest(t, "yes"), "1000000000000"},
		} {
			if on == "local" && strings.Contains(args[0], "spin") {
				continue // nothing shows when it runs
			}
			x := onTerminal(t, h.command(append([]string{"run", "--on", on}, args...)...))
			switch {
			case strings.Contains(args[0], "cat"):
				x.typed("echo\n")
				x.expect("echo\r\necho\r\n")
			case strings.Contains(args[0], "yes"):
				x.expect("y\r\ny\r\n")
			default:
				h.waitFor("running", "ps")
			}
			x.typed("\x03")
			if code := x.exit(); code != 130 {
				t.Errorf("%s on %s: exit %d", args[0], on, code)
			}
			h.waitForNot("running", "ps")
		}
	}
}

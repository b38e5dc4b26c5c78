package tests

import (
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// leader returns the group leader of a process.
func (h *host) leader(process string) string {
	h.t.Helper()
	for line := range strings.Lines(h.must("describe", process)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "leader" {
			return line
		}
	}
	h.t.Fatalf("%s has no leader", process)
	return ""
}

// attach makes a terminal the one of a process.
func (h *host) attach(process string) *terminal {
	h.t.Helper()
	detached := h.leader(process)
	x := onTerminal(h.t, h.command("attach", process))
	h.waitForNot(detached, "describe", process)
	return x
}

// A detached process talks to a terminal that is attached, is left as it was by
// Ctrl-C, talks to another terminal, and its end is that of the command.
func TestAttachOnATerminal(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	h.must("spawn", "--on", "kate", "--register", "ask", guest(t, "ask"), "patient")
	alone := h.leader("ask@kate")

	x := h.attach("ask@kate")
	h.must("send", "ask@kate", "go")
	x.expect("name?")
	x.typed("Kate\n")
	x.expect("Hello, Kate!")
	x.typed("\x03")
	x.expect("running")
	if code := x.exit(); code != 0 {
		t.Errorf("left with exit %d", code)
	}
	if got := h.leader("ask@kate"); got != alone {
		t.Errorf("left with %q, it had %q", got, alone)
	}

	x = h.attach("ask@kate")
	h.must("send", "ask@kate", "go")
	x.expect("> ")
	x.typed("still here\n")
	x.expect("STILL HERE")
	h.must("send", "ask@kate", "go")
	x.expect("> ")
	x.typed("\x04")
	x.expect("Goodbye, Kate.")
	if code := x.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
	h.waitForNot("running", "ps")
}

// A terminal that is lost gives the process back to its node.
func TestAttachedTerminalDies(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	h.must("spawn", "--on", "kate", "--register", "ask", guest(t, "ask"), "patient")
	alone := h.leader("ask@kate")
	x := h.attach("ask@kate")
	if err := x.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	x.exit()
	h.waitFor(alone, "describe", "ask@kate")
}

// The shell edits lines, an endless evaluation is interrupted, and Ctrl-D ends it.
func TestShellOnATerminal(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	x := onTerminal(t, h.command("shell"))
	x.expect(">>> ")
	x.typed("20 + 23\x7f2\r") // a digit taken back
	x.expect("42\r\n")
	x.expect(">>> ")
	x.typed("+ 3\x014 \r") // begin of the line
	x.expect("7\r\n")
	x.expect(">>> ")
	x.typed("\x1b[A\r") // the line before
	x.expect("7\r\n")
	x.expect(">>> ")
	x.typed("def f():\r  print('be' + 'gun')\r  while True: pass\r\r") // the last ends the block
	x.expect("\r\n>>> ")
	x.typed("f()\r")
	x.expect("begun\r\n")
	x.typed("\x03")
	x.expect("interrupted")
	x.expect(">>> ")
	x.typed("nodes()\r")
	x.expect(`["kate"]`)
	x.expect(">>> ")
	x.typed("\x04")
	if code := x.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A shell that waits for a line, or for what it evaluates, ends when it is told to, and
// leaves the terminal as it was.
func TestShellIsTerminated(t *testing.T) {
	h := newHost(t)
	h.up("kate")
	fresh, tty, err := pty.Open()
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer fresh.Close()
	defer tty.Close()
	plain, err := term.GetState(int(fresh.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"", "receive(timeout=600)\r"} {
		x := onTerminal(t, h.command("shell"))
		x.expect(">>> ")
		if typed != "" {
			x.typed(typed)
			x.expect("receive(timeout=600)\r\n")
		}
		if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := x.exit(); code != 143 {
			t.Errorf("exit %d", code)
		}
		after, err := term.GetState(int(x.tty.Fd()))
		if err != nil || !reflect.DeepEqual(plain, after) {
			t.Errorf("behind %q the terminal is not as it was: %v", typed, err)
		}
	}
}

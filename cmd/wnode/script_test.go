package main

import (
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wnode-project/wnode/home"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wnode": main})
}

// TestScripts runs tests/script/*.txtar: each has a home of its own, the
// example guests in $EXAMPLES, and real processes.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../wasm-examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "../../tests/script",
		Setup: func(e *testscript.Env) error {
			dir := filepath.Join(e.WorkDir, "home")
			e.Setenv("WNODE_HOME", dir)
			e.Setenv("EXAMPLES", examples)
			e.Setenv("TMPDIR", e.WorkDir)
			// Nodes started with up -d outlive their script, by a failure.
			e.Defer(func() {
				dirs, _ := filepath.Glob(filepath.Join(e.WorkDir, "home*"))
				for _, d := range dirs {
					h, err := home.Open(func(string) string { return d })
					if err != nil {
						continue
					}
					for _, a := range h.Announced() {
						syscall.Kill(a.Process, syscall.SIGTERM)
					}
				}
			})
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":     cmdCode,
			"truncate": cmdTruncate,
			"field":    cmdField,
			"kill9":    cmdKill9,
			"waitfor":  cmdWaitFor,
			"waitpid":  cmdWaitPID,
			"hex":      cmdHex,
			"flip":     cmdFlip,
		},
	})
}

// code N COMMAND... runs a command that must end with an exit code.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND [args...]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if want, ok := parseInt(args[0]); !ok || int(want) != got {
		ts.Fatalf("exit code %d, want %s; stdout: %s; stderr: %s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// truncate FILE N cuts a file to its first N bytes, or extends it with zeros.
func cmdTruncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE N")
	}
	n, ok := parseInt(args[1])
	if !ok {
		ts.Fatalf("truncate: bad size %q", args[1])
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func parseInt(s string) (n int64, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, s != ""
}

// field VAR FILE N sets VAR to the N-th word (from 1) of a file or stdout.
func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field VAR FILE N")
	}
	words := strings.Fields(ts.ReadFile(args[1]))
	n, ok := parseInt(args[2])
	if !ok || n < 1 || int(n) > len(words) {
		ts.Fatalf("field: %s has %d words, not %s", args[1], len(words), args[2])
	}
	ts.Setenv(args[0], words[n-1])
}

// kill9 NODE kills the process of a node of this home.
func cmdKill9(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kill9 NODE")
	}
	h, err := home.Open(ts.Getenv)
	ts.Check(err)
	for _, a := range h.Announced() {
		if a.Name == args[0] {
			ts.Check(syscall.Kill(a.Process, syscall.SIGKILL))
			return
		}
	}
	ts.Fatalf("kill9: no node %s runs", args[0])
}

// waitpid VAR sets VAR to the pid of the first process that a command lists.
func cmdWaitPID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitpid VAR COMMAND [args...]")
	}
	waitFor(ts, false, "running", args[1], args[2:])
	lines := strings.Split(ts.ReadFile("stdout"), "\n")
	ts.Setenv(args[0], strings.Fields(lines[1])[0])
}

// hex FILE DIGITS... writes bytes to a file.
func cmdHex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hex FILE DIGITS...")
	}
	b, err := hex.DecodeString(strings.Join(args[1:], ""))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// flip STORE CID changes one bit of a module's first block, on disk.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip STORE CID")
	}
	c, err := cid.Decode(args[1])
	ts.Check(err)
	name := strings.TrimPrefix(dshelp.MultihashToDsKey(c.Hash()).String(), "/") + ".data"
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "blocks", "*", name))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("flip: %s has %d files %s", args[0], len(files), name)
	}
	b, err := os.ReadFile(files[0])
	ts.Check(err)
	b[len(b)/2] ^= 4
	ts.Check(os.WriteFile(files[0], b, 0o600))
}

// [!] waitfor TEXT COMMAND... runs the command until its output has the text, or has
// it no more.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: waitfor TEXT COMMAND [args...]")
	}
	waitFor(ts, neg, args[0], args[1], args[2:])
}

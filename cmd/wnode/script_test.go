package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wnode-project/wnode/build"
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
	cache := goCache(t)
	command, err := exec.LookPath("wnode")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:       "../../tests/script",
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			dir := filepath.Join(e.WorkDir, "home")
			e.Setenv("WNODE_HOME", dir)
			e.Setenv("EXAMPLES", examples)
			e.Setenv("WNODE", command) // for scripts that change PATH
			e.Setenv("SDK", filepath.Join(examples, "..", "sdk"))
			e.Setenv("TMPDIR", e.WorkDir)
			// Scripts have no HOME, where it would be.
			e.Setenv("GOCACHE", cache)
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

// goCache returns where Go keeps what it compiled.
func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// condition is [builds:c], [builds:rust] and [builds:assemblyscript]: the toolchain is here.
func condition(cond string) (bool, error) {
	dir, err := os.MkdirTemp("", "wnode-condition")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	var name, text string
	switch cond {
	case "builds:c":
		name, text = "main.c", "#include <stdio.h>\nint main(void) { puts(\"\"); return 0; }\n"
	case "builds:rust":
		name, text = "main.rs", "fn main() {}\n"
	case "builds:assemblyscript":
		name = "main.ts"
		modules, err := filepath.Abs("../../sdk/assemblyscript/node_modules")
		if err != nil {
			return false, err
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		return false, err
	}
	_, err = build.Build(context.Background(), filepath.Join(dir, name), build.Options{Dir: filepath.Join(dir, "cache")})
	if errors.Is(err, build.ErrNoToolchain) {
		return false, nil
	}
	return err == nil, err
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

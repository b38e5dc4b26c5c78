package hostfuncs_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/origin"
)

// TestSuite runs the preview 1 programs of wasi-testsuite through the whole
// stack, their directory served by a group leader as one of --dir is. All must
// pass: there are no exceptions. They are not part of this repository:
// WNODE_WASI_TESTSUITE names a checkout, in which
// tests/*/testsuite/wasm32-wasip1 holds them.
//
// Source of the format of the .json files: wasi-testsuite, doc/specification.md.
func TestSuite(t *testing.T) {
	home := os.Getenv("WNODE_WASI_TESTSUITE")
	if home == "" {
		t.Skip("WNODE_WASI_TESTSUITE does not name a checkout of wasi-testsuite")
	}
	programs, err := filepath.Glob(filepath.Join(home, "tests/*/testsuite/wasm32-wasip1/*.wasm"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs in %s (%v)", home, err)
	}
	passed := 0
	for _, program := range programs {
		dir, file := filepath.Split(program)
		name := strings.TrimSuffix(file, ".wasm")
		suite := filepath.Base(filepath.Dir(filepath.Dir(filepath.Clean(dir))))
		if t.Run(suite+"/"+name, func(t *testing.T) { suiteProgram(t, dir, name) }) {
			passed++
		}
	}
	t.Logf("%d of %d programs pass", passed, len(programs))
}

func suiteProgram(t *testing.T, dir, name string) {
	wasm, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Args     []string
		Env      map[string]string
		Root     string
		ExitCode int `json:"exit_code"`
		Stdout   *string
		Stderr   *string
	}
	if b, err := os.ReadFile(filepath.Join(dir, name+".json")); err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields() // a program that needs more than this test does must not pass
		if err := d.Decode(&spec); err != nil {
			t.Fatal(err)
		}
	}
	// As the suite's own runner does: a stdin that is open and silent.
	stdin, silent := io.Pipe()
	defer silent.Close()
	r := &run{name: name + ".wasm", wasm: wasm, args: spec.Args, stdin: stdin}
	for k, v := range spec.Env {
		r.env = append(r.env, k+"="+v)
	}
	slices.Sort(r.env)
	if spec.Root != "" {
		root := t.TempDir()
		if err := os.CopyFS(root, os.DirFS(filepath.Join(dir, spec.Root))); err != nil {
			t.Fatal(err)
		}
		r.dirs = []origin.Dir{{Host: root, Guest: "/"}}
	}
	newStack(t, wasm).do(t, r)
	if r.code() != spec.ExitCode {
		t.Errorf("exit code %d, want %d (%v)\nstdout: %s\nstderr: %s", r.code(), spec.ExitCode, r.exit.Reason, &r.stdout, &r.stderr)
	}
	if spec.Stdout != nil && r.stdout.String() != *spec.Stdout {
		t.Errorf("stdout %q, want %q", &r.stdout, *spec.Stdout)
	}
	if spec.Stderr != nil && r.stderr.String() != *spec.Stderr {
		t.Errorf("stderr %q, want %q", &r.stderr, *spec.Stderr)
	}
}

package guest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
)

func TestReasons(t *testing.T) {
	n := newNode(t, "")
	for _, c := range []struct {
		name   string
		module []byte
		spec   engine.Spec
		want   engine.Word
		code   uint32
		detail string // is in the reason's
		out    string
	}{
		{name: "normal", module: example(t, "hello-c"), spec: engine.Spec{Args: []string{"a b"}}, want: engine.Normal, out: "hello from wnode, a b\n"},
		{name: "exit code", module: example(t, "exit"), spec: engine.Spec{Args: []string{"3"}}, want: engine.Exited, code: 3},
		{name: "exit code 0", module: example(t, "exit"), spec: engine.Spec{Args: []string{"0"}}, want: engine.Normal},
		{name: "trap", module: example(t, "exit"), spec: engine.Spec{Args: []string{"trap"}}, want: engine.Trap, detail: "unreachable"},
		{name: "division by zero", module: example(t, "add"), spec: engine.Spec{Entry: "div", Args: []string{"1", "0"}}, want: engine.Trap, detail: "integer divide by zero"},
		{name: "start function traps", module: fromHex(t, startTraps), want: engine.Trap, detail: "unreachable"},
		{name: "endless recursion", module: fromHex(t, recurses), want: engine.Stack},
		{name: "memory limit", module: fromHex(t, grows), spec: engine.Spec{Limits: engine.Limits{Memory: 4 << 20}}, want: engine.Memory, detail: "4 MiB"},
		{name: "memory limit by default", module: fromHex(t, grows), want: engine.Memory, detail: "64 MiB"},
		{name: "more memory than the limit from the start", module: fromHex(t, muchMemory), want: engine.Memory, detail: "125 MiB"},
		{name: "wall time", module: example(t, "spin"), spec: engine.Spec{Limits: engine.Limits{Wall: 50 * time.Millisecond}}, want: engine.Timeout, detail: "50ms"},
		{name: "no such export", module: example(t, "add"), spec: engine.Spec{Entry: "sub"}, want: engine.EntryNotFound, detail: "add, add_f32, add_f64, add_i64, div"},
		{name: "no _start", module: example(t, "kate"), want: engine.EntryNotFound, detail: `no export "_start"; it has: say_name`},
		{name: "_start takes parameters", module: fromHex(t, startTakes), want: engine.EntryNotFound, detail: "not a command"},
		{name: "typed arguments", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"-1", "0x10"}}, want: engine.Normal, out: "15\n"},
		{name: "unsigned argument", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"4294967295", "0"}}, want: engine.Normal, out: "-1\n"},
		{name: "float results", module: example(t, "add"), spec: engine.Spec{Entry: "add_f32", Args: []string{"0.1", "0.2"}}, want: engine.Normal, out: "0.3\n"},
		{name: "several results", module: fromHex(t, twoResults), spec: engine.Spec{Entry: "two"}, want: engine.Normal, out: "-1\n7\n"},
		{name: "too few arguments", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1"}}, want: engine.EntryNotFound, detail: "add takes 2 arguments (i32, i32) -> i32, not 1"},
		{name: "argument of another type", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1", "1.5"}}, want: engine.EntryNotFound, detail: `"1.5"`},
		{name: "argument too large", module: example(t, "add"), spec: engine.Spec{Entry: "add", Args: []string{"1", "4294967296"}}, want: engine.EntryNotFound, detail: "no i32"},
		{name: "tables do not grow without bound", module: fromHex(t, growsTable), spec: engine.Spec{Entry: "most"}, want: engine.Normal, out: "30001\n"},
		{name: "_initialize comes first", module: fromHex(t, initializes), spec: engine.Spec{Entry: "get"}, want: engine.Normal, out: "42\n"},
		{name: "not wasm", module: []byte("hello"), want: engine.ModuleInvalid, detail: "not WebAssembly"},
		{name: "import with another signature", module: fromHex(t, wrongImport), want: engine.ModuleInvalid, detail: "fd_write"},
		{name: "does not compile", module: fromHex(t, badCode), want: engine.ModuleInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := n.start(c.module, c.spec)
			got := r.end(t)
			if got.Word != c.want || got.Code != c.code || !strings.Contains(got.Detail, c.detail) || r.out.String() != c.out {
				t.Errorf("got %+v, output %q", got, r.out.String())
			}
		})
	}
}

// A guest ends when it is told to, with the reason it was told first, whether it
// calls its host or not.
func TestKill(t *testing.T) {
	for _, c := range []struct {
		name   string
		module []byte
		spec   engine.Spec
	}{
		{"loop that writes", example(t, "yes"), engine.Spec{Args: []string{"1000000000000"}}},
		{"loop without a call", fromHex(t, writesThenSpins), engine.Spec{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, "")
			r := n.start(c.module, c.spec)
			<-r.began
			for _, why := range []string{"enough", "more than enough"} {
				r.leader.Send(r.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: why}})
			}
			if got := r.end(t); got != (engine.Reason{Word: engine.Killed, Detail: "enough"}) {
				t.Errorf("got %+v", got)
			}
			if r.down.Report.Run == 0 || r.down.Report.MaxMemory == 0 {
				t.Errorf("report %+v", r.down.Report)
			}
		})
	}
}

// Many processes of one new module wait for one compilation, and each has an
// instance of its own.
func TestManyAtOnce(t *testing.T) {
	n := newNode(t, t.TempDir())
	hello := example(t, "hello-c")
	var runs []*run
	for range 50 {
		runs = append(runs, n.start(hello, engine.Spec{}))
	}
	for _, r := range runs {
		if got := r.end(t); got.Word != engine.Normal || r.out.String() != "hello from wnode, world\n" {
			t.Errorf("got %+v, %q", got, r.out.String())
		}
	}
}

// What is compiled is found on disk by the next runner, two of which can use one
// directory; what cannot be used as a directory is done without.
func TestCacheDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "cache"), file} {
		for range 2 {
			n, other := newNode(t, dir), newNode(t, dir)
			a, b := n.start(example(t, "hello-c"), engine.Spec{}), other.start(example(t, "hello-c"), engine.Spec{})
			if got := []engine.Word{a.end(t).Word, b.end(t).Word}; got[0] != engine.Normal || got[1] != engine.Normal {
				t.Fatalf("got %+v", got)
			}
			closeNode(t, n)
			closeNode(t, other)
		}
	}
}

// A runner can be closed before it ran anything, and runs nothing afterwards.
func TestClosed(t *testing.T) {
	n := newNode(t, "")
	for range 2 {
		if err := n.runner.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.start(example(t, "hello-c"), engine.Spec{}).end(t); got.Word != engine.SystemLimit {
		t.Errorf("got %+v", got)
	}
}

// BenchmarkSpawn is a small C guest from spawn to Down, with its line of output.
func BenchmarkSpawn(b *testing.B) {
	n := newNode(b, "")
	hello := example(b, "hello-c")
	for b.Loop() {
		if got := n.start(hello, engine.Spec{}).end(b); got.Word != engine.Normal {
			b.Fatal(got)
		}
	}
}

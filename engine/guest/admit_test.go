package guest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
)

// command returns a command that does nothing, with the given table and memory
// sections, in hex.
func command(t testing.TB, sections string) []byte {
	t.Helper()
	return fromHex(t, "0061736d01000000"+"010401600000"+"03020100"+sections+"070a01065f73746172740000"+"0a040102000b")
}

// What Check says of a module, and that it is what a process of it ends with.
func TestCheck(t *testing.T) {
	n := newNode(t, "")
	for _, c := range []struct {
		name   string
		module []byte
		limit  uint64
		want   engine.Word // "" passes
		detail string      // is in the reason's
	}{
		{name: "command", module: example(t, "hello-c")},
		{name: "library", module: example(t, "kate")},
		{name: "memory at the limit", module: fromHex(t, muchMemory), limit: 125 << 20},
		{name: "memory above the limit", module: fromHex(t, muchMemory), limit: 125<<20 - 1, want: engine.Memory, detail: "raise it with --memory"},
		{name: "memory above the default", module: fromHex(t, muchMemory), want: engine.Memory, detail: "its limit is 64 MiB"},
		{name: "import with another signature", module: fromHex(t, wrongImport), want: engine.ModuleInvalid,
			detail: "function wasi_snapshot_preview1.fd_write (i64) -> (), but this host's is (i32, i32, i32, i32) -> i32"},
		{name: "import that is not offered", module: fromHex(t, foreignImport), want: engine.ModuleInvalid,
			detail: "function env.x (i32) -> i64, which this host does not offer"},
		{name: "two memories", module: command(t, "05050200010001"), want: engine.ModuleInvalid, detail: "2 memories"},
		{name: "64-bit memory", module: command(t, "0503010401"), want: engine.ModuleInvalid, detail: "64-bit memory"},
		{name: "shared memory", module: command(t, "050401030102"), want: engine.ModuleInvalid, detail: "shared memory"},
		{name: "tables at the limit", module: command(t, "0406017000c0843d")},
		{name: "tables above the limit", module: command(t, "0409027000c0843d6f0001"), want: engine.ModuleInvalid,
			detail: "tables have 1000001 elements from the start, the limit is 1000000"},
		{name: "empty", want: engine.ModuleInvalid, detail: "empty file"},
		{name: "text", module: []byte("hello"), want: engine.ModuleInvalid, detail: "not WebAssembly"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := guest.Check(c.module, c.limit)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var why engine.Reason
			if !errors.As(err, &why) || why.Word != c.want || !strings.Contains(why.Detail, c.detail) || strings.Contains(why.Detail, "\n") {
				t.Fatalf("got %v", err)
			}
			if got := n.start(c.module, engine.Spec{Limits: engine.Limits{Memory: c.limit}}).end(t); got != why {
				t.Errorf("Check: %+v, the process: %+v", why, got)
			}
		})
	}
}

package guest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/image"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// noHost offers no host functions.
type noHost struct{}

func (noHost) Instantiate(context.Context, wazero.Runtime) error { return nil }

func (noHost) Enter(ctx context.Context, _ *engine.Process) (context.Context, func()) {
	return ctx, func() {}
}

func (noHost) EnterInit(ctx context.Context, _ *engine.Process) (context.Context, func() abi.Init) {
	return ctx, func() abi.Init { return abi.Init{} }
}

func (noHost) Initialized(context.Context, abi.Init) {}

func (noHost) Handling(context.Context, *engine.Message) uint32 { return 0 }

func newTestRuntime(t testing.TB) *runtime {
	t.Helper()
	r := New(Config{Host: noHost{}})
	rt, err := r.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// compiled returns the entry of a module, whose sections are in hex.
func (t *runtime) compiled(tt testing.TB, sections string) *entry {
	tt.Helper()
	b, err := hex.DecodeString("0061736d01000000" + sections)
	if err != nil {
		tt.Fatal(err)
	}
	e, err := t.modules.get(context.Background(), moduleData(b), engine.Origin{})
	if err != nil {
		tt.Fatal(err)
	}
	tt.Cleanup(func() { t.modules.release(e) })
	return e
}

func (t *runtime) instance(tt testing.TB, e *entry) *instance {
	tt.Helper()
	i, err := t.get(context.Background(), e, nil, DefaultMemory)
	if err != nil {
		tt.Fatal(err)
	}
	return i
}

// used returns a copy of all of an instance's memory.
func (i *instance) used() []byte { return bytes.Clone(i.mem.b[:i.mem.size]) }

// Memories, and data of 2 bytes at 0x10 and at the address.
const (
	onePage      = "0503010001"
	twoPages     = "050401010102" // at most two
	noPages      = "0503010000"
	sixteenPages = "0503010010"
)

// module returns the sections of an empty command with a memory and data.
func module(memory, data string) string {
	return "010401600000" + "03020100" + memory + "070a01065f73746172740000" + "0a040102000b" + data
}

func dataAt(address int) string {
	at := fmt.Sprintf("%02x%02x%02x", address&0x7f|0x80, address>>7&0x7f|0x80, address>>14)
	return "0b1102" + "0041100b026162" + "0041" + at + "0b026364"
}

// An instance that is put back is the same instance, and as new.
func TestReset(t *testing.T) {
	for _, c := range []struct {
		name string
		code string
		grow []uint32 // pages, one after the other
		kept bool
	}{
		{"no memory", module("", ""), nil, true},
		{"an empty memory", module(noPages, ""), nil, true},
		{"an empty memory that grows", module(noPages, ""), []uint32{1}, true},
		{"a slot", module(onePage, dataAt(40000)), nil, true},
		{"a slot that grows", module(onePage, dataAt(40000)), []uint32{2}, true},
		{"out of the slot", module(onePage, dataAt(40000)), []uint32{20}, true},
		{"far out of the slot", module(onePage, dataAt(40000)), []uint32{7, 1, 300}, true},
		{"a reservation", module(sixteenPages, dataAt(40000)), nil, true},
		{"a reservation that grows", module(sixteenPages, dataAt(40000)), []uint32{10, 200}, true},
		{"a mapped image", module(sixteenPages, dataAt(500000)), nil, true},
		{"a mapped image that grows", module(sixteenPages, dataAt(500000)), []uint32{10}, true},
		{"a mapped image that grows far", module(sixteenPages, dataAt(500000)), []uint32{10, 200}, true},
		{"at its maximum", module(twoPages, ""), []uint32{1}, false},
		{"a start function", "010401600000" + "03020100" + "080100" + "0a040102000b", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt := newTestRuntime(t)
			e := rt.compiled(t, c.code)
			i := rt.instance(t, e)
			fresh := i.used()
			if strings.Contains(c.code, "026162") && (!bytes.Equal(fresh[16:18], []byte("ab")) || bytes.Count(fresh, []byte{0}) != len(fresh)-4) {
				t.Fatal("the initial memory is wrong")
			}
			for round := range 3 {
				for _, n := range c.grow {
					if _, ok := i.mod.Memory().Grow(n); !ok {
						t.Fatal("the memory does not grow")
					}
				}
				for at := range i.mem.b[:i.mem.size] {
					i.mem.b[at] = 0xee
				}
				most := max(i.mem.size, uint64(len(fresh)))
				rt.put(i, true)
				if got := len(e.idle) == 1; got != c.kept || i.mod.IsClosed() == c.kept {
					t.Fatalf("kept: %v, closed: %v", got, i.mod.IsClosed())
				}
				if !c.kept {
					return
				}
				if again := rt.instance(t, e); again != i {
					t.Fatal("another instance")
				}
				if !bytes.Equal(i.used(), fresh) || len(fresh) > 0 && int(i.mod.Memory().Size()) != len(fresh) {
					t.Fatalf("round %d: the memory is not as new", round)
				}
				for at, v := range i.mem.b[len(fresh):most] {
					if v != 0 {
						t.Fatalf("round %d: byte %d behind the memory is %d", round, at, v)
					}
				}
			}
			rt.put(i, false)
			if !i.mod.IsClosed() || len(e.idle) != 0 {
				t.Error("an instance that was stopped is kept")
			}
		})
	}
}

// The bounds of the pool hold, the one that was idle longest goes first, and a
// module that is given up takes its instances with it.
func TestPool(t *testing.T) {
	rt := newTestRuntime(t)
	a, b := rt.compiled(t, module("", "")), rt.compiled(t, module(onePage, ""))
	var all []*instance
	all = append(all, rt.instance(t, b))
	for range maxIdleInstances + 1 {
		all = append(all, rt.instance(t, a))
	}
	for _, i := range all {
		rt.put(i, true)
	}
	for n, i := range all {
		if got := i.mod.IsClosed(); got != (n < 2) {
			t.Fatalf("instance %d is closed: %v", n, got)
		}
	}
	if rt.pool.count != maxIdleInstances || len(b.idle) != 0 {
		t.Errorf("%d instances, %d of the module used first", rt.pool.count, len(b.idle))
	}
	rt.pool.drop(a)
	if rt.pool.count != 0 || rt.pool.bytes != 0 || rt.pool.oldest != nil || rt.pool.newest != nil || !all[2].mod.IsClosed() {
		t.Errorf("after the module was given up: %d instances, %d bytes", rt.pool.count, rt.pool.bytes)
	}
	large := rt.compiled(t, module("050401008001", "")) // 8 MiB
	all = nil
	for range 20 {
		all = append(all, rt.instance(t, large))
	}
	for _, i := range all {
		rt.put(i, true)
	}
	if rt.pool.count != 20 || rt.pool.bytes > maxIdleBytes {
		t.Errorf("%d instances of 8 MiB count for %d bytes", rt.pool.count, rt.pool.bytes)
	}
	rt.pool.drain()
	if rt.pool.count != 0 || rt.pool.bytes != 0 {
		t.Errorf("%d instances, %d bytes are left", rt.pool.count, rt.pool.bytes)
	}
}

// What nobody used for a while is given up.
func TestPoolExpires(t *testing.T) {
	rt := newTestRuntime(t)
	e := rt.compiled(t, module("", ""))
	one, two := rt.instance(t, e), rt.instance(t, e)
	rt.put(one, true)
	rt.put(two, true)
	rt.pool.expire()
	if again := rt.instance(t, e); again != two {
		t.Fatal("not the one that was used last")
	}
	rt.put(two, true)
	for _, c := range []struct{ one, two bool }{{true, false}, {true, true}} {
		rt.pool.expire()
		if one.mod.IsClosed() != c.one || two.mod.IsClosed() != c.two {
			t.Errorf("closed are %v and %v, want %+v", one.mod.IsClosed(), two.mod.IsClosed(), c)
		}
	}
	if rt.pool.timer != nil {
		t.Error("the timer runs while nothing is idle")
	}
}

// What the examples become on their way to the compiler can be put back.
func TestExamplesResettable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "wasm-examples", "*", "*.wasm"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code, err := metered(b)
		if err != nil {
			t.Fatal(err)
		}
		if im := image.Split(code); !im.Resettable || len(im.Globals) == 0 {
			t.Errorf("%s: %s", file, im.Why)
		}
	}
}

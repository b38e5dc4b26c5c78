package guest

import (
	"bytes"
	"testing"

	"github.com/wnode-project/wnode/engine/guest/image"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// FuzzSnapshot takes the state of an instance and has another one begin with it:
// memories and globals are equal, also when that was used and put back.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte("one"), uint32(70_000), uint8(0), uint64(1))
	f.Add(bytes.Repeat([]byte("many"), 60_000), uint32(3), uint8(20), uint64(1<<63))
	f.Add([]byte{}, uint32(0), uint8(0), uint64(0))
	f.Add([]byte{1}, uint32(1<<20-1), uint8(15), uint64(7))
	rt := newTestRuntime(f)
	// A page of memory and data, and a global: what the meter adds.
	e := rt.compiled(f, module(onePage, dataAt(40000)))
	other := bytes.Repeat([]byte{0xee}, 64*pageSize)
	f.Fuzz(func(t *testing.T, data []byte, at uint32, grow uint8, global uint64) {
		i := rt.instance(t, e)
		if grow %= 32; grow > 0 {
			if _, ok := i.mod.Memory().Grow(uint32(grow)); !ok {
				t.Fatal("the memory does not grow")
			}
		}
		b := i.mem.b[:i.mem.size]
		copy(b[int(at)%len(b):], data)
		for _, g := range i.globals {
			g.Set(global)
		}
		want := i.used()
		x := &snapshot{view: view{of: e}}
		x.entry = &entry{found: found{admitted: admitted{memory: i.mem.size}, code: e.code, initial: newInitial(i.capture(), i.mem.size), library: library{snapshot: x}}}
		clear(b) // it refers to nothing of the instance
		i.close()
		defer x.entry.initial.close()
		defer rt.pool.drop(x.entry)

		i = rt.instance(t, x.entry)
		for round := range 2 {
			if !bytes.Equal(i.used(), want) || int(i.mod.Memory().Size()) != len(want) {
				t.Fatalf("round %d: another memory", round)
			}
			for _, g := range i.globals {
				if g.Get() != global {
					t.Fatalf("round %d: a global is %d, want %d", round, g.Get(), global)
				}
				g.Set(^global)
			}
			if _, ok := i.mod.Memory().Grow(uint32(grow) + 1); !ok {
				t.Fatal("the memory does not grow")
			}
			copy(i.mem.b[:i.mem.size], other)
			rt.put(i, true)
			if i = rt.instance(t, x.entry); len(i.globals) == 0 {
				t.Fatal("no globals")
			}
		}
		i.close()
	})
}

// Snapshots are bounded in number and bytes, the one that was unused longest
// goes first, and one that is in use stays as it is until it is put back.
func TestSnapshotsBounded(t *testing.T) {
	rt := newTestRuntime(t)
	e := rt.compiled(t, module(onePage, dataAt(40000)))
	s := &rt.snaps
	yes := func() bool { return true }
	add := func(name string, size uint64) *snapshot {
		t.Helper()
		v := view{of: e, name: name}
		if x, take := s.use(v, yes); x != nil || !take {
			t.Fatalf("%s is there already", name)
		}
		if x, take := s.use(v, yes); x != nil || take {
			t.Fatalf("%s is taken twice", name)
		}
		x := &snapshot{view: v, bytes: size, users: 1}
		im := &image.Image{Resettable: true, Globals: e.initial.globals, Data: []image.Segment{{Offset: 0, Bytes: bytes.Repeat([]byte("x"), 60_000)}}}
		x.entry = &entry{found: found{admitted: e.admitted, code: e.code, initial: newInitial(im, e.memory), library: library{snapshot: x}}}
		s.kept(x)
		return x
	}
	there := func(name string) bool {
		x, _ := s.use(view{of: e, name: name}, func() bool { return false })
		if x != nil {
			s.release(x)
		}
		return x != nil
	}
	one := add("one", 1)
	used, idle := rt.instance(t, one.entry), rt.instance(t, one.entry)
	rt.put(idle, true)
	s.release(add("two", 1))
	for n := range maxSnapshots - 2 {
		s.release(add(string(rune('a'+n)), 1))
	}
	if !there("one") || !there("two") {
		t.Fatal("given up too soon")
	}
	s.release(add("more", 1)) // "one" and "two" were used after "a"
	if there("a") || !there("two") || !there("one") {
		t.Error("not the one that was unused longest is given up")
	}
	s.release(add("large", maxSnapshotBytes))
	if s.bytes > maxSnapshotBytes || s.order.Len() != 1 || there("one") {
		t.Errorf("%d snapshots of %d bytes", s.order.Len(), s.bytes)
	}
	if !idle.mod.IsClosed() || used.mod.IsClosed() {
		t.Error("closed are not just the idle instances")
	}
	for at := range used.mem.b[:used.mem.size] {
		used.mem.b[at] = 1
	}
	rt.put(used, true)
	if used.mod.IsClosed() || used.mem.b[0] != 'x' {
		t.Error("what is in use is gone")
	}
	s.release(one)
	if !used.mod.IsClosed() {
		t.Error("what its last user put back stays")
	}
	s.drop(e)
	if len(s.byView) != 0 || s.bytes != 0 || rt.pool.count != 0 {
		t.Errorf("a module that is given up leaves %d snapshots, %d instances", len(s.byView), rt.pool.count)
	}
}

// What _initialize may do if others are to begin with its outcome.
func TestFrozen(t *testing.T) {
	random := abi.Init{Looks: abi.LooksRandom, RandomCalls: 1, RandomBytes: goSeed}
	for _, c := range []struct {
		name string
		lib  library
		did  abi.Init
		ok   bool
	}{
		{"nothing", library{}, abi.Init{}, true},
		{"looks", library{}, abi.Init{Looks: abi.LooksClock | abi.LooksArgs | abi.LooksEnv | abi.LooksMounts}, true},
		{"acts", library{reseeds: true}, abi.Init{Acted: "fd_write"}, false},
		{"reads random bytes", library{}, random, false},
		{"reads random bytes and reseeds", library{reseeds: true}, random, true},
		{"Go's seed", library{goSeeds: true}, random, true},
		{"Go's seed and a secret", library{goSeeds: true}, abi.Init{Looks: abi.LooksRandom, RandomCalls: 2, RandomBytes: 2 * goSeed}, false},
		{"a larger one", library{goSeeds: true}, abi.Init{Looks: abi.LooksRandom, RandomCalls: 1, RandomBytes: 2 * goSeed}, false},
	} {
		if why := c.lib.frozen(c.did); (why == "") != c.ok {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

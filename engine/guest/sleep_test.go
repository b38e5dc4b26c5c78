package guest

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Whatever a memory became, the difference makes it that again from what it was,
// if it is not too large to be one.
func TestDiffAndPatch(t *testing.T) {
	zero := make([]byte, osPage)
	rapid.Check(t, func(t *rapid.T) {
		const pages = 4
		in := &initial{low: osPage, data: rapid.SliceOfN(rapid.Byte(), osPage, osPage).Draw(t, "initial"), memory: pages * osPage}
		start := func() []byte {
			b := make([]byte, in.memory)
			copy(b[in.low:], in.data)
			return b
		}
		b := start()
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			copy(b[at:], rapid.SliceOfN(rapid.Byte(), 0, 2*gap).Draw(t, "bytes"))
		}
		d, ok := in.diff(b, zero)
		if !ok {
			t.Fatalf("a difference of so few bytes takes too much")
		}
		got := start()
		if patch(got, d); !bytes.Equal(got, b) {
			t.Fatal("another memory")
		}
	})
	in := &initial{}
	if _, ok := in.diff(bytes.Repeat([]byte{1}, 4*osPage), zero); ok {
		t.Error("a memory that is all different was kept as a difference")
	}
	if d, ok := in.diff(make([]byte, 4*osPage), zero); !ok || len(d) != 0 {
		t.Errorf("an equal memory differs by %d bytes", len(d))
	}
}

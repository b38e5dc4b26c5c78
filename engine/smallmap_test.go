package engine

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// A smallMap does what a map does.
func TestSmallMap(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var m smallMap[int, int]
	want := map[int]int{}
	for i := range 10_000 {
		k := r.IntN(4)
		switch r.IntN(3) {
		case 0:
			m.set(k, i)
			want[k] = i
		case 1:
			_, there := want[k]
			delete(want, k)
			if m.delete(k) != there {
				t.Fatalf("seed %d, step %d: delete(%d) is not %v", seed, i, k, there)
			}
		case 2:
			v, ok := m.get(k)
			if w, there := want[k]; v != w || ok != there {
				t.Fatalf("seed %d, step %d: get(%d) is %d %v, want %d %v", seed, i, k, v, ok, w, there)
			}
		}
		if got := maps.Collect(m.all()); !maps.Equal(got, want) {
			t.Fatalf("seed %d, step %d: %v, want %v", seed, i, got, want)
		}
	}
}

package guest

import (
	"slices"
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// compileSlots bounds how many compilations run at once, and is fair: an origin
// has at most one of them, whoever else waits, as a compilation cannot be called
// off for one who comes later. Among those that may go the first goes first.
type compileSlots struct {
	mu      sync.Mutex
	free    int
	busy    map[engine.Origin]bool
	waiting []*turn
}

// turn is a compilation that waits for its slot, or has it.
type turn struct {
	origins []engine.Origin // who wants it
	by      engine.Origin   // whose slot it has, once it has one
	granted chan struct{}   // closed when it has one
}

func newCompileSlots(n int) *compileSlots {
	return &compileSlots{free: n, busy: map[engine.Origin]bool{}}
}

// queue asks for a slot. It is there when granted is closed, and is given back
// with release.
func (s *compileSlots) queue(o engine.Origin) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &turn{origins: []engine.Origin{o}, granted: make(chan struct{})}
	s.waiting = append(s.waiting, t)
	s.grant()
	return t
}

// join says that another origin wants the same: it need not wait for what else
// the first one has compiled.
func (s *compileSlots) join(t *turn, o engine.Origin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.waiting, t) && !slices.Contains(t.origins, o) {
		t.origins = append(t.origins, o)
		s.grant()
	}
}

func (s *compileSlots) release(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, t.by)
	s.free++
	s.grant()
}

// grant gives out what slots there are. s.mu is held.
func (s *compileSlots) grant() {
	for i := 0; i < len(s.waiting) && s.free > 0; {
		t := s.waiting[i]
		k := slices.IndexFunc(t.origins, func(o engine.Origin) bool { return !s.busy[o] })
		if k < 0 {
			i++
			continue
		}
		t.by = t.origins[k]
		s.busy[t.by] = true
		s.free--
		s.waiting = slices.Delete(s.waiting, i, i+1)
		close(t.granted)
	}
}

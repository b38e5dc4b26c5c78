package guest

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Bounds of the servers that are idle and have an instance. Beyond them the one
// that was idle longest sleeps: it keeps only what differs from the state that an
// instance begins with.
const (
	maxAwake      = 256
	maxAwakeBytes = 64 << 20
	// awakeTime is how long one is awake at least, and half of how long at most.
	awakeTime = 5 * time.Second
	// gap is how many equal bytes end a run of those that differ.
	gap = 8
)

// asleep is what a server keeps of its instance while it sleeps.
type asleep struct {
	globals []uint64 // as of initial.globals
	size    uint64   // of the memory, in bytes
	// Where the memory differs from the initial one: how many bytes are equal and
	// how many are not, both uvarint, then these.
	diff []byte
}

// sleep takes the instance away from an idle server, if it can be put back.
func (s *server) sleep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || s.inst == nil || !s.inst.of.initial.resettable || s.inst.mod.IsClosed() {
		return
	}
	i := s.inst
	state := &asleep{size: i.mem.size, globals: make([]uint64, len(i.globals))}
	for n, g := range i.globals {
		state.globals[n] = g.Get()
	}
	var ok bool
	if state.diff, ok = i.of.initial.diff(i.mem.b[:i.mem.size], i.mem.from.zero); !ok {
		return // it would not be less
	}
	s.inst, s.state = nil, state
	s.report.MaxMemory = max(s.report.MaxMemory, state.size)
	s.p.UseMemory(uint64(len(state.diff)))
	s.t.put(i, true)
}

// wake gives it an instance again, on its own goroutine.
func (s *server) wake() error {
	i, err := s.t.get(s.ctx, s.code, s.p, s.limit)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if more := s.state.size - i.mem.size; s.state.size > i.mem.size {
		if _, ok := i.mod.Memory().Grow(uint32(more / wasmPage)); !ok {
			i.close()
			return engine.Reasonf(engine.SystemLimit, "no memory for the process")
		}
	}
	patch(i.mem.b, s.state.diff)
	for n, g := range i.globals {
		g.Set(s.state.globals[n])
	}
	s.inst, s.state = i, nil
	return nil
}

const wasmPage = 64 << 10

// diff returns where b differs from the initial memory, false if that takes more
// than half of it. zero is a page of zeros.
func (in *initial) diff(b, zero []byte) (d []byte, ok bool) {
	most := max(len(b)/2, osPage)
	equal := 0 // bytes since the last that differed
	for at := 0; at < len(b); at += osPage {
		page, want := b[at:at+osPage], in.page(uint64(at), zero)
		if bytes.Equal(page, want) {
			equal += osPage
			continue
		}
		for n := 0; n < osPage; {
			if page[n] == want[n] {
				n++
				equal++
				continue
			}
			begin := n
			for same := 0; n < osPage && same < gap; n++ {
				if page[n] == want[n] {
					same++
				} else {
					same = 0
				}
			}
			end := n
			for page[end-1] == want[end-1] {
				end--
			}
			d = binary.AppendUvarint(d, uint64(equal))
			d = binary.AppendUvarint(d, uint64(end-begin))
			d = append(d, page[begin:end]...)
			equal = n - end
		}
		if len(d) > most {
			return nil, false
		}
	}
	return bytes.Clone(d), true // no more than it takes
}

// patch makes the initial memory in b what diff was made of.
func patch(b, d []byte) {
	at := uint64(0)
	for len(d) > 0 {
		equal, n := binary.Uvarint(d)
		size, m := binary.Uvarint(d[n:])
		d = d[n+m:]
		at += equal
		copy(b[at:at+size], d[:size])
		at += size
		d = d[size:]
	}
}

// awake lists the servers that are idle and have an instance, by how long they
// are idle.
type awake struct {
	mu             sync.Mutex
	closed         bool
	oldest, newest *server
	count          int
	bytes          uint64
	age            uint64      // calls of expire
	timer          *time.Timer // calls expire; nil while the list is empty
}

// add lists a server, and puts those to sleep that are too many.
func (a *awake) add(s *server) {
	var tired []*server
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	s.older, s.newer, s.listed, s.since = a.newest, nil, true, a.age
	if a.newest != nil {
		a.newest.newer = s
	} else {
		a.oldest = s
	}
	a.newest = s
	a.count++
	a.bytes += s.inst.mem.size
	for a.count > maxAwake || a.bytes > maxAwakeBytes && a.count > 1 {
		tired = append(tired, a.oldest)
		a.unlink(a.oldest)
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(awakeTime, a.expire)
	}
	a.mu.Unlock()
	for _, s := range tired {
		s.sleep()
	}
}

// remove takes a server out that has something to do, or ends.
func (a *awake) remove(s *server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.listed {
		a.unlink(s)
	}
}

// unlink takes a server out. a.mu is held.
func (a *awake) unlink(s *server) {
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		a.oldest = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		a.newest = s.older
	}
	s.older, s.newer, s.listed = nil, nil, false
	a.count--
	a.bytes -= s.inst.mem.size
}

// expire puts those to sleep that have been idle since before the last call.
func (a *awake) expire() {
	var tired []*server
	a.mu.Lock()
	a.age++
	for a.oldest != nil && a.oldest.since+1 < a.age {
		tired = append(tired, a.oldest)
		a.unlink(a.oldest)
	}
	if a.timer = nil; a.oldest != nil && !a.closed {
		a.timer = time.AfterFunc(awakeTime, a.expire)
	}
	a.mu.Unlock()
	for _, s := range tired {
		s.sleep()
	}
}

// close lets no more be put to sleep. No server is left.
func (a *awake) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

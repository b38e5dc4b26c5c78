package guest

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// maxJournal is how many bytes a journal may have before the next host call
// waits for the compiler.
const maxJournal = 1 << 20

// A journal moves a run from the interpreter to the compiled code, at a host
// call. It holds all that the first instance has seen and done outside itself:
// its host calls, what they read of its memory, and what they wrote there. A
// second instance begins anew and gets from the journal what the first one got,
// so that none of its calls is done again. Where the journal ends it goes on
// alone, and the first one ends at its next call.
//
// That is right whatever the two tiers differ in: the second instance is itself
// a whole run with these answers, and each of its calls was compared, with the
// bytes that it shows to the host. If one differs it is the second that ends.
type journal struct {
	seed maphash.Seed

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, at each change
	calls   []journalCall
	size    int
	busy    bool // the first instance is in a host call
	owner   role
	over    bool // the owner has ended, and nothing may be done any more
	failed  bool // the second one has given up: the first goes on to its end
}

type role int

const (
	first  role = iota // in the interpreter
	second             // compiled
)

type journalCall struct {
	function int
	args     []uint64
	results  []uint64
	reads    []journalRead
	writes   []journalWrite
}

type journalRead struct {
	offset, size uint32
	sum          uint64
}

type journalWrite struct {
	offset uint32
	bytes  []byte
}

func newJournal() *journal {
	return &journal{seed: maphash.MakeSeed(), changed: make(chan struct{})}
}

// change wakes who waits. j.mu is held.
func (j *journal) change() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// giveUp says that there will be no second instance.
func (j *journal) giveUp() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.owner == first {
		j.failed, j.calls = true, nil
		j.change()
	}
}

// finish claims the end of the run: it says whether it is this side's to say
// what it ended with.
func (s *side) finish() bool {
	j := s.j
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.over:
		return j.owner == s.role && s.claimed()
	case j.owner == s.role:
	case s.role == second && !j.busy && !j.failed && s.next == len(j.calls):
		j.owner = second // it ends before its next call
	default:
		return false
	}
	j.over = true
	j.change()
	return true
}

func (s *side) claimed() bool { return s.panicked }

// side is one of the two instances of a run. It is the context of all its
// calls, the outermost, so that host functions find it.
type side struct {
	context.Context                 // done when it is to end
	host            context.Context // what host functions get
	j               *journal
	role            role
	stopFirst       func() // of the second

	live     bool // of the second: the journal is behind it
	next     int  // of the second: the call to be replayed
	panicked bool // of the first: a host function has ended the guest

	mod     *journalModule // of the first
	touched []journalRead  // by the call under way
}

// unwind ends the guest of this side.
func (s *side) unwind() { panic(sys.NewExitError(exitReplaced)) }

// exitReplaced is the exit code of an instance that is not wanted any more.
// Nobody sees it.
const exitReplaced = 137

func (s *side) call(h *hostFunction, mod api.Module, stack []uint64) {
	switch {
	case s.live:
		h.call.Call(s.host, mod, stack)
	case s.role == second:
		s.replay(h, mod, stack)
	default:
		s.record(h, mod, stack)
	}
}

// record does a call of the first instance.
func (s *side) record(h *hostFunction, mod api.Module, stack []uint64) {
	j := s.j
	j.mu.Lock()
	for j.owner == first && j.size > maxJournal && !j.failed {
		s.wait()
	}
	if j.owner != first {
		j.mu.Unlock()
		s.unwind()
	}
	j.busy = true
	recording := !j.failed
	j.mu.Unlock()

	c := journalCall{function: h.number, args: h.args(stack)}
	done := false
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.busy = false
		switch {
		case !done: // it has ended the guest, perhaps half way: nobody does it again
			j.over, s.panicked = true, true
		case recording && !j.failed:
			j.calls = append(j.calls, c)
			j.size += c.size()
		}
		j.change()
	}()
	if !recording {
		h.call.Call(s.host, mod, stack)
		done = true
		return
	}
	if s.mod == nil {
		s.mod = &journalModule{Module: mod, s: s}
	}
	s.touched = s.touched[:0]
	h.call.Call(s.host, s.mod, stack)
	c.results = append(c.results, stack[:h.results]...)
	c.reads = append(c.reads, s.touched...)
	for _, r := range s.touched {
		b, _ := mod.Memory().Read(r.offset, r.size)
		if maphash.Bytes(j.seed, b) != r.sum {
			c.writes = append(c.writes, journalWrite{r.offset, append([]byte(nil), b...)})
		}
	}
	done = true
}

// wait releases j.mu until the journal changes, or unwinds. j.mu is held.
func (s *side) wait() {
	changed := s.j.changed
	s.j.mu.Unlock()
	select {
	case <-changed:
	case <-s.Done():
		s.unwind()
	}
	s.j.mu.Lock()
}

// replay answers a call of the second instance from the journal, or takes over.
func (s *side) replay(h *hostFunction, mod api.Module, stack []uint64) {
	j := s.j
	j.mu.Lock()
	for s.next == len(j.calls) && j.busy && !j.over && !j.failed {
		s.wait()
	}
	switch {
	case j.over || j.failed:
		j.mu.Unlock()
		s.unwind()
	case s.next == len(j.calls):
		j.owner, s.live = second, true
		j.calls = nil
		j.change()
		j.mu.Unlock()
		s.stopFirst()
		h.call.Call(s.host, mod, stack)
		return
	}
	c := &j.calls[s.next]
	s.next++
	j.mu.Unlock()
	if !c.same(j.seed, h, mod, stack) {
		j.giveUp()
		s.unwind()
	}
	for _, w := range c.writes {
		mod.Memory().Write(w.offset, w.bytes)
	}
	copy(stack, c.results)
}

// args returns the arguments of a call. wazero leaves the upper half of those of
// 32 bits unspecified.
func (h *hostFunction) args(stack []uint64) []uint64 {
	out := make([]uint64, len(h.params))
	for i, t := range h.params {
		out[i] = stack[i]
		if t == api.ValueTypeI32 || t == api.ValueTypeF32 {
			out[i] = uint64(uint32(stack[i]))
		}
	}
	return out
}

// same says whether a call is the one in the journal.
func (c *journalCall) same(seed maphash.Seed, h *hostFunction, mod api.Module, stack []uint64) bool {
	if h.number != c.function {
		return false
	}
	for i, a := range h.args(stack) {
		if a != c.args[i] {
			return false
		}
	}
	for _, r := range c.reads {
		b, ok := mod.Memory().Read(r.offset, r.size)
		if !ok || maphash.Bytes(seed, b) != r.sum {
			return false
		}
	}
	return true
}

func (c *journalCall) size() int {
	n := 128 + 8*(len(c.args)+len(c.results)) + 16*len(c.reads)
	for _, w := range c.writes {
		n += 32 + len(w.bytes)
	}
	return n
}

package guest

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
)

// maxJournal is how many bytes a journal may have before the next host call
// waits for the compiler.
const maxJournal = 1 << 20

// A journal moves a run from the interpreter to the compiled code. It holds all that the first instance has seen and done outside itself:
// its host calls, what they read of its memory, and what they wrote there. A
// second instance begins anew and gets from the journal what the first one got,
// so that none of its calls is done again. Where the journal ends it goes on
// alone: at the next call, or before, when it has done as much as the first one,
// which ends then. What the meter asks its host is not in the journal: each tier
// counts for itself, and both count the same.
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
	over    bool   // the owner has ended, and nothing may be done any more
	failed  bool   // the second one has given up: the first goes on to its end
	count   uint64 // reductions of the owner, when it was last seen
	memory  uint64 // bytes: what the larger of the two instances has
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
		return j.owner == s.role && s.claimed
	case j.owner == s.role:
	case s.level():
		s.takeOver() // it ends before its next call
	default:
		return false
	}
	j.over = true
	j.change()
	return true
}

// level says whether the second side has done all the calls that the first one
// has, which is in none. s.j.mu is held.
func (s *side) level() bool {
	j := s.j
	return s.role == second && j.owner == first && !j.busy && !j.over && !j.failed && s.next == len(j.calls)
}

// takeOver makes the second side the one that goes on. s.j.mu is held.
func (s *side) takeOver() {
	s.j.owner, s.j.calls, s.live = second, nil, true
	s.tookOver()
	s.j.change()
}

// counted says how many reductions a side has done. One that runs beside the
// other and is not behind it takes over, so that not both go on for long.
func (s *side) counted(n uint64) {
	j := s.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.level() && n >= j.count {
		s.takeOver()
	}
	if j.owner == s.role {
		j.count = n
		s.run.p.SetReductions(n)
	}
}

// wanted says whether a side is to go on.
func (s *side) wanted() bool {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	return s.j.owner == s.role || s.role == second && !s.j.over && !s.j.failed
}

// Kill ends the process for what its guest did, in whichever tier it did so
// first. A side that is not wanted any more, or that differs from the other,
// ends no more than itself.
func (s *side) Kill(why engine.Reason) {
	if s.finish() {
		s.claimed = true
		s.run.p.Kill(why)
	} else if s.role == second {
		s.j.giveUp()
	}
}

// UseMemory is as of engine.Process. The two instances count as one, the larger:
// what a guest may do must not depend on how it is run.
func (s *side) UseMemory(n uint64) bool {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	if n <= s.j.memory {
		return true
	}
	s.j.memory = n
	return s.run.p.UseMemory(n)
}

// side is one of the two instances of a run. It is the context of all its
// calls, the outermost, so that host functions find it.
type side struct {
	context.Context // its run, or one derived from that
	run             *run
	host            context.Context // what host functions get
	j               *journal
	role            role
	tookOver        func() // of the second: tells that it is the owner; j.mu is held

	live    bool // of the second: the journal is behind it
	next    int  // of the second: the call to be replayed
	claimed bool // it has ended the run, and unwinds

	mod     *journalModule // of the first
	touched []journalRead  // by the call under way
}

func newSide(j *journal, of role, r *run, host context.Context) *side {
	s := &side{Context: r, run: r, host: host, j: j, role: of}
	r.side = s
	return s
}

// unwind ends the guest of this side.
func (s *side) unwind() { panic(sys.NewExitError(exitKilled)) }

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
			j.over, s.claimed = true, true
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

// wait releases j.mu, and the slot, until the journal changes, or unwinds. j.mu is
// held.
func (s *side) wait() {
	changed := s.j.changed
	s.j.mu.Unlock()
	s.run.turn.Pause()
	select {
	case <-changed:
	case <-s.Done():
	}
	s.run.turn.Resume()
	if s.Err() != nil {
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
		s.takeOver()
		j.mu.Unlock()
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

package guest

import (
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wnode-project/wnode/engine"
)

// maxCompared is up to which size a memory that was used is compared with what
// it was.
const maxCompared = 8 << 20

// memory is the linear memory of one instance, outside the Go heap: a slot
// while it is small, else a reservation that grows in place. It begins with the
// module's initial data and can be put back to it. One goroutine uses it at a
// time.
type memory struct {
	from    *spaces
	initial *initial

	// Of the process that runs.
	owner owner // nil: none
	limit uint64

	b      []byte // all that it can grow to in place; nil: none
	size   uint64 // in use
	inSlot bool
	mapped bool // the image is mapped at its start
	resize bool // the next Reallocate is that of instance.resize
}

// owner is the process that a memory is for, or the side of one, which runs in two
// tiers. See engine.Process for the methods.
type owner interface {
	Kill(engine.Reason)
	UseMemory(n uint64) bool
}

var (
	_ owner = (*engine.Process)(nil)
	_ owner = (*side)(nil)
)

var _ experimental.MemoryAllocator = (*memory)(nil)

// newMemory returns the memory of a new instance, with the initial data. The
// limit in bytes is not below the module's minimum.
func newMemory(from *spaces, in *initial, limit uint64) (*memory, error) {
	m := &memory{from: from, initial: in, limit: limit}
	if in.memory == 0 {
		return m, nil // it may grow
	}
	if err := m.alloc(in.memory); err != nil {
		return nil, err
	}
	if in.file != nil {
		m.mapped = true // even if that fails: what is there then is not used again
		if err := in.file.mapTo(m.b); err != nil {
			m.Free()
			return nil, err
		}
	}
	if !m.mapped {
		copy(m.b[in.low:], in.data)
	}
	return m, nil
}

// alloc gets room for n bytes.
func (m *memory) alloc(n uint64) (err error) {
	if m.inSlot = n <= slotSize && m.initial.file == nil; m.inSlot {
		m.b, err = m.from.slot()
	} else {
		m.b, err = m.from.reservation(max(n, m.limit))
	}
	return err
}

// Allocate implements experimental.MemoryAllocator.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory. A nil result makes
// memory.grow answer -1.
func (m *memory) Reallocate(size uint64) []byte {
	if m.resize {
		size = m.initial.memory
	} else if size > m.limit {
		if m.owner != nil {
			m.owner.Kill(engine.Limit(engine.Memory, "%s", engine.SizeText(m.limit)))
		}
		return nil
	}
	if m.owner != nil && !m.owner.UseMemory(size) || size > uint64(len(m.b)) && !m.move(size) {
		return nil
	}
	m.size = size
	if size == 0 {
		return []byte{}
	}
	return m.b[:size:size]
}

// move goes to where there is room for size bytes.
func (m *memory) move(size uint64) bool {
	old := *m
	if err := m.alloc(size); err != nil {
		*m = old
		return false
	}
	copy(m.b, old.b[:old.size])
	m.mapped = false
	old.Free()
	return true
}

// restore makes the used part what it is at the start. If warm it keeps pages
// that were touched, when they are few: getting one anew costs several
// microseconds on a virtual machine. It reports how many bytes they may be.
func (m *memory) restore(warm bool) (held uint64) {
	used := m.b[:m.size]
	if m.size <= slotSize || warm && m.size <= maxCompared {
		m.initial.restore(used, m.from.zero)
		return m.size
	}
	discard(used)
	if m.mapped {
		return 0
	}
	copy(used[m.initial.low:], m.initial.data)
	return uint64(len(m.initial.data))
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	switch b := m.b; {
	case b == nil:
	case m.inSlot:
		m.from.freeSlot(b, m.size)
	default:
		m.from.freeReservation(b, m.size, m.mapped)
	}
	m.b = nil
}

package guest

import (
	"fmt"

	"github.com/tetratelabs/wazero/experimental"
)

// memory allocates the linear memory of one instance outside the Go heap, as
// one reservation that grows in place: growing never copies, and untouched
// pages cost nothing. One goroutine uses it at a time.
type memory struct {
	limit    uint64
	exceeded func() // called when the guest wants more than the limit
	buf      []byte // the whole reservation
	size     uint64 // in use
}

var _ experimental.MemoryAllocator = (*memory)(nil)

// Allocate implements experimental.MemoryAllocator. Admission has refused
// modules whose minimum is above the limit.
func (m *memory) Allocate(capacity, maximum uint64) experimental.LinearMemory {
	n := max(capacity, min(maximum, m.limit))
	m.buf = reserve(n)
	return m
}

// Reallocate implements experimental.LinearMemory. A nil result makes
// memory.grow answer -1.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.buf)) {
		m.exceeded()
		return nil
	}
	m.size = size
	return m.buf[:size]
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	unreserve(m.buf)
	m.buf = nil
}

// bytesText prints a size in the largest unit that divides it.
func bytesText(n uint64) string {
	for _, u := range []struct {
		size uint64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

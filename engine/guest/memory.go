package guest

import (
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// memory allocates the linear memory of one instance outside the Go heap, as
// one reservation that grows in place: growing never copies, and untouched
// pages cost nothing. One goroutine uses it at a time.
type memory struct {
	pool     *memoryPool
	limit    uint64
	exceeded func() // called when the guest wants more than the limit
	buf      []byte // the whole reservation
	size     uint64 // in use
}

var _ experimental.MemoryAllocator = (*memory)(nil)

// Allocate implements experimental.MemoryAllocator. Admission has refused
// modules whose minimum is above the limit.
func (m *memory) Allocate(capacity, maximum uint64) experimental.LinearMemory {
	m.buf = m.pool.get(max(capacity, min(maximum, m.limit)))
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
	return m.buf[:size:size]
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	m.pool.put(m.buf, m.size)
	m.buf = nil
}

const (
	// maxIdleMemories bounds the reservations kept for the next instance, and
	// maxIdleBytes what each may hold on to: unmapping costs more than
	// clearing that much.
	maxIdleMemories = 16
	maxIdleBytes    = 256 << 10
)

// memoryPool keeps reservations of the usual size, all zero again.
type memoryPool struct {
	mu     sync.Mutex
	idle   [][]byte
	closed bool
}

// get returns n zero bytes, with the whole reservation as capacity.
func (p *memoryPool) get(n uint64) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; n <= DefaultMemory && last >= 0 {
		b := p.idle[last]
		p.idle = p.idle[:last]
		return b[:n]
	}
	if n <= DefaultMemory {
		return reserve(DefaultMemory)[:n]
	}
	return reserve(n)
}

// put takes back what get returned; the first used bytes may not be zero.
func (p *memoryPool) put(b []byte, used uint64) {
	if b == nil {
		return
	}
	b = b[:cap(b)]
	if len(b) == DefaultMemory && used <= maxIdleBytes {
		clear(b[:used])
		p.mu.Lock()
		if !p.closed && len(p.idle) < maxIdleMemories {
			p.idle = append(p.idle, b)
			b = nil
		}
		p.mu.Unlock()
	}
	unreserve(b)
}

// close gives up what is idle.
func (p *memoryPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.idle {
		unreserve(b)
	}
	p.idle, p.closed = nil, true
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

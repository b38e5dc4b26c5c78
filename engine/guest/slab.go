package guest

import "sync"

const (
	// slotSize is how much a small memory can grow in place.
	slotSize = 512 << 10
	// slabSize is how much address space slots are carved from at a time: the
	// system bounds the number of mappings of a program (65530 on Linux).
	slabSize = 64 << 20
	// maxWarm is how many free slots keep their pages; the others give them back.
	maxWarm = 64
	// maxSpare is how many free reservations of the usual size are kept.
	maxSpare = 16
)

// spaces is where linear memories come from: slots for small ones, a
// reservation of its own for each larger one. It is safe for concurrent use.
type spaces struct {
	zero []byte // a page of zeros: read only

	mu     sync.Mutex
	closed bool
	slabs  [][]byte
	warm   [][]byte // free slots, all zero, that have pages
	cold   [][]byte // free slots without pages
	spare  [][]byte // free reservations of DefaultMemory, all zero
}

func (s *spaces) init() { s.zero = make([]byte, osPage) }

// slot returns slotSize zero bytes.
func (s *spaces) slot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.warm
	if len(*list) == 0 {
		list = &s.cold
	}
	if len(*list) == 0 {
		slab, err := reserve(slabSize)
		if err != nil {
			return nil, err
		}
		smallPages(slab)
		s.slabs = append(s.slabs, slab)
		for at := slabSize - slotSize; at >= 0; at -= slotSize {
			*list = append(*list, slab[at:at+slotSize:at+slotSize])
		}
	}
	last := len(*list) - 1
	b := (*list)[last]
	*list = (*list)[:last]
	return b, nil
}

// freeSlot takes back a slot whose first used bytes may not be zero.
func (s *spaces) freeSlot(b []byte, used uint64) {
	s.mu.Lock()
	warm := len(s.warm) < maxWarm
	s.mu.Unlock()
	list := &s.cold
	if warm {
		list = &s.warm
		(&initial{}).restore(b[:used], s.zero)
	} else {
		discard(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, b)
}

// reservation returns at least n zero bytes, n above 0.
func (s *spaces) reservation(n uint64) ([]byte, error) {
	if n <= DefaultMemory {
		n = DefaultMemory
		s.mu.Lock()
		if last := len(s.spare) - 1; last >= 0 {
			b := s.spare[last]
			s.spare = s.spare[:last]
			s.mu.Unlock()
			return b, nil
		}
		s.mu.Unlock()
	}
	b, err := reserve(n)
	if err == nil {
		preferHuge(b)
	}
	return b, err
}

// freeReservation takes one back whose first used bytes may not be zero; mapped
// says that an image is there.
func (s *spaces) freeReservation(b []byte, used uint64, mapped bool) {
	if len(b) == DefaultMemory && !mapped {
		discard(b[:used])
		s.mu.Lock()
		if !s.closed && len(s.spare) < maxSpare {
			s.spare = append(s.spare, b)
			b = nil
		}
		s.mu.Unlock()
	}
	unreserve(b)
}

// close gives up all address space; no memory may be in use.
func (s *spaces) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [][][]byte{s.slabs, s.spare} {
		for _, b := range list {
			unreserve(b)
		}
	}
	s.slabs, s.warm, s.cold, s.spare, s.closed = nil, nil, nil, nil, true
}

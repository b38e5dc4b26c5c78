package guest

import (
	"hash/maphash"
	"reflect"

	"github.com/tetratelabs/wazero/api"
)

// journalModule is the module that host functions see while their calls are
// recorded.
type journalModule struct {
	api.Module
	s *side
}

// Memory implements api.Module.
func (m *journalModule) Memory() api.Memory {
	mem := m.Module.Memory()
	if mem == nil || reflect.ValueOf(mem).IsNil() {
		return nil
	}
	return &journalMemory{actual: mem, s: m.s}
}

// journalMemory notes what is looked at or written. See [HostModules] for what
// may be called.
type journalMemory struct {
	api.Memory // nil: what is not below panics
	actual     api.Memory
	s          *side
}

// Size implements api.Memory.
func (m *journalMemory) Size() uint32 { return m.actual.Size() }

// Read implements api.Memory. What it returns may be written to.
func (m *journalMemory) Read(offset, n uint32) ([]byte, bool) {
	b, ok := m.actual.Read(offset, n)
	if ok && n > 0 {
		m.s.touched = append(m.s.touched, journalRead{offset, n, maphash.Bytes(m.s.j.seed, b)})
	}
	return b, ok
}

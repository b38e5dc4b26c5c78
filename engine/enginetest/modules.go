package enginetest

import (
	"context"
	"sync"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/wnode-project/wnode/engine"
)

// ModuleOf names a module by its bytes, as one block.
func ModuleOf(b []byte) engine.Module {
	h, err := multihash.Sum(b, multihash.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return engine.Module{CID: cid.NewCidV1(cid.Raw, h), Size: uint64(len(b)), Name: "test"}
}

// Modules is a store in memory, of modules by their content alone. The zero value
// is empty.
type Modules struct {
	mu   sync.Mutex
	byID map[cid.Cid][]byte
}

var _ engine.Modules = (*Modules)(nil)

// Add puts a module in and returns its name. The bytes are the store's from here on.
func (m *Modules) Add(b []byte) engine.Module {
	named := ModuleOf(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID = map[cid.Cid][]byte{}
	}
	m.byID[named.CID] = b
	return named
}

// Resolve implements engine.Modules: no name is known.
func (m *Modules) Resolve(name string) (cid.Cid, error) {
	return cid.Undef, engine.Reasonf(engine.ModuleNotFound, "no module %q", name)
}

// Has implements engine.Modules.
func (m *Modules) Has(c cid.Cid) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.byID[c]
	return ok
}

// Open implements engine.Modules.
func (m *Modules) Open(_ context.Context, c cid.Cid, _ uint64, _ engine.NodeID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.byID[c]
	if !ok {
		return nil, engine.Reasonf(engine.ModuleNotFound, "nobody has %s", c)
	}
	return b, nil
}

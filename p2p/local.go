package p2p

import (
	"context"
	"errors"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// Local returns the modules of a store, for a node without a network.
func Local(s *modstore.Store) engine.Modules { return local{s} }

type local struct{ store *modstore.Store }

// Resolve implements engine.Modules.
func (l local) Resolve(name string) (cid.Cid, error) {
	c, err := l.store.Resolve(name)
	if err == nil {
		return c, nil
	}
	// A whole CID names a module wherever it is.
	if c, derr := cid.Decode(name); derr == nil && errors.Is(err, modstore.ErrNotFound) {
		return c, nil
	}
	return cid.Undef, storeReason(err)
}

// Has implements engine.Modules. A process that is about to run the module asks: that
// is a use of it.
func (l local) Has(c cid.Cid) bool { return l.store.Use(c) }

// Open implements engine.Modules.
func (l local) Open(ctx context.Context, c cid.Cid, _ uint64, _ engine.NodeID) ([]byte, error) {
	b, err := l.store.Bytes(ctx, c)
	if err != nil {
		return nil, storeReason(err)
	}
	return b, nil
}

// storeReason gives an error of the store its word. A damaged module is as good
// as none: another node may have it.
func storeReason(err error) error {
	switch {
	case errors.Is(err, modstore.ErrNotFound), errors.Is(err, modstore.ErrCorrupt):
		return engine.Reason{Word: engine.ModuleNotFound, Detail: err.Error()}
	case errors.Is(err, modstore.ErrAmbiguous):
		return engine.Reason{Word: engine.BadArg, Detail: err.Error()}
	}
	return engine.Reason{Word: engine.SystemLimit, Detail: err.Error()}
}

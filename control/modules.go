package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

func (s *Server) moduleLs(ctx context.Context, _ engine.Caller, _ []byte) ([]byte, error) {
	list, err := s.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []Module{}
	for _, e := range list {
		out = append(out, moduleOf(e))
	}
	return json.Marshal(out)
}

func moduleOf(e modstore.Entry) Module {
	return Module{CID: e.CID.String(), Size: e.Size, Tags: e.Tags, Pinned: e.Pinned, Added: e.Added, Used: e.Used}
}

// find decodes a request that names a module, and finds it in the store.
func (s *Server) find(body []byte) (req moduleRequest, m Module, c cid.Cid, err error) {
	if err = json.Unmarshal(body, &req); err != nil {
		return
	}
	if c, err = s.Modules.Resolve(req.Name); err != nil {
		return
	}
	e, err := s.Store.Entry(c)
	if err != nil {
		return req, m, c, storeReason(err)
	}
	return req, moduleOf(e), c, nil
}

func (s *Server) moduleGet(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	_, m, _, err := s.find(body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

func (s *Server) moduleInspect(ctx context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	_, m, c, err := s.find(body)
	if err != nil {
		return nil, err
	}
	b, err := s.Store.Bytes(ctx, c)
	if err != nil {
		return nil, err
	}
	out, err := Inspect(b)
	out.Module = m
	if err == nil {
		err = s.Check(b)
	}
	if err != nil {
		out.NotRunnable = err.Error()
	}
	return json.Marshal(out)
}

// moduleAdd fetches a module from the caller, unless it is here, and keeps it
// only if this node can run it.
func (s *Server) moduleAdd(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	var req moduleRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	c, err := cid.Decode(req.Name)
	if err != nil {
		return nil, engine.Reasonf(engine.BadArg, "%q is not a CID", req.Name)
	}
	had := s.Store.Has(ctx, c)
	b, err := s.Modules.Open(ctx, c, req.Size, from.Node)
	if err != nil {
		return nil, err
	}
	if err := s.Check(b); err != nil {
		why := engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
		if had {
			return nil, why
		}
		return nil, errors.Join(why, s.Store.Remove(ctx, c))
	}
	if req.Tag != "" {
		if err := s.Store.Tag(req.Tag, c); err != nil {
			return nil, err
		}
	}
	if s.Prepare != nil {
		s.Prepare(engine.ModuleData{CID: c, Bytes: b})
	}
	return nil, nil
}

func (s *Server) moduleRm(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	if err := s.owned(from, "remove modules"); err != nil {
		return nil, err
	}
	req, m, c, err := s.find(body)
	if err != nil {
		return nil, err
	}
	if slices.Contains(m.Tags, req.Name) && len(m.Tags) > 1 {
		return nil, s.Store.Untag(req.Name)
	}
	if err := s.Store.Remove(ctx, c); err != nil && !errors.Is(err, modstore.ErrNotFound) {
		return nil, err
	}
	return nil, nil
}

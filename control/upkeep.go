package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// maxListed bounds how many modules an answer names; what it counts is more.
const maxListed = 1000

// Collection is what a gc removed from a node's store, or would have.
type Collection struct {
	DryRun  bool     `json:"dry_run,omitempty"`
	Modules int      `json:"modules"`     // removed
	Kept    int      `json:"kept"`        // modules that stay
	Freed   uint64   `json:"freed_bytes"` // of blocks, those of unfinished adds included
	Removed []Module `json:"removed"`     // the first 1000
}

type gcRequest struct {
	OlderSeconds float64 `json:"older_seconds"`
	DryRun       bool    `json:"dry_run,omitempty"`
}

// CollectModules removes from the node's store what has no tag and no pin, is not run
// there, and was not used for a time. A dry run removes nothing and says what it would.
func (c Client) CollectModules(ctx context.Context, older time.Duration, dryRun bool) (r Collection, err error) {
	return r, c.call(ctx, "module.gc", gcRequest{OlderSeconds: older.Seconds(), DryRun: dryRun}, &r)
}

// TagModule gives a module of the node's store a tag, and returns its CID.
func (c Client) TagModule(ctx context.Context, tag, name string) (cid string, err error) {
	var m Module
	err = c.call(ctx, "module.tag", moduleRequest{Name: name, Tag: tag}, &m)
	return m.CID, err
}

// UntagModule removes a tag from the node's store; its module stays.
func (c Client) UntagModule(ctx context.Context, tag string) error {
	return c.call(ctx, "module.untag", moduleRequest{Tag: tag}, nil)
}

// PinModule has the node keep a module whether it is used or not, and UnpinModule no
// longer. They return its CID.
func (c Client) PinModule(ctx context.Context, name string) (cid string, err error) {
	var m Module
	err = c.call(ctx, "module.pin", moduleRequest{Name: name}, &m)
	return m.CID, err
}

func (c Client) UnpinModule(ctx context.Context, name string) (cid string, err error) {
	var m Module
	err = c.call(ctx, "module.unpin", moduleRequest{Name: name}, &m)
	return m.CID, err
}

// owned refuses callers that are neither the node's user nor an admin.
func (s *Server) owned(from engine.Caller, what string) error {
	if s.Engine.MayControl(from, s.Engine.Owner()) {
		return nil
	}
	return engine.Reasonf(engine.NotAllowed, "only the user who runs the node, or an admin, may %s", what)
}

// storeReason gives an error of the store its word.
func storeReason(err error) error {
	if errors.Is(err, modstore.ErrNotFound) {
		return engine.Reason{Word: engine.ModuleNotFound, Detail: err.Error()}
	}
	return err
}

func (s *Server) moduleTag(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	return s.mark(body, func(c cid.Cid, req moduleRequest) error { return s.Store.Tag(req.Tag, c) })
}

func (s *Server) moduleUntag(_ context.Context, from engine.Caller, body []byte) ([]byte, error) {
	if err := s.owned(from, "remove tags"); err != nil {
		return nil, err
	}
	var req moduleRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	return nil, storeReason(s.Store.Untag(req.Tag))
}

func (s *Server) modulePin(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	return s.mark(body, func(c cid.Cid, _ moduleRequest) error { return s.Store.Pin(c) })
}

func (s *Server) moduleUnpin(_ context.Context, from engine.Caller, body []byte) ([]byte, error) {
	if err := s.owned(from, "unpin modules"); err != nil {
		return nil, err
	}
	return s.mark(body, func(c cid.Cid, _ moduleRequest) error { return s.Store.Unpin(c) })
}

// mark does something to a module that a request names, and answers with its CID.
func (s *Server) mark(body []byte, do func(cid.Cid, moduleRequest) error) ([]byte, error) {
	var req moduleRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	c, err := s.Modules.Resolve(req.Name)
	if err != nil {
		return nil, err
	}
	if err := do(c, req); err != nil {
		return nil, storeReason(err)
	}
	return json.Marshal(Module{CID: c.String()})
}

func (s *Server) moduleGC(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	if err := s.owned(from, "remove modules"); err != nil {
		return nil, err
	}
	var req gcRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	r, err := s.Store.GC(ctx, modstore.GCOptions{
		UsedBefore: time.Now().Add(-time.Duration(req.OlderSeconds * float64(time.Second))),
		InUse:      s.run,
		DryRun:     req.DryRun,
	})
	if err != nil {
		return nil, err
	}
	out := Collection{DryRun: req.DryRun, Modules: len(r.Removed), Kept: r.Kept, Freed: r.Freed, Removed: []Module{}}
	for _, e := range r.Removed[:min(len(r.Removed), maxListed)] {
		out.Removed = append(out.Removed, moduleOf(e))
	}
	return json.Marshal(out)
}

// run returns the modules of the node's processes.
func (s *Server) run() map[cid.Cid]bool {
	run := map[cid.Cid]bool{}
	for _, p := range s.Engine.Processes() {
		if p.CID.Defined() {
			run[p.CID] = true
		}
	}
	return run
}

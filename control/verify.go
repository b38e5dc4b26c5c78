package control

import (
	"context"
	"encoding/json"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// Verification is what a node found when it read its modules.
type Verification struct {
	Modules  int      `json:"modules"`
	Blocks   int      `json:"blocks"`
	Bytes    uint64   `json:"bytes"`
	Damaged  int      `json:"damaged"`  // blocks, records and tags
	Repaired int      `json:"repaired"` // of those
	Damage   []Damage `json:"damage"`   // the first 1000
}

// Damage is what was not as it should be.
type Damage struct {
	Block    string   `json:"block,omitempty"`
	Tag      string   `json:"tag,omitempty"`
	Modules  []string `json:"modules,omitempty"` // that have the block, the first 10
	Why      string   `json:"why"`
	Kept     string   `json:"kept,omitempty"`   // the file of the node that it is in now
	Repaired bool     `json:"repaired"`         // there again and whole, or needed by no module
	Broken   string   `json:"broken,omitempty"` // why not
}

// maxModules bounds how many modules are named for one block.
const maxModules = 10

type verifyRequest struct {
	Names []string `json:"names,omitempty"` // tags, CIDs and prefixes; none is all
}

// VerifyModules has the node read its modules, or all, set aside what is damaged, and
// get it again from those it has a session with, the caller first.
func (c Client) VerifyModules(ctx context.Context, names []string) (v Verification, err error) {
	return v, c.call(ctx, "module.verify", verifyRequest{Names: names}, &v)
}

func (s *Server) moduleVerify(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	if err := s.owned(from, "verify modules"); err != nil {
		return nil, err
	}
	var req verifyRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	var modules []cid.Cid
	for _, name := range req.Names {
		c, err := s.Modules.Resolve(name)
		if err != nil {
			return nil, err
		}
		modules = append(modules, c)
	}
	v, err := s.Store.Verify(ctx, modules...)
	if err != nil {
		return nil, storeReason(err)
	}
	why, err := s.refetch(ctx, v.Damage, from)
	if err != nil {
		return nil, err
	}
	out := Verification{Modules: v.Modules, Blocks: v.Blocks, Bytes: v.Bytes, Damaged: len(v.Damage), Damage: []Damage{}}
	for _, d := range v.Damage {
		told := Damage{Tag: d.Tag, Why: d.Why, Kept: d.Kept}
		if d.Block.Defined() {
			told.Block = d.Block.String()
		}
		for _, c := range d.Modules {
			if err := why[c]; err != nil && told.Broken == "" {
				told.Broken = err.Error()
			}
			if len(told.Modules) < maxModules {
				told.Modules = append(told.Modules, c.String())
			}
		}
		if d.Tag != "" {
			told.Broken = "what it named is lost: tag it again"
		}
		if told.Repaired = told.Broken == ""; told.Repaired {
			out.Repaired++
		}
		if len(out.Damage) < maxListed {
			out.Damage = append(out.Damage, told)
		}
	}
	return json.Marshal(out)
}

// refetch gets what damaged modules lack, and returns why it could not.
func (s *Server) refetch(ctx context.Context, damage []modstore.Damage, from engine.Caller) (map[cid.Cid]error, error) {
	why := map[cid.Cid]error{}
	for _, d := range damage {
		for _, c := range d.Modules {
			if _, ok := why[c]; ok {
				continue
			}
			_, why[c] = s.Modules.Open(ctx, c, 0, from.Node)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return why, nil
}

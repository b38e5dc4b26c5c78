package control

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
)

// Load is how much a node has to do, and what it is like: what a choice between nodes
// goes by.
type Load struct {
	Name       string            `json:"name"`
	PeerID     string            `json:"peer_id"`
	Labels     map[string]string `json:"labels,omitempty"`
	Cores      int               `json:"cores"`                       // that guests run on
	Running    int               `json:"running"`                     // guests that compute, or wait for a core
	Processes  int               `json:"processes"`                   // all, those that wait for something included
	MemoryFree uint64            `json:"memory_free_bytes,omitempty"` // of the machine; 0: not known
	Draining   bool              `json:"draining,omitempty"`
	Holds      bool              `json:"holds,omitempty"` // it has the module that was asked for
}

// Load asks for the node's load, and whether it has a module, unless that is undefined.
func (c Client) Load(ctx context.Context, module cid.Cid) (l Load, err error) {
	req := moduleRequest{}
	if module.Defined() {
		req.Name = module.String()
	}
	return l, c.call(ctx, "load", req, &l)
}

func (s *Server) load(ctx context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	var req moduleRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	l := Load{
		Name: s.Engine.Name(), PeerID: s.PeerID, Labels: s.Labels, Cores: runtime.NumCPU(), Processes: s.Engine.Count(),
		Draining: s.Engine.Draining(), MemoryFree: memoryFree(),
	}
	if s.Running != nil {
		l.Running, l.Cores = s.Running()
	}
	if req.Name != "" {
		c, err := cid.Decode(req.Name)
		if err != nil {
			return nil, engine.Reasonf(engine.BadArg, "%v", err)
		}
		l.Holds = s.Store.Has(ctx, c)
	}
	return json.Marshal(l)
}

// memoryFree returns the memory that new programs can get without swapping.
// Source: proc_meminfo(5), MemAvailable.
func memoryFree() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0 // not Linux
	}
	_, rest, _ := strings.Cut(string(b), "MemAvailable:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseUint(fields[0], 10, 54)
	if err != nil {
		return 0
	}
	return kib << 10
}

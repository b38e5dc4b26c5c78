package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/logs"
	"github.com/wnode-project/wnode/modstore"
	"github.com/wnode-project/wnode/supervise"
)

// Server is what a node's services work on.
type Server struct {
	Engine  *engine.Engine
	Store   *modstore.Store
	Modules engine.Modules
	Check   func(b []byte) error               // whether this node can run a module
	Prepare func(m engine.ModuleData)          // compiles ahead; may be nil
	Network func() (addrs []string, ps []Peer) // nil: none
	PeerID  string
	Version string
	Logs    *logs.Logs                 // nil: none
	Labels  map[string]string          // what the node is like, for who chooses one
	Running func() (guests, cores int) // that compute or wait for a core, and how many there are; nil: not known
	Place   supervise.Place            // finds nodes for children of supervisors
	Stop    func(drain time.Duration)  // begins to stop the node; nil refuses

	trees trees
}

// Register offers the services.
func (s *Server) Register() {
	for name, f := range map[string]engine.Service{
		"ping":            func(context.Context, engine.Caller, []byte) ([]byte, error) { return nil, nil },
		"status":          s.status,
		"ps":              s.ps,
		"peers":           s.peers,
		"load":            s.load,
		"kill":            s.kill,
		"describe":        s.describe,
		"whereis":         s.whereis,
		"logs":            s.logs,
		"stop":            s.stop,
		"supervise.start": s.superviseStart,
		"supervise.ls":    s.superviseLs,
		"supervise.tree":  s.superviseTree,
		"supervise.stop":  s.superviseStop,
		"module.ls":       s.moduleLs,
		"module.inspect":  s.moduleInspect,
		"module.get":      s.moduleGet,
		"module.add":      s.moduleAdd,
		"module.rm":       s.moduleRm,
		"module.tag":      s.moduleTag,
		"module.untag":    s.moduleUntag,
		"module.pin":      s.modulePin,
		"module.unpin":    s.moduleUnpin,
		"module.gc":       s.moduleGC,
		"module.verify":   s.moduleVerify,
	} {
		s.Engine.Serve(name, f)
	}
}

func (s *Server) network() (addrs []string, peers []Peer) {
	if s.Network == nil {
		return nil, nil
	}
	return s.Network()
}

func (s *Server) status(context.Context, engine.Caller, []byte) ([]byte, error) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	addrs, peers := s.network()
	size, err := s.Store.Size()
	if err != nil {
		return nil, err
	}
	return json.Marshal(Status{
		Name: s.Engine.Name(), PeerID: s.PeerID, Version: s.Version, Incarnation: s.Engine.Incarnation(),
		Addrs: addrs, Started: s.Engine.StartTime(), Draining: s.Engine.Draining(), Labels: s.Labels,
		Processes: len(s.Engine.Processes()), Peers: len(peers), StoreBytes: size,
		MemoryBytes: mem.Sys - mem.HeapReleased, Goroutines: runtime.NumGoroutine(), OSProcess: os.Getpid(),
	})
}

func (s *Server) ps(context.Context, engine.Caller, []byte) ([]byte, error) {
	out := []Process{}
	for _, p := range s.Engine.Processes() {
		out = append(out, s.process(p))
	}
	return json.Marshal(out)
}

func (s *Server) process(p engine.Info) Process {
	d := Process{
		PID: s.Engine.PIDText(p.PID), Module: p.Module, Entry: p.Entry, State: string(p.State),
		Started: p.Created, Origin: hex.EncodeToString(p.Origin[:]), Leader: s.Engine.PIDText(p.Leader),
		Reductions: p.Reductions,
	}
	if p.CID.Defined() {
		d.CID = p.CID.String()
	}
	return d
}

func (s *Server) peers(context.Context, engine.Caller, []byte) ([]byte, error) {
	_, peers := s.network()
	if peers == nil {
		peers = []Peer{}
	}
	return json.Marshal(peers)
}

func (s *Server) kill(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	var req killRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	p, err := s.findProcess(req.PID)
	if err != nil {
		return nil, err
	}
	if !s.Engine.MayControl(from, p.Spec().Origin) {
		return nil, engine.Reasonf(engine.NotAllowed, "%s is of another origin", s.Engine.PIDText(p.PID()))
	}
	p.Kill(engine.Reason{Word: engine.Killed, Detail: req.Reason})
	select {
	case <-p.Done():
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Server) stop(_ context.Context, from engine.Caller, body []byte) ([]byte, error) {
	var req stopRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	if s.Stop == nil || !s.Engine.MayControl(from, s.Engine.Owner()) {
		return nil, engine.Reasonf(engine.NotAllowed, "only the user who runs the node, or an admin, may stop it")
	}
	s.Stop(time.Duration(req.DrainSeconds * float64(time.Second)))
	return nil, nil
}

package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/supervise"
)

// trees are the supervision trees that were started here. Those that have ended are
// dropped when the next one looks.
type trees struct {
	mu   sync.Mutex
	list []*tree
}

// tree is one.
type tree struct {
	*supervise.Tree
	p        *engine.Process
	attached bool
}

// live returns those that run, in the order of their start.
func (t *trees) live(e *engine.Engine) []*tree {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = slices.DeleteFunc(t.list, func(t *tree) bool { return e.Process(t.p.PID()) == nil })
	return slices.Clone(t.list)
}

// superviseStart starts a tree for the caller, as a process of its origin.
func (s *Server) superviseStart(_ context.Context, from engine.Caller, body []byte) ([]byte, error) {
	var req treeRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, engine.Reasonf(engine.BadArg, "%v", err)
	}
	t := &tree{Tree: &req.Tree, attached: req.Parent != nil}
	if !engine.ValidName(t.Name) {
		return nil, engine.Reasonf(engine.BadArg, "%q is no name for a tree", t.Name)
	}
	err := t.Workers(func(path string, c *supervise.Child) error {
		if c.CID != "" {
			return nil
		}
		id, err := s.Modules.Resolve(c.Module) // now, so that it is the same for ever and everywhere
		if err != nil {
			return engine.Reasonf(engine.ModuleNotFound, "child %q: no module %q is known here", path, c.Module)
		}
		c.CID = id.String()
		return nil
	})
	if err != nil {
		return nil, err
	}
	origin := s.Engine.Owner()
	if !from.Local {
		origin = from.Origin
	}
	place := s.Place
	if place == nil || origin != s.Engine.Owner() {
		// Other nodes would not let it end a child that is of neither's origin.
		place = func(context.Context, string, cid.Cid) (engine.NodeID, error) {
			return engine.NodeID{}, engine.Reasonf(engine.NotAllowed, "children of another user's tree run on the node of their supervisor")
		}
	}
	sup, err := t.OTP(t.Name, place)
	if err != nil {
		return nil, err
	}
	spec := sup.Spec(t.Name)
	spec.Origin, spec.Name, spec.NoInput = origin, t.Name, true
	if req.Parent != nil {
		if req.Parent.Node != from.Node || from.Local {
			return nil, engine.Reasonf(engine.BadArg, "the parent is not of the caller's node")
		}
		spec.Parent, spec.LinkTo = *req.Parent, *req.Parent
	}
	if req.Leader != nil {
		spec.Leader = *req.Leader
	}
	if by := s.Engine.Whereis(t.Name); !by.IsZero() {
		return nil, engine.Reasonf(engine.NameTaken, "%s is %s", t.Name, s.Engine.PIDText(by))
	}
	pid := s.Engine.Start(spec)
	if t.p = s.Engine.Process(pid); t.p == nil || s.Engine.Whereis(t.Name) != pid {
		return nil, engine.Reasonf(engine.SystemLimit, "the supervisor of %s could not start", t.Name)
	}
	s.trees.live(s.Engine)
	s.trees.mu.Lock()
	s.trees.list = append(s.trees.list, t)
	s.trees.mu.Unlock()
	return pid.AppendBinary(nil)
}

func (s *Server) superviseLs(ctx context.Context, _ engine.Caller, _ []byte) ([]byte, error) {
	out := []Tree{}
	for _, t := range s.trees.live(s.Engine) {
		if d, err := s.describeTree(ctx, t); err == nil { // else it has just ended
			d.Children = nil
			out = append(out, d)
		}
	}
	return json.Marshal(out)
}

func (s *Server) superviseTree(ctx context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	t, err := s.findTree(body)
	if err != nil {
		return nil, err
	}
	d, err := s.describeTree(ctx, t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

func (s *Server) superviseStop(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	t, err := s.findTree(body)
	if err != nil {
		return nil, err
	}
	if !s.Engine.MayControl(from, t.p.Spec().Origin) {
		return nil, engine.Reasonf(engine.NotAllowed, "%s is of another origin", t.Name)
	}
	return nil, otp.Sup{Engine: s.Engine, PID: t.p.PID()}.Stop(ctx)
}

// findTree returns the tree that a request names.
func (s *Server) findTree(body []byte) (*tree, error) {
	var req procRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, engine.Reasonf(engine.BadArg, "%v", err)
	}
	what := req.Name
	if what == "" {
		what = req.PID
	}
	_, pid, _ := engine.ParsePID(req.PID) // no tree's if it is none
	pid.Node = s.Engine.Node()
	for _, t := range s.trees.live(s.Engine) {
		if req.Name != "" && t.Name == req.Name || t.p.PID() == pid {
			return t, nil
		}
	}
	return nil, engine.Reasonf(engine.NoProc, "no supervision tree %q runs here", what)
}

func (s *Server) describeTree(ctx context.Context, t *tree) (d Tree, err error) {
	spec := t.p.Spec()
	d = Tree{
		PID: s.Engine.PIDText(t.p.PID()), Name: t.Name, Strategy: t.Strategy, Started: t.p.Info().Created,
		Origin: hex.EncodeToString(spec.Origin[:]), Attached: t.attached,
	}
	sup := otp.Sup{Engine: s.Engine, PID: t.p.PID()}
	if d.Count, err = sup.CountChildren(ctx); err != nil {
		return d, err
	}
	d.Children, err = s.treeChildren(ctx, sup, &t.Supervisor)
	for _, c := range d.Children {
		d.Restarts += c.Restarts
	}
	return d, err
}

// treeChildren returns the children of a supervisor and theirs. of is what the tree says
// of it.
func (s *Server) treeChildren(ctx context.Context, sup otp.Sup, of *supervise.Supervisor) ([]TreeChild, error) {
	list, err := sup.WhichChildren(ctx)
	if err != nil {
		return nil, err
	}
	out := []TreeChild{}
	for _, c := range list {
		d := TreeChild{Child: c}
		if !c.PID.IsZero() {
			d.PID = s.Engine.PIDText(c.PID)
		}
		i := slices.IndexFunc(of.Children, func(said supervise.Child) bool { return said.ID == c.ID })
		if i < 0 && of.Strategy == otp.SimpleOneForOne {
			i = 0 // the pattern that it is made of
		}
		if i >= 0 { // else start_child added it
			said := &of.Children[i]
			d.Module, d.On = said.Module, said.On
			if said.Supervisor != nil {
				d.Strategy = said.Supervisor.Strategy
				if d.PID != "" {
					// An error is that it has just ended: its children then have too.
					d.Children, _ = s.treeChildren(ctx, otp.Sup{Engine: s.Engine, PID: c.PID}, said.Supervisor)
				}
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// StartTree starts a supervision tree on the node and returns its supervisor. Modules
// of children without a CID are looked up there. The tree ends with parent, a process of
// the caller's node; the zero PID is none. leader is the group leader, nil the node's
// log. Errors: module_not_found, and name_taken for a name that a process of the node
// has.
func (c Client) StartTree(ctx context.Context, t *supervise.Tree, parent engine.PID, leader *engine.Leader) (engine.PID, error) {
	req := treeRequest{Tree: *t, Leader: leader}
	if !parent.IsZero() {
		req.Parent = &parent
	}
	body, err := json.Marshal(req)
	if err != nil {
		return engine.PID{}, err
	}
	out, err := c.Engine.Call(ctx, c.Node, "supervise.start", body)
	if err != nil {
		return engine.PID{}, err
	}
	return engine.PIDFromBinary(out)
}

// Trees lists the supervision trees of the node, without their children.
func (c Client) Trees(ctx context.Context) (ts []Tree, err error) {
	return ts, c.call(ctx, "supervise.ls", nil, &ts)
}

// Tree describes a tree, by its name or the PID of its supervisor. noproc if there is
// none.
func (c Client) Tree(ctx context.Context, name string, pid engine.PID) (t Tree, err error) {
	return t, c.call(ctx, "supervise.tree", treeOf(name, pid), &t)
}

// StopTree ends a tree, named as of Tree, in order, and returns when it has ended.
func (c Client) StopTree(ctx context.Context, name string, pid engine.PID) error {
	return c.call(ctx, "supervise.stop", treeOf(name, pid), nil)
}

func treeOf(name string, pid engine.PID) procRequest {
	r := procRequest{Name: name}
	if name == "" {
		r.PID = pid.String()
	}
	return r
}

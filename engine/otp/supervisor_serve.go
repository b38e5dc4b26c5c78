package otp

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/wnode-project/wnode/engine"
)

// The requests that a supervisor answers, as doc.go describes them. They are OTP's by name
// and meaning; stop has the supervisor end as its parent would.
const (
	opWhich     = "which_children"
	opCount     = "count_children"
	opStart     = "start_child"
	opTerminate = "terminate_child"
	opRestart   = "restart_child"
	opDelete    = "delete_child"
	opStop      = "stop"
)

type request struct {
	Op    string    `json:"op"`
	ID    string    `json:"id,omitempty"`
	Args  []string  `json:"args,omitempty"`  // of start_child of a SimpleOneForOne: behind those of its spec
	Child *NewChild `json:"child,omitempty"` // of start_child of others
}

type response struct {
	Error    *engine.Reason `json:"error,omitempty"`
	Children []childInfo    `json:"children,omitempty"`
	Count    *Count         `json:"count,omitempty"`
}

// childInfo is a Child with its pid in binary form.
type childInfo struct {
	Child
	PID []byte `json:"pid,omitempty"`
}

// NewChild is a child spec as start_child takes it: plain data. What the engine sets
// for all that a process spawns is ignored in Spec, as is a group leader without
// its token.
type NewChild struct {
	ID       string        `json:"id"`
	Node     engine.NodeID `json:"node"` // where it runs; zero: on the supervisor's node
	Spec     engine.Spec   `json:"spec"`
	Restart  Restart       `json:"restart,omitempty"`
	Shutdown Shutdown      `json:"shutdown"`
}

// Child is what which_children says of one.
type Child struct {
	ID       string     `json:"id"`
	PID      engine.PID `json:"-"`     // zero: it does not run
	State    string     `json:"state"` // running, restarting, or undefined for one that has ended
	Type     ChildType  `json:"type"`
	Restart  Restart    `json:"restart"`
	Restarts int        `json:"restarts"` // how often it was restarted
}

// Count is what count_children says.
type Count struct {
	Specs       int `json:"specs"`
	Active      int `json:"active"`
	Supervisors int `json:"supervisors"`
	Workers     int `json:"workers"`
}

// What a supervisor answers to requests about a child, in OTP's words.
var (
	ErrNotFound        = engine.Reason{Word: engine.NoProc, Detail: "not_found"}
	ErrRunning         = engine.Reason{Word: engine.BadArg, Detail: "running"}
	ErrRestarting      = engine.Reason{Word: engine.BadArg, Detail: "restarting"}
	ErrAlreadyPresent  = engine.Reason{Word: engine.BadArg, Detail: "already_present"}
	ErrAlreadyStarted  = engine.Reason{Word: engine.BadArg, Detail: "already_started"}
	ErrSimpleOneForOne = engine.Reason{Word: engine.BadArg, Detail: "simple_one_for_one"}
)

// serve handles a request. It reports whether the supervisor is to end.
func (s *supervisor) serve(m *engine.Message) (stop bool) {
	var r request
	if err := json.Unmarshal(m.Data, &r); err != nil {
		s.reply(m, response{}, engine.Reasonf(engine.BadArg, "no request to a supervisor: %v", err))
		return false
	}
	switch r.Op {
	case opWhich:
		s.reply(m, response{Children: s.which()}, nil)
		return false
	case opCount:
		s.reply(m, response{Count: s.count()}, nil)
		return false
	case opStart, opTerminate, opRestart, opDelete, opStop:
	default:
		s.reply(m, response{}, engine.Reasonf(engine.BadArg, "no request %q to a supervisor", r.Op))
		return false
	}
	if !m.MayControl() {
		s.reply(m, response{}, engine.Reasonf(engine.NotAllowed, "the supervisor is of another origin"))
		return false
	}
	switch r.Op {
	case opStop:
		return true
	case opStart:
		s.startChild(m, &r)
		return false
	}
	i := slices.IndexFunc(s.children, func(c *child) bool { return c.ID == r.ID })
	if i < 0 {
		s.reply(m, response{}, ErrNotFound)
		return false
	}
	c := s.children[i]
	switch {
	case r.Op == opTerminate:
		s.terminate([]*child{c})
		if c.Restart == Temporary || s.Strategy == SimpleOneForOne {
			s.drop(c)
		}
		s.dequeue(c)
		s.reply(m, response{}, nil)
	case s.Strategy == SimpleOneForOne:
		s.reply(m, response{}, ErrSimpleOneForOne)
	case s.state(c) == "running":
		s.reply(m, response{}, ErrRunning)
	case s.state(c) == "restarting":
		s.reply(m, response{}, ErrRestarting)
	case r.Op == opDelete:
		s.drop(c)
		s.reply(m, response{}, nil)
	default:
		c.caller, c.failures = m, 0
		s.begin(c, 0)
	}
	return false
}

// startChild adds a child and starts it.
func (s *supervisor) startChild(m *engine.Message, r *request) {
	c := &child{caller: m, added: true, args: r.Args}
	if s.Strategy == SimpleOneForOne {
		s.made++
		c.ChildSpec = s.Children[0]
		c.ID = strconv.Itoa(s.made)
	} else if r.Child == nil {
		s.reply(m, response{}, engine.Reasonf(engine.BadArg, "start_child without a child"))
		return
	} else {
		c.args = nil
		c.ChildSpec = r.Child.spec(s.p)
		if err := c.check(); err != nil {
			s.reply(m, response{}, err)
			return
		}
		for _, d := range s.children {
			switch {
			case d.ID != c.ID:
			case d.pid.IsZero():
				s.reply(m, response{}, ErrAlreadyPresent)
				return
			default:
				s.reply(m, response{}, ErrAlreadyStarted)
				return
			}
		}
	}
	s.children = append(s.children, c)
	s.begin(c, 0)
}

// spec returns what the supervisor p can use.
func (n *NewChild) spec(p *engine.Process) ChildSpec {
	c := ChildSpec{ID: n.ID, Restart: n.Restart, Shutdown: n.Shutdown, Spec: func() *engine.Spec {
		spec := n.Spec
		spec.Args, spec.Env, spec.Grants = slices.Clone(spec.Args), slices.Clone(spec.Env), slices.Clone(spec.Grants)
		return &spec
	}}
	if n.Node != (engine.NodeID{}) {
		c.Place = On(p.Engine(), n.Node)
	}
	return c
}

// answer tells who waits for a child's start its pid.
func (s *supervisor) answer(c *child, pid engine.PID) {
	if c.caller == nil {
		return
	}
	info := s.info(c)
	info.PID, _ = pid.AppendBinary(nil) // never fails
	s.reply(c.caller, response{Children: []childInfo{info}}, nil)
	c.caller, c.added = nil, false
}

// refused tells who waits for a child's start why there is none, and reports whether
// someone does: the child is as it was before then.
func (s *supervisor) refused(c *child, why engine.Reason) bool {
	if c.caller == nil {
		return false
	}
	s.reply(c.caller, response{}, why)
	added := c.added
	c.caller, c.added = nil, false
	c.giveUp()
	if added && c.pid.IsZero() {
		s.drop(c)
	}
	s.dequeue(c)
	return true
}

// reply answers a request. Who asked may have a full mailbox, which is not to hold up
// the supervisor.
func (s *supervisor) reply(m *engine.Message, a response, err error) {
	if err != nil {
		r := asReason(err)
		a.Error = &r
	}
	data, err := json.Marshal(a)
	if err != nil || len(data) > engine.MaxMessage {
		a = response{Error: &engine.Reason{Word: engine.SystemLimit, Detail: "the answer is too large"}}
		data, _ = json.Marshal(a) // of strings: cannot fail
	}
	go s.p.Reply(m, data)
}

func (s *supervisor) state(c *child) string {
	switch {
	case !c.pid.IsZero():
		return "running"
	case c.attempt != nil || slices.Contains(s.queue, c):
		return "restarting"
	}
	return "undefined"
}

func (s *supervisor) info(c *child) childInfo {
	i := childInfo{Child: Child{ID: c.ID, State: s.state(c), Type: c.Type, Restart: c.Restart, Restarts: c.restarts}}
	if i.Type == "" {
		i.Type = Worker
	}
	if i.Restart == "" {
		i.Restart = Permanent
	}
	if !c.pid.IsZero() {
		i.PID, _ = c.pid.AppendBinary(nil) // never fails
	}
	return i
}

func (s *supervisor) which() []childInfo {
	out := []childInfo{}
	for _, c := range s.children {
		out = append(out, s.info(c))
	}
	return out
}

func (s *supervisor) count() *Count {
	n := &Count{Specs: len(s.children)}
	if s.Strategy == SimpleOneForOne {
		n.Specs = 1
	}
	for _, c := range s.children {
		if !c.pid.IsZero() {
			n.Active++
		}
		if c.Type == ChildSupervisor {
			n.Supervisors++
		} else {
			n.Workers++
		}
	}
	return n
}

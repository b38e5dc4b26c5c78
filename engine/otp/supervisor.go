package otp

import (
	"context"
	"encoding"
	"fmt"
	"math"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Strategy says which children are started again when one ends.
type Strategy string

// The strategies of OTP.
const (
	OneForOne  Strategy = "one_for_one"  // that one
	OneForAll  Strategy = "one_for_all"  // all
	RestForOne Strategy = "rest_for_one" // that one and those behind it
	// SimpleOneForOne is OneForOne for children that are all alike: they are made of
	// the one child spec by start_child.
	SimpleOneForOne Strategy = "simple_one_for_one"
)

// Restart says whether a child is started again when it ends.
type Restart string

// The kinds of restart of OTP.
const (
	Permanent Restart = "permanent" // always
	Transient Restart = "transient" // unless it ended with normal or shutdown
	Temporary Restart = "temporary" // never: its spec is dropped
)

// ChildType says what a child is.
type ChildType string

// The types of children of OTP.
const (
	Worker          ChildType = "worker"
	ChildSupervisor ChildType = "supervisor"
)

// Shutdown is how a child is told to end: with the exit signal shutdown, and with
// kill if it has not after that time. Zero is DefaultShutdown for a worker and
// Infinity for a supervisor. Its text form is "brutal_kill", "infinity" or a time
// as "5s", and "" for zero.
type Shutdown time.Duration

const (
	BrutalKill      Shutdown = -1            // kill at once
	Infinity        Shutdown = math.MaxInt64 // never kill
	DefaultShutdown          = Shutdown(5 * time.Second)
)

var (
	_ encoding.TextMarshaler   = Shutdown(0)
	_ encoding.TextUnmarshaler = (*Shutdown)(nil)
)

// MarshalText implements encoding.TextMarshaler.
func (s Shutdown) MarshalText() ([]byte, error) {
	switch {
	case s == 0:
		return nil, nil
	case s == Infinity:
		return []byte("infinity"), nil
	case s < 0:
		return []byte("brutal_kill"), nil
	}
	return []byte(time.Duration(s).String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Shutdown) UnmarshalText(b []byte) error {
	switch string(b) {
	case "":
		*s = 0
	case "infinity":
		*s = Infinity
	case "brutal_kill":
		*s = BrutalKill
	default:
		d, err := time.ParseDuration(string(b))
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no shutdown: want a time as 5s, brutal_kill or infinity", b)
		}
		*s = Shutdown(d)
	}
	return nil
}

// ChildSpec is how a supervisor starts one child.
type ChildSpec struct {
	ID string // unique among the children of a supervisor
	// Spec returns what to spawn, a new one for each start; the supervisor owns it
	// then. It sets Link and Monitor, and the engine what it sets for all that a
	// process spawns. It must not block.
	Spec func() *engine.Spec
	// Place returns the node of the next start, connected. nil is the supervisor's
	// own. It runs on a goroutine of its own, one at a time for each child, and may
	// take PlaceTime; its context ends when the answer is not wanted any more. An
	// error is a failed start.
	Place    func(ctx context.Context) (engine.NodeID, error)
	Restart  Restart // "" is Permanent
	Shutdown Shutdown
	Type     ChildType // "" is Worker
}

// PlaceTime bounds the search for the node of a child.
const PlaceTime = 10 * time.Second

// DefaultPeriod is the Period of a supervisor that gives none.
const DefaultPeriod = 5 * time.Second

// Supervisor describes a supervisor. It is read only once it was given to Spec.
type Supervisor struct {
	Strategy Strategy // "" is OneForOne
	// More than Intensity restarts in Period end the supervisor with shutdown,
	// behind all its children. Zero allows none.
	Intensity int
	Period    time.Duration // 0 is DefaultPeriod
	Children  []ChildSpec   // in the order of their start; one for SimpleOneForOne
}

// Check returns what is wrong with it: a strategy or restart that there is not, an
// id twice or missing.
func (s *Supervisor) Check() error {
	switch s.Strategy {
	case "", OneForOne, OneForAll, RestForOne:
	case SimpleOneForOne:
		if len(s.Children) != 1 {
			return engine.Reasonf(engine.BadArg, "%s has one child spec, not %d", s.Strategy, len(s.Children))
		}
	default:
		return engine.Reasonf(engine.BadArg, "%q is no strategy", s.Strategy)
	}
	ids := map[string]bool{}
	for i := range s.Children {
		c := &s.Children[i]
		if err := c.check(); err != nil {
			return err
		}
		if ids[c.ID] {
			return engine.Reasonf(engine.BadArg, "two children have the id %q", c.ID)
		}
		ids[c.ID] = true
	}
	return nil
}

func (c *ChildSpec) check() error {
	switch {
	case c.ID == "":
		return engine.Reasonf(engine.BadArg, "a child has no id")
	case c.Spec == nil:
		return engine.Reasonf(engine.BadArg, "child %q has no spec", c.ID)
	}
	switch c.Restart {
	case "", Permanent, Transient, Temporary:
	default:
		return engine.Reasonf(engine.BadArg, "child %q: %q is no restart", c.ID, c.Restart)
	}
	switch c.Type {
	case "", Worker, ChildSupervisor:
	default:
		return engine.Reasonf(engine.BadArg, "child %q: %q is no type", c.ID, c.Type)
	}
	return nil
}

// shutdown returns how the child is told to end.
func (c *ChildSpec) shutdown() Shutdown {
	switch {
	case c.Shutdown != 0:
		return c.Shutdown
	case c.Type == ChildSupervisor:
		return Infinity
	}
	return DefaultShutdown
}

// Spec returns the spec of a process that is the supervisor, to be spawned on the
// node where it is used; name is shown as its module. If Check finds something the
// process ends with that.
//
// It starts its children in their order, each when the one before has started, and
// from then on restarts those that end. The exit signal of its parent, whatever its
// reason, has it end its children in reverse order and then itself, with that reason.
// If the parent is lost with its node they are not given any time.
//
// What it does is as of OTP's supervisor, except that
//
//   - a child that cannot be placed or that fails to start counts as one that ended,
//     also at the first start, and is tried again after 0.1 s, then twice that, up to
//     5 s. OTP refuses the first start and repeats others at once: its children start
//     on the same node, and trying again does not help. Here a node may be away for a
//     moment, and at once would use up Intensity in no time;
//   - a child has started when its first instruction is due, not when its init has
//     returned: that is known of any module;
//   - children of SimpleOneForOne have numbers for ids, which they keep when restarted;
//   - what it has to say of its children it writes to its group leader's stderr.
//
// A child whose node is lost (noconnection) may live on there until that node too
// sees the loss: for some seconds there can be two of it. Only a cluster-wide name
// tells which one is meant.
func (s *Supervisor) Spec(name string) *engine.Spec {
	spec := engine.Func(name, func(p *engine.Process) engine.Reason {
		p.TrapExit(true)
		if err := s.Check(); err != nil {
			return err.(engine.Reason)
		}
		return newSupervisor(s, p).run()
	})
	// While it waits for a child to end it answers nobody: whoever floods it then loses
	// requests, and does not end it. What the engine tells of children is never dropped.
	spec.DropWhenFull = true
	return spec
}

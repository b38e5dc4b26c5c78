package supervise

import (
	"context"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
)

// Tree is a supervision tree: what a file says. It is plain data, the same in the file's
// reader and, as JSON, on its way to the node that is to run it.
type Tree struct {
	Name string `json:"name"`
	Supervisor
}

// Supervisor is a supervisor in a tree.
type Supervisor struct {
	Strategy    otp.Strategy `json:"strategy"`
	MaxRestarts int          `json:"max_restarts"`
	MaxSeconds  int          `json:"max_seconds"`
	Children    []Child      `json:"children"`
}

// Child is a child of a supervisor: a module, or a supervisor.
type Child struct {
	ID       string       `json:"id"`
	Restart  otp.Restart  `json:"restart"`
	Shutdown otp.Shutdown `json:"shutdown"`

	Module      string        `json:"module,omitempty"` // as the file names it
	CID         string        `json:"cid,omitempty"`    // once that is known
	Size        uint64        `json:"size,omitempty"`   // as of engine.Module
	Entry       string        `json:"entry,omitempty"`
	Args        []string      `json:"args,omitempty"`
	Env         []string      `json:"env,omitempty"` // K=V
	Name        string        `json:"name,omitempty"`
	ClusterName string        `json:"cluster_name,omitempty"`
	On          string        `json:"on,omitempty"`
	Memory      uint64        `json:"memory,omitempty"`  // bytes
	Timeout     time.Duration `json:"timeout,omitempty"` // nanoseconds
	Dirs        []string      `json:"dirs,omitempty"`

	// Of the one who asks for the tree, instead of the supervisor's: the leader that
	// serves the dirs, and what they are to the guest.
	Leader *engine.Leader `json:"leader,omitempty"`
	Mounts []engine.Mount `json:"mounts,omitempty"`

	Supervisor *Supervisor `json:"supervisor,omitempty"` // nil: a module

	at Position
}

// Position is a place in a file, from 1.
type Position struct{ Line, Column int }

// Position returns where in its file the child begins.
func (c *Child) Position() Position { return c.at }

// Place finds a node for a child: on is its On, c the module. It is called as
// otp.ChildSpec.Place.
type Place func(ctx context.Context, on string, c cid.Cid) (engine.NodeID, error)

// Workers calls f for each child that runs a module, in the order of their start, with
// its path of ids as "workers/left". It returns the first error.
func (s *Supervisor) Workers(f func(path string, c *Child) error) error { return s.workers("", f) }

func (s *Supervisor) workers(prefix string, f func(string, *Child) error) error {
	for i := range s.Children {
		c := &s.Children[i]
		var err error
		if c.Supervisor != nil {
			err = c.Supervisor.workers(prefix+c.ID+"/", f)
		} else {
			err = f(prefix+c.ID, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// OTP returns the supervisor to start. name is what it is called when it reports.
// The error is badarg for what Parse would not return.
func (s *Supervisor) OTP(name string, place Place) (*otp.Supervisor, error) {
	out := &otp.Supervisor{
		Strategy: s.Strategy, Intensity: s.MaxRestarts, Period: time.Duration(s.MaxSeconds) * time.Second,
	}
	for i := range s.Children {
		spec, err := s.Children[i].otp(name, place)
		if err != nil {
			return nil, err
		}
		out.Children = append(out.Children, spec)
	}
	return out, out.Check()
}

func (c *Child) otp(name string, place Place) (otp.ChildSpec, error) {
	name += "/" + c.ID
	spec := otp.ChildSpec{ID: c.ID, Restart: c.Restart, Shutdown: c.Shutdown}
	if c.Supervisor != nil {
		sub, err := c.Supervisor.OTP(name, place)
		if err != nil {
			return spec, err
		}
		spec.Type = otp.ChildSupervisor
		spec.Spec = func() *engine.Spec { return sub.Spec(name) }
		return spec, nil
	}
	m := engine.Module{Name: c.Module, Size: c.Size}
	if c.CID != "" {
		var err error
		if m.CID, err = cid.Decode(c.CID); err != nil {
			return spec, engine.Reasonf(engine.BadArg, "child %q: %q is no CID", c.ID, c.CID)
		}
	}
	spec.Spec = func() *engine.Spec { return c.spec(m) }
	if c.On != "" && c.On != "local" {
		spec.Place = func(ctx context.Context) (engine.NodeID, error) { return place(ctx, c.On, m.CID) }
	}
	return spec, nil
}

// spec returns what is spawned for a child.
func (c *Child) spec(m engine.Module) *engine.Spec {
	s := &engine.Spec{
		Module: m, Entry: c.Entry, Args: c.Args, Env: c.Env, Name: c.Name, GlobalName: c.ClusterName,
		Limits: engine.Limits{Memory: c.Memory, Wall: c.Timeout}, Mounts: c.Mounts, NoInput: true,
	}
	if c.Leader != nil {
		s.Leader = *c.Leader
	}
	return s
}

// Error is what is wrong in a file.
type Error struct {
	File string
	Position
	Key  string // as it is in the file; "" if it is not about one
	Text string
}

// Error returns FILE:LINE:COLUMN: TEXT.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

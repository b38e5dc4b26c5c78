package enginetest

import (
	"context"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
)

// Program is a guest written in Go. It must return soon after p.Context is done.
type Program func(p *engine.Process) engine.Reason

// Programs is a Runner and a Modules at once: the bytes of a module are the
// name of its program. All nodes of a test share one. The zero value is empty.
type Programs struct {
	mu     sync.Mutex
	byName map[string]Program
	slow   map[string]chan struct{} // those that cannot be had before it is closed
}

var (
	_ engine.Runner  = (*Programs)(nil)
	_ engine.Modules = (*Programs)(nil)
)

// Add makes a program known and returns the module to spawn.
func (s *Programs) Add(name string, f Program) engine.Module {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName == nil {
		s.byName = map[string]Program{}
	}
	s.byName[name] = f
	m := ModuleOf([]byte(name))
	m.Name = name
	return m
}

// addSlow is Add of a module that nobody serves until the channel is closed.
func (s *Programs) addSlow(name string, f Program) (m engine.Module, serve chan struct{}) {
	m, serve = s.Add(name, f), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slow == nil {
		s.slow = map[string]chan struct{}{}
	}
	s.slow[name] = serve
	return m, serve
}

func (s *Programs) find(match func(name string) bool) (string, Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.byName {
		if match(name) {
			return name, f
		}
	}
	return "", nil
}

// Resolve implements engine.Modules.
func (s *Programs) Resolve(name string) (cid.Cid, error) {
	if _, f := s.find(func(n string) bool { return n == name }); f != nil {
		return ModuleOf([]byte(name)).CID, nil
	}
	return cid.Undef, engine.Reasonf(engine.ModuleNotFound, "no module %q", name)
}

// Has implements engine.Modules: what is slow is elsewhere.
func (s *Programs) Has(c cid.Cid) bool {
	name, f := s.find(func(n string) bool { return ModuleOf([]byte(n)).CID.Equals(c) })
	s.mu.Lock()
	defer s.mu.Unlock()
	return f != nil && s.slow[name] == nil
}

// Open implements engine.Modules.
func (s *Programs) Open(ctx context.Context, c cid.Cid, _ uint64, _ engine.NodeID) ([]byte, error) {
	name, f := s.find(func(n string) bool { return ModuleOf([]byte(n)).CID.Equals(c) })
	if f == nil {
		return nil, engine.Reasonf(engine.ModuleNotFound, "nobody has %s", c)
	}
	s.mu.Lock()
	slow := s.slow[name]
	s.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return nil, engine.Reasonf(engine.ModuleNotFound, "%v", ctx.Err())
		}
	}
	return []byte(name), nil
}

// Run implements engine.Runner.
func (s *Programs) Run(p *engine.Process, m engine.ModuleData, report *engine.Report) engine.Reason {
	if err := m.Load(); err != nil {
		return err.(engine.Reason)
	}
	_, f := s.find(func(n string) bool { return n == string(m.Bytes) })
	p.Running()
	r := f(p)
	switch r.Word {
	case engine.Normal:
		report.End = engine.EndReturned
	case engine.Trap:
		report.End = engine.EndTrapped
	default:
		report.End = engine.EndExited
	}
	return r
}

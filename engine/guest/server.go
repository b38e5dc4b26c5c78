package guest

import (
	"context"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// server is a process of a module that handles one message at a time. Between
// messages it holds an instance, or less if it sleeps, and nothing runs.
type server struct {
	runner  *Runner
	t       *runtime
	p       *engine.Process
	code    *entry
	run     *run
	ctx     context.Context // of the host's functions
	limit   uint64          // of memory, in bytes
	report  *engine.Report
	release func() // gives back what the process has of all this

	mu    sync.Mutex // a goroutine that puts it to sleep is not its own
	busy  bool
	inst  *instance // nil: it sleeps
	state *asleep

	// In the list of those that are idle and awake, whose lock guards it.
	older, newer *server
	since        uint64
	listed       bool
}

var _ engine.Server = (*server)(nil)

// isServer reports whether a module handles messages.
func isServer(code wazero.CompiledModule) bool {
	d := code.ExportedFunctions()[abi.Server]
	return d != nil && hasType(d, nil, nil)
}

// serve begins a server: it makes an instance, initializes it, and leaves it to
// the engine. release is called when the process ends, or at once if it does not
// begin.
func (s *server) serve(begin time.Time) (why engine.Reason) {
	defer func() {
		if why.Word != "" {
			s.leave()
			s.end(endedItself(s.p, why))
		}
	}()
	inst, err := s.t.get(s.ctx, s.code, s.p, s.limit)
	if err != nil {
		s.report.Fuel = s.run.count
		return reasonOf(err)
	}
	s.inst, s.busy = inst, true
	s.report.Start = time.Since(begin)
	s.p.Running()
	err = inst.ready(s.ctx, s.p.Spec().Seed)
	if err == nil {
		why = s.call(abi.ServerInit)
	} else {
		why = reasonOf(err)
	}
	if why.Word != "" {
		return why
	}
	s.leave()
	s.p.Serve(s)
	s.idle()
	return engine.Reason{}
}

// call calls a handler, if there is one, and says how the process ends, if it does.
func (s *server) call(name string, args ...uint64) engine.Reason {
	f := s.inst.exportedFunction(name)
	if f == nil {
		return engine.Reason{}
	}
	d := f.Definition()
	var results []api.ValueType
	if name != abi.Terminate {
		results = []api.ValueType{api.ValueTypeI32}
	}
	if !hasType(d, []api.ValueType{api.ValueTypeI32}[:len(args)], results) {
		return engine.Reasonf(engine.ModuleInvalid, "%s has the type %s", name, signature(d))
	}
	out, err := f.Call(s.ctx, args...)
	s.report.End = engine.EndReturned
	switch {
	case err != nil:
		why := reasonOf(err)
		s.report.End = endOf(why)
		return why
	case len(out) == 0 || api.DecodeU32(out[0]) == 0:
		return engine.Reason{}
	case api.DecodeU32(out[0]) == abi.StopNormal:
		return engine.Reason{Word: engine.Normal}
	}
	s.report.End = engine.EndTrapped
	return engine.Reasonf(engine.Trap, "%s returned %d", name, api.DecodeU32(out[0]))
}

// Handle implements engine.Server.
func (s *server) Handle(m *engine.Message) engine.Reason {
	begin := time.Now()
	s.t.awake.remove(s)
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	s.run.own = s.runner.slots.Turn(s.run)
	if !s.run.turn.Enter() {
		return reasonOf(context.Cause(s.p.Context()))
	}
	defer s.leave()
	if s.inst == nil {
		if err := s.wake(); err != nil {
			return reasonOf(err)
		}
	}
	handler := abi.HandleInfo
	switch m.Kind {
	case engine.MessageCall:
		handler = abi.HandleCall
	case engine.MessageCast:
		handler = abi.HandleCast
	}
	size := s.runner.cfg.Host.Handling(s.ctx, m)
	why := s.call(handler, uint64(size))
	s.runner.cfg.Host.Handling(s.ctx, nil)
	s.run.seen(meter.Counter(s.inst.counter.Get()))
	s.report.Run += time.Since(begin)
	if why.Word == "" {
		s.idle()
	}
	return why
}

func (s *server) leave() { s.run.turn.Leave() }

// idle says that the process has nothing to do for now.
func (s *server) idle() {
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
	s.t.awake.add(s)
}

// End implements engine.Server.
func (s *server) End(why engine.Reason) engine.Reason {
	s.t.awake.remove(s)
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	if s.inst != nil && why.Word == engine.Normal && s.p.Context().Err() == nil {
		s.run.own = s.runner.slots.Turn(s.run)
		if s.run.turn.Enter() {
			size := s.runner.cfg.Host.Handling(s.ctx, &engine.Message{Kind: engine.MessageExit, From: s.p.PID(), Reason: why})
			if r := s.call(abi.Terminate, uint64(size)); r.Word != "" {
				why = r
			}
			s.leave()
		}
	}
	s.end(endedItself(s.p, why))
	return why
}

// end gives back what the process has.
func (s *server) end(ended bool) {
	if s.inst != nil {
		s.run.seen(meter.Counter(s.inst.counter.Get()))
		s.report.MaxMemory = s.inst.mem.size
		s.t.put(s.inst, ended)
	}
	s.report.Fuel = s.run.count
	s.inst, s.state = nil, nil
	s.release()
}

package engine

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
)

// MaxProcesses is how many guest processes one node holds at once; a spawn
// beyond it ends with system_limit.
const MaxProcesses = 1 << 18

// Config describes an engine. Node, Incarnation, Modules and Runner are needed.
type Config struct {
	Node        NodeID
	Name        string       // alias of the node in the text form of pids; "" prints the node id
	Incarnation uint32       // never used before by this node
	Owner       Origin       // user key of who runs the node: may do what RoleAdmin may
	Modules     Modules      // may be set later by Engine.Use
	Runner      Runner       // runs guests
	Quota       Quota        // of each other origin
	Log         *slog.Logger // nil discards
}

// Engine is one node: its processes and its sessions with other nodes. Its
// methods are safe for concurrent use.
type Engine struct {
	node    NodeID
	name    string
	inc     uint32
	owner   Origin
	runner  Runner
	log     *slog.Logger
	counter atomic.Uint64 // of pids and refs minted here
	spawns  sync.Mutex    // keeps spawns in the order of their pids, as peers check
	started time.Time

	mu       sync.Mutex
	dist     Dist
	modules  Modules
	procs    map[PID]*Process
	natives  map[PID]*Native
	sessions map[NodeID]*Session
	services map[string]Service
	calls    map[Ref]pendingCall
	closed   bool
	draining bool
	wg       sync.WaitGroup // processes and goroutines of services
	workers  workers
	quotas   quotas
}

// New returns an engine without sessions.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		node: c.Node, name: c.Name, inc: c.Incarnation, owner: c.Owner,
		runner: c.Runner, modules: c.Modules, log: c.Log, started: time.Now(),
		procs:    map[PID]*Process{},
		natives:  map[PID]*Native{},
		sessions: map[NodeID]*Session{},
		services: map[string]Service{},
		calls:    map[Ref]pendingCall{},
	}
	e.quotas.init(c)
	return e
}

// Use sets how other nodes are reached and where modules come from. It is
// apart from New because both are usually parts that need the engine; call it
// once, before the first spawn.
func (e *Engine) Use(d Dist, m Modules) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dist, e.modules = d, m
}

// Node returns the id of this node.
func (e *Engine) Node() NodeID { return e.node }

// Name returns the alias of this node, "" if it has none.
func (e *Engine) Name() string { return e.name }

// Incarnation returns which start of this node this is.
func (e *Engine) Incarnation() uint32 { return e.inc }

// Owner returns the user key of who runs this node.
func (e *Engine) Owner() Origin { return e.owner }

// StartTime returns when the engine was made.
func (e *Engine) StartTime() time.Time { return e.started }

// Connect brings up a session with a node, named as in Dist.Connect. The
// node's own name and "local" are this node.
func (e *Engine) Connect(ctx context.Context, node string) (NodeID, error) {
	if node == "local" || node != "" && node == e.name {
		return e.node, nil
	}
	e.mu.Lock()
	d := e.dist
	e.mu.Unlock()
	if d == nil {
		return NodeID{}, Reasonf(NoConnection, "this node has no network")
	}
	return d.Connect(ctx, node)
}

// MakeRef returns a new reference.
func (e *Engine) MakeRef() Ref {
	return Ref{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}
}

// Spawn starts a process on a node and returns its pid at once; from is who
// asks, a Native of this engine. It never fails: without a session the pid is
// already useless and spec.Monitor and spec.Link say noconnection. The engine
// owns spec from here on and sets its Parent and, for a node that is not an
// inheritor of another's, its Origin.
func (e *Engine) Spawn(from *Native, node NodeID, spec *Spec) PID {
	spec.Parent = from.pid
	spec.Origin = e.owner
	sig := &Signal{Kind: KindSpawn, From: from.pid, Spec: spec}
	var s *Session
	if node != e.node {
		s = e.Session(node)
	}
	if s == nil {
		sig.To = PID{Node: node, Counter: e.counter.Add(1)}
		if node == e.node {
			sig.To.Incarnation = e.inc
		}
		to := sig.To
		from.watch(sig)
		e.send(sig)
		return to
	}
	if n := spec.size(); n > MaxSpec {
		sig.To = PID{Node: node, Counter: e.counter.Add(1)}
		from.watch(sig)
		e.refuse(sig, Reasonf(BadArg, "arguments and environment take %d bytes, the limit is %d", n, MaxSpec))
		return sig.To
	}
	// The peer checks that the pids we mint there come in order.
	e.spawns.Lock()
	sig.To = PID{Node: node, Incarnation: s.peer.Incarnation, Minter: s.peer.Minter, Counter: e.counter.Add(1)}
	from.watch(sig)
	copied := *sig
	s.link.Send(sig)
	e.spawns.Unlock()
	if e.Session(node) != s { // it may have ended before it knew of the watch
		e.bounce(&copied, NoConnection)
	}
	return copied.To
}

// send routes a signal to where To lives. It never blocks.
func (e *Engine) send(sig *Signal) {
	if sig.To.Node == e.node {
		e.deliver(sig)
		return
	}
	s := e.Session(sig.To.Node)
	switch {
	case s == nil:
		e.bounce(sig, NoConnection)
	case sig.To.Incarnation != s.peer.Incarnation:
		e.bounce(sig, NoProc)
	default:
		s.link.Send(sig)
	}
}

// bounce answers a signal that could not be delivered, where OTP answers.
func (e *Engine) bounce(sig *Signal, w Word) {
	back := &Signal{From: sig.To, To: sig.From, Reason: Reason{Word: w}}
	switch sig.Kind {
	case KindSpawn:
		e.refuse(sig, back.Reason)
		return
	case KindMonitor:
		back.Kind, back.Ref = KindDown, sig.Ref
	case KindOutput, KindInput, KindFile:
		back.Kind = KindDown // the zero Ref: your group leader is gone
	default:
		return
	}
	e.send(back)
}

// refuse tells the spawner why there is no process.
func (e *Engine) refuse(sig *Signal, r Reason) {
	if !sig.Spec.Monitor.IsZero() {
		e.send(&Signal{Kind: KindDown, From: sig.To, To: sig.From, Ref: sig.Spec.Monitor, Reason: r, Report: &Report{}})
	}
	if sig.Spec.Link {
		e.send(&Signal{Kind: KindExit, From: sig.To, To: sig.From, Reason: r})
	}
}

// deliver hands a signal to a process of this node. The caller keeps the
// order: signals of one pair come from one goroutine at a time.
func (e *Engine) deliver(sig *Signal) {
	if sig.Kind == KindSpawn {
		e.create(sig)
		return
	}
	e.mu.Lock()
	p, n := e.procs[sig.To], e.natives[sig.To]
	e.mu.Unlock()
	switch {
	case p != nil:
		p.signal(sig)
	case n != nil:
		n.signal(sig)
	default:
		e.bounce(sig, NoProc)
	}
}

// create makes the process of a Spawn signal; its goroutine does the rest.
func (e *Engine) create(sig *Signal) {
	p := newProcess(e, sig)
	e.mu.Lock()
	var why Reason
	switch {
	case e.closed || e.draining:
		why = Reasonf(SystemLimit, "the node is stopping")
	case len(e.procs) >= MaxProcesses:
		why = Reasonf(SystemLimit, "the node runs %d processes", len(e.procs))
	case e.modules == nil || e.runner == nil:
		why = Reasonf(SystemLimit, "the node runs no modules")
	case e.procs[sig.To] != nil:
		why = Reasonf(BadArg, "the pid is taken")
	default:
		if why = e.quotas.spawn(p.spec.Origin); why.Word == "" {
			e.procs[p.pid] = p
			e.wg.Add(1)
		}
	}
	e.mu.Unlock()
	if why.Word != "" {
		p.cancel(nil)
		e.refuse(sig, why)
		return
	}
	e.workers.run(p)
}

// errEngineClosed is the cause with which sessions end when the engine does.
var errEngineClosed = errors.New("the node is stopping")

// Drain refuses new processes from here on, and returns when those there are
// have ended by themselves or the context is done.
func (e *Engine) Drain(ctx context.Context) {
	e.mu.Lock()
	e.draining = true
	procs := slices.Collect(maps.Values(e.procs))
	e.mu.Unlock()
	for _, p := range procs {
		select {
		case <-p.Done():
		case <-ctx.Done():
			return
		}
	}
}

// Draining reports whether the node takes no new processes because it stops.
func (e *Engine) Draining() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.draining || e.closed
}

// Close ends all processes with reason shutdown, waits for them, so that
// their Down signals are queued, and then closes all sessions. Natives are told
// as by a lost connection.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	procs := slices.Collect(maps.Values(e.procs))
	e.mu.Unlock()
	for _, p := range procs {
		p.Kill(Reason{Word: Shutdown})
	}
	e.wg.Wait()
	e.workers.close()
	for _, s := range e.Sessions() {
		s.link.Close(errEngineClosed)
	}
}

// Process returns the guest process with the pid, nil if there is none.
func (e *Engine) Process(pid PID) *Process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.procs[pid]
}

// Processes returns what is known of each guest process, oldest first.
func (e *Engine) Processes() []Info {
	e.mu.Lock()
	procs := slices.Collect(maps.Values(e.procs))
	e.mu.Unlock()
	infos := make([]Info, len(procs))
	for i, p := range procs {
		infos[i] = p.Info()
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return int(a.PID.Counter) - int(b.PID.Counter)
	})
	return infos
}

// Info is a snapshot of a guest process.
type Info struct {
	PID        PID
	Module     string  // as the spawner named it
	CID        cid.Cid // undefined until the name is resolved
	Entry      string
	State      State
	Created    time.Time
	Origin     Origin
	Leader     PID
	Parent     PID
	Reductions uint64 // so far; 0 until it is counted for the first time
}

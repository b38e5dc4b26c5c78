package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MaxProcesses is how many guest processes one node holds at once; a spawn
// beyond it ends with system_limit.
const MaxProcesses = 1<<20 + 1<<16

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
	work    atomic.Uint64 // processes started and messages delivered
	started time.Time

	directory directory

	mu        sync.Mutex
	detached  Leader // of processes whose spec has no leader
	dist      Dist
	modules   Modules
	ends      map[PID]endpoint // all processes
	processes int              // of ends, without natives
	nodes     nodeWatch
	sessions  map[NodeID]*Session
	names     map[NodeID]string // of nodes that were connected; bounded by maxEntries
	services  map[string]Service
	calls     map[Ref]pendingCall
	closed    bool
	draining  bool
	wg        sync.WaitGroup // guests' processes and goroutines of services
	workers   workers
	quotas    quotas
}

// New returns an engine without sessions.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		node: c.Node, name: c.Name, inc: c.Incarnation, owner: c.Owner,
		runner: c.Runner, modules: c.Modules, log: c.Log, started: time.Now(),
		ends:     map[PID]endpoint{},
		sessions: map[NodeID]*Session{},
		names:    map[NodeID]string{},
		services: map[string]Service{},
		calls:    map[Ref]pendingCall{},
	}
	e.services["started"] = e.hasStarted
	e.quotas.init(c)
	e.directory.init()
	e.nodes.init()
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

// Detached sets the group leader of processes whose spec has none; without it they
// have none at all, and what they write is an error. Call it before the first spawn.
func (e *Engine) Detached(l Leader) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.detached = l
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
	for {
		id, err := d.Connect(ctx, node)
		if err != nil {
			return id, err
		}
		s := e.Session(id)
		if s == nil || s.ctx.Err() == nil {
			return id, nil
		}
		select { // one that ends, until all have been told
		case <-s.ended:
		case <-ctx.Done():
			return id, Reasonf(NoConnection, "%v", ctx.Err())
		}
	}
}

// MakeRef returns a new reference.
func (e *Engine) MakeRef() Ref {
	return Ref{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}
}

// someone returns a pid that has nothing but a node, as signals to a name and to
// the node itself have.
func (e *Engine) someone(node NodeID) PID {
	if node == e.node {
		return PID{Node: node, Incarnation: e.inc}
	}
	if s := e.Session(node); s != nil {
		return s.someone()
	}
	return PID{Node: node}
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
		if sig.Kind == KindDown {
			s.unnamed(sig.Ref)
		}
		s.link.Send(sig)
	}
}

// bounce answers a signal that could not be delivered, where OTP answers.
func (e *Engine) bounce(sig *Signal, w Word) {
	back := &Signal{From: sig.To, To: sig.From, Reason: Reason{Word: w}}
	switch sig.Kind {
	case KindSpawn:
		e.refuse(sig.From, sig.To, sig.Spec, back.Reason)
		return
	case KindMonitor:
		back.Kind, back.Ref = KindDown, sig.Ref
	case KindLink:
		back.Kind = KindExit
	case KindUnlink:
		back.Kind, back.N = KindUnlinkAck, sig.N
	case KindOutput, KindInput, KindFile:
		back.Kind = KindDown // the zero Ref: your group leader is gone
	default:
		return
	}
	e.send(back)
}

// refuse tells the spawner why there is no process.
func (e *Engine) refuse(from, to PID, spec *Spec, r Reason) {
	if !spec.Monitor.IsZero() {
		e.send(&Signal{Kind: KindDown, From: to, To: from, Ref: spec.Monitor, Reason: r, Report: &Report{}})
	}
	if spec.Link {
		e.send(&Signal{Kind: KindExit, From: to, To: from, Reason: r})
	}
}

// deliver hands a signal to a process of this node. The caller keeps the
// order: signals of one pair come from one goroutine at a time.
func (e *Engine) deliver(sig *Signal) {
	to := sig.To
	if to.Counter == 0 && sig.Kind == KindMessage && sig.Name != "" {
		to = e.Whereis(sig.Name)
	}
	if p := e.end(to); p != nil {
		p.signal(sig)
	} else {
		e.bounce(sig, NoProc)
	}
}

// end returns the process with a pid, nil if there is none.
func (e *Engine) end(pid PID) endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ends[pid]
}

// actor is as end.
func (e *Engine) actor(pid PID) *actor {
	switch p := e.end(pid).(type) {
	case *Process:
		return &p.actor
	case *Native:
		return &p.actor
	}
	return nil
}

// create makes a process, whose account is as of Process; its goroutine does the rest.
func (e *Engine) create(to PID, spec *Spec, account Origin) {
	p := newProcess(e, to, spec, account)
	e.mu.Lock()
	if spec.Leader.PID.IsZero() {
		spec.Leader = e.detached
		p.io.leader = e.detached
	}
	var why Reason
	switch {
	case e.closed || e.draining:
		why = Reasonf(SystemLimit, "the node is stopping")
	case e.processes >= MaxProcesses:
		why = Reasonf(SystemLimit, "the node runs %d processes", e.processes)
	case spec.run == nil && (e.modules == nil || e.runner == nil):
		why = Reasonf(SystemLimit, "the node runs no modules")
	case e.ends[to] != nil:
		why = Reasonf(BadArg, "the pid is taken")
	default:
		if why = e.quotas.spawn(p.account); why.Word == "" {
			e.ends[p.pid] = p
			e.processes++
			e.work.Add(1)
			e.wg.Add(1)
		}
	}
	e.mu.Unlock()
	if why.Word != "" {
		e.refuse(spec.Parent, to, spec, why)
		return
	}
	p.bindTo(spec.Parent.Node)
	p.bindTo(spec.Leader.PID.Node)
	if spec.Name != "" {
		if err := e.Register(spec.Name, p.pid); err != nil {
			p.Kill(asReason(err, NameTaken))
		}
	}
	if spec.GlobalName != "" {
		if err := e.RegisterGlobal(spec.GlobalName, p.pid); err != nil {
			p.Kill(asReason(err, NameTaken))
		}
	}
	if !spec.LinkTo.IsZero() {
		p.link(spec.LinkTo, spec.Origin != e.owner)
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
	e.mu.Unlock()
	for _, p := range e.procs() {
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
	e.mu.Unlock()
	for _, p := range e.procs() {
		p.Kill(Reason{Word: Shutdown})
	}
	e.wg.Wait()
	e.workers.close()
	for _, s := range e.Sessions() {
		s.link.Close(errEngineClosed)
	}
}

// procs returns all processes that have a mailbox.
func (e *Engine) procs() (procs []*Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.ends {
		if p, ok := p.(*Process); ok {
			procs = append(procs, p)
		}
	}
	return procs
}

// Work returns how many processes were started and messages delivered here so far.
func (e *Engine) Work() uint64 { return e.work.Load() }

// Count returns how many processes there are, natives apart.
func (e *Engine) Count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.processes
}

// Process returns the process with the pid, nil if there is none or it is a native.
func (e *Engine) Process(pid PID) *Process {
	p, _ := e.end(pid).(*Process)
	return p
}

// Processes returns what is known of each process, natives apart, oldest first.
func (e *Engine) Processes() []Info {
	procs := e.procs()
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

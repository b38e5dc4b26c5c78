package origin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Config is what a Leader owns.
type Config struct {
	Stdin  io.Reader // nil is at its end
	Stdout io.Writer // nil drops what is written
	Stderr io.Writer // as Stdout
	Files  *Files    // nil: no directories
}

// Exit is how a run ended.
type Exit struct {
	PID    engine.PID
	Reason engine.Reason
	Report engine.Report
	Output error // not nil: a write to stdout or stderr failed, and what followed is lost
}

// Leader is a group leader.
type Leader struct {
	eng   *engine.Engine
	proc  *engine.Native
	token [16]byte
	cfg   Config
	out   output
	in    input
	files *FileServer

	exit chan Exit
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	runs     map[engine.Ref]struct{}      // monitors of what Spawn started
	attached engine.PID                   // by Attach
	known    map[engine.PID]struct{}      // processes that it serves, all monitored
	left     map[engine.PID]engine.Reason // linked ones that ended, a few: Follow may come later than that
}

// maxServed bounds the processes that use one leader at once.
const maxServed = 1 << 16

// maxLeft bounds of how many linked processes that ended the reasons are kept.
const maxLeft = 64

// New starts a leader. Close ends it.
func New(e *engine.Engine, c Config) *Leader {
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Leader{eng: e, cfg: c, exit: make(chan Exit, 1), stop: stop, runs: map[engine.Ref]struct{}{}, known: map[engine.PID]struct{}{}, left: map[engine.PID]engine.Reason{}}
	rand.Read(l.token[:])
	l.proc = e.Native(l.handle)
	l.out.init(l)
	l.in.init(l)
	l.files = NewFileServer(c.Files)
	l.wg.Go(func() { l.out.serve(ctx) })
	// Not waited for: a read of a terminal cannot be called off.
	go l.in.serve(ctx)
	return l
}

// Spawn starts a process on a node with this leader, linked and monitored, and
// returns its pid. Its mounts are the leader's directories. Wait reports its end. One leader runs one process at a time.
func (l *Leader) Spawn(node engine.NodeID, spec *engine.Spec) engine.PID {
	if l.cfg.Files != nil {
		spec.Mounts = l.cfg.Files.Mounts()
	}
	spec.Leader = l.Leader()
	spec.Link = true
	spec.Monitor = l.eng.MakeRef()
	l.mu.Lock()
	l.runs[spec.Monitor] = struct{}{}
	l.mu.Unlock()
	return l.proc.Spawn(node, spec)
}

// Leader returns what a spec names this leader by.
func (l *Leader) Leader() engine.Leader { return engine.Leader{PID: l.proc.PID(), Token: l.token} }

// Attach makes this the leader of a process that runs: its output comes here from now
// on, and Wait reports its end. It sees no directories. What a process of another
// origin is told is ignored there.
func (l *Leader) Attach(pid engine.PID) {
	l.Follow(pid)
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindLeader, Leader: l.Leader()})
}

// Follow has Wait report the end of a process that was spawned by another one with this
// leader. If that is over, the reason is known only of one that was linked with it.
func (l *Leader) Follow(pid engine.PID) {
	l.mu.Lock()
	l.known[pid] = struct{}{}
	l.attached = pid
	l.mu.Unlock()
	l.proc.Monitor(pid)
}

// Detach gives a process back to the leader that it was spawned with.
func (l *Leader) Detach(pid engine.PID) {
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindLeader})
}

// Kill sends the process an exit signal that it cannot trap. Its end is
// confirmed by Wait.
func (l *Leader) Kill(pid engine.PID, why string) {
	l.Exit(pid, engine.Reason{Word: engine.Kill, Detail: why})
}

// Exit sends the process an exit signal.
func (l *Leader) Exit(pid engine.PID, r engine.Reason) {
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: r})
}

// Resize tells the processes that run that the terminal has another size.
func (l *Leader) Resize(rows, cols uint16) {
	for _, pid := range l.proc.Monitored() {
		l.proc.Send(pid, &engine.Signal{Kind: engine.KindWindow, N: uint64(rows)<<16 | uint64(cols)})
	}
}

// Flush returns when all output that has come is written, or the context is done.
func (l *Leader) Flush(ctx context.Context) { l.out.flush(ctx) }

// settleTime bounds how long the end of a run waits for other nodes.
const settleTime = time.Second

// settle returns when what children on other nodes had written is here, of those that
// ended before the run did: it is before the answer of their node.
func (l *Leader) settle(ctx context.Context, run engine.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var asked sync.WaitGroup
	others := false
	for _, s := range l.eng.Sessions() {
		node := s.Peer().Node
		if node == run {
			continue
		}
		others = true
		asked.Go(func() { _, _ = l.eng.Call(ctx, node, "ping", nil) }) // whatever it says
	}
	asked.Wait()
	if others {
		l.Flush(ctx)
	}
}

// Wait returns when the process that was spawned has ended and all its output is written, or
// with the context's error.
func (l *Leader) Wait(ctx context.Context) (Exit, error) {
	select {
	case x := <-l.exit:
		l.settle(ctx, x.PID.Node)
		return x, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

// Close ends the leader and what still runs under it. Output that is not
// written yet is lost. It waits for a write that is under way, and not for a
// read of stdin.
func (l *Leader) Close() {
	l.proc.Close(engine.Reason{Word: engine.LeaderGone, Detail: "its terminal left"})
	l.stop()
	l.files.Close()
	l.wg.Wait()
}

// serves tells whether the process may use the leader: what was spawned here, and
// what that started, which has the token from it. All are monitored, so that
// nothing is kept for one that has ended.
func (l *Leader) serves(pid engine.PID) bool {
	l.mu.Lock()
	_, known := l.known[pid]
	full := len(l.known) >= maxServed
	if !known && !full {
		l.known[pid] = struct{}{}
	}
	l.mu.Unlock()
	if known || full {
		return known
	}
	if !slices.Contains(l.proc.Monitored(), pid) {
		l.proc.Monitor(pid)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known = l.known[pid] // not if there is no such process
	return known
}

// forget drops what is kept for a process that ended, and reports whether it was
// spawned here.
func (l *Leader) forget(down *engine.Signal) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, down.From)
	if why, ok := l.left[down.From]; ok && down.Reason.Word == engine.NoProc {
		down.Reason = why
	}
	_, run := l.runs[down.Ref]
	delete(l.runs, down.Ref)
	return run || down.From == l.attached
}

// handle takes a signal of a process. It never blocks.
func (l *Leader) handle(sig *engine.Signal) {
	switch sig.Kind {
	case engine.KindOutput, engine.KindInput, engine.KindFile:
		if subtle.ConstantTimeCompare(sig.Token[:], l.token[:]) != 1 || !l.serves(sig.From) {
			return // whoever asks learns nothing
		}
	}
	switch sig.Kind {
	case engine.KindOutput:
		l.out.add(sig)
	case engine.KindInput:
		l.in.ask(sig.From, int(min(sig.N, engine.MaxInput)))
	case engine.KindFile:
		if !l.files.Ask(sig.From, sig.File, func(reply *engine.FileReply) {
			l.proc.Send(sig.From, &engine.Signal{Kind: engine.KindFileReply, FileReply: reply})
		}) {
			l.Kill(sig.From, "too many file requests at once")
		}
	case engine.KindExit:
		l.mu.Lock()
		if len(l.left) < maxLeft {
			l.left[sig.From] = sig.Reason
		}
		l.mu.Unlock()
	case engine.KindDown:
		l.in.forget(sig.From)
		l.files.Forget(sig.From)
		l.out.end(sig, l.forget(sig))
	}
}

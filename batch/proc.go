package batch

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// task is a task under way.
type task struct {
	*Task
	index    int // in the order of their reading
	tries    int
	lost     int        // tries whose work was lost
	attempts []*attempt // under way: one, or two of which one is a copy
	last     *node      // that it was lost on last
	done     bool       // its result is there
	dropped  bool       // the map ends without it
	result   Result
}

// knows reports whether the node is not a first choice: the task was lost on it, or
// it has it.
func (t *task) knows(n *node) bool {
	if t == nil {
		return false
	}
	return t.last == n || slices.ContainsFunc(t.attempts, func(a *attempt) bool { return a.proc != nil && a.proc.node == n })
}

// attempt is a task with a process.
type attempt struct {
	task  *task
	proc  *proc
	ref   engine.Ref // of the call of a worker
	since time.Time  // when it was the process's turn
	out   Output
}

// proc is a process of the map: that of one task, or a worker, which has some.
type proc struct {
	node    *node
	pid     engine.PID
	monitor engine.Ref
	token   [16]byte
	runs    []*attempt    // what it has to do, in order
	sent    int           // bytes of input that it was given
	killed  engine.Reason // why the map ended it; zero: it did not

	accounts map[engine.PID]*account // of it and its children; under inbox.mu
}

// spawn starts a process on a node.
func (r *run) spawn(n *node, spec *engine.Spec, runs ...*attempt) *proc {
	p := &proc{node: n, monitor: r.eng.MakeRef(), runs: runs}
	rand.Read(p.token[:])
	r.inbox.admit(p)
	r.procs[p.monitor] = p
	n.procs = append(n.procs, p)
	spec.Leader = engine.Leader{PID: r.native.PID(), Token: p.token}
	// The link is for who is left when this end goes away.
	spec.Link, spec.Monitor = true, p.monitor
	p.pid = r.native.Spawn(n.ID, spec)
	return p
}

// call sends a task to a worker.
func (r *run) call(a *attempt, p *proc) {
	a.proc, a.ref = p, r.eng.MakeRef()
	p.runs = append(p.runs, a)
	r.calls[a.ref] = a
	// What it is sent is its own.
	r.native.Send(p.pid, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{
		Kind: engine.MessageCall, Ref: a.ref, Data: slices.Clone(a.task.Input),
	}})
}

// kill ends a process; its end is confirmed by its Down.
func (r *run) kill(p *proc, why engine.Reason) {
	if p.killed.Word != "" {
		return
	}
	p.killed = why
	r.native.Send(p.pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: why.Detail}})
}

// handle takes a signal on its sender's goroutine. It never blocks.
func (r *run) handle(sig *engine.Signal) {
	switch sig.Kind {
	case engine.KindFile:
		if r.inbox.of(sig) != nil {
			r.file(sig)
		}
		return
	case engine.KindMessage:
		if sig.Message.Kind != engine.MessageReply {
			return
		}
	case engine.KindOutput, engine.KindInput, engine.KindDown:
	default:
		return
	}
	if !r.inbox.add(sig) {
		r.end(sig.From, "output beyond its credit")
	}
}

// end kills a process that does not keep the protocol, perhaps a child of a task's.
func (r *run) end(pid engine.PID, why string) {
	r.native.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Kill, Detail: why}})
}

// file has a request be carried out. A process that makes some is monitored, as its
// files are closed with its end.
func (r *run) file(sig *engine.Signal) {
	from := sig.From
	if r.cfg.Files == nil {
		r.native.Send(from, &engine.Signal{Kind: engine.KindFileReply, FileReply: &engine.FileReply{ID: sig.File.ID, Errno: errnoBadFile}})
		return
	}
	if r.inbox.opens(from) {
		r.native.Monitor(from)
	}
	if !r.cfg.Files.Ask(from, sig.File, func(reply *engine.FileReply) {
		r.native.Send(from, &engine.Signal{Kind: engine.KindFileReply, FileReply: reply})
	}) {
		r.end(from, "too many file requests at once")
	}
}

// errnoBadFile is EBADF of WASI preview 1.
const errnoBadFile engine.Errno = 8

// signal handles one signal in the loop.
func (r *run) signal(sig *engine.Signal) {
	switch sig.Kind {
	case engine.KindOutput:
		r.output(sig)
	case engine.KindInput:
		if p := r.inbox.of(sig); p != nil && sig.From == p.pid && !r.cfg.Worker {
			r.stdin(p, int(min(sig.N, engine.MaxInput)))
		} else {
			r.native.Send(sig.From, &engine.Signal{Kind: engine.KindInputData}) // its end
		}
	case engine.KindMessage:
		a := r.calls[sig.Message.Ref]
		if a != nil && a.proc.pid == sig.From {
			r.reply(a, sig.Message.Data)
		}
	case engine.KindDown:
		if p := r.procs[sig.Ref]; p != nil {
			r.down(p, sig)
		} else if r.cfg.Files != nil {
			r.inbox.closed(sig.From)
			r.cfg.Files.Forget(sig.From)
		}
	}
}

// output keeps what a process, or a child of it, wrote for the task it works on.
func (r *run) output(sig *engine.Signal) {
	p := r.inbox.of(sig)
	if p == nil {
		return // its task has ended
	}
	n := r.inbox.pay(p, sig)
	if len(p.runs) > 0 && !p.runs[0].task.done {
		if err := p.runs[0].out.add(sig.Stream, sig.Data, r.cfg.TempDir); err != nil {
			r.fail(err)
		}
	}
	if n > 0 {
		r.native.Send(sig.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(n)})
	}
}

// stdin gives a process up to n bytes of its task's input; none is the end.
func (r *run) stdin(p *proc, n int) {
	if len(p.runs) == 0 {
		return
	}
	left := p.runs[0].task.Input
	left = left[min(len(left), p.sent):] // it has none any more if a copy was faster
	left = left[:min(len(left), n)]
	p.sent += len(left)
	for {
		chunk := left[:min(len(left), engine.MaxChunk)]
		left = left[len(chunk):]
		r.native.Send(p.pid, &engine.Signal{Kind: engine.KindInputData, More: len(left) > 0, Data: slices.Clone(chunk)})
		if len(left) == 0 {
			return
		}
	}
}

// reply ends a task of a worker well.
func (r *run) reply(a *attempt, data []byte) {
	p := a.proc
	now := time.Now()
	if err := a.out.add(engine.Stdout, data, r.cfg.TempDir); err != nil {
		r.fail(err)
	}
	report := engine.Report{Run: now.Sub(a.since)}
	i := slices.Index(p.runs, a)
	p.runs = slices.Delete(p.runs, i, i+1)
	if i == 0 && len(p.runs) > 0 {
		p.runs[0].since = now
	}
	r.leave(a)
	r.conclude(a, engine.Reason{Word: engine.Normal}, report)
	if p.node.Jobs == 0 && len(p.runs) == 0 {
		r.kill(p, engine.Reason{Word: engine.Normal})
	}
}

// leave takes a task from its process, which is to forget it.
func (r *run) leave(a *attempt) {
	a.proc.node.load--
	delete(r.calls, a.ref)
	t := a.task
	t.attempts = slices.DeleteFunc(t.attempts, func(b *attempt) bool { return b == a })
}

// down handles the end of a process: that of its task, if it was not lost.
func (r *run) down(p *proc, sig *engine.Signal) {
	n := p.node
	delete(r.procs, p.monitor)
	r.inbox.dismiss(p)
	n.procs = slices.DeleteFunc(n.procs, func(q *proc) bool { return q == p })
	why := sig.Reason
	if p.killed.Word != "" && why.Word == engine.Killed {
		why = p.killed
	}
	var report engine.Report
	if sig.Report != nil {
		report = *sig.Report
	}
	runs := p.runs
	p.runs = nil
	for i, a := range runs {
		r.leave(a)
		switch {
		case a.task.done || a.task.dropped:
			a.out.discard()
		case i > 0: // a worker did not come to it
			r.again(a)
		default:
			r.judge(a, why, report)
		}
	}
	if len(runs) == 0 {
		r.blame(n, why) // a worker that nobody waits for
	}
}

package otp

import (
	"time"

	"github.com/wnode-project/wnode/engine"
)

// AwaitTimeout is how long Elixir's Task.await waits if nothing else is said.
const AwaitTimeout = 5 * time.Second

// Task is code that runs for a result, which its owner awaits: the process that began
// it, once.
type Task struct {
	request Request
	linked  bool
}

// PID returns the process that the task is.
func (t *Task) PID() engine.PID { return t.request.PID }

// Async begins a task on a node, as SendRequest does, and links it with its owner: if
// one fails so does the other.
func Async(p *engine.Process, node engine.NodeID, spec *engine.Spec) (*Task, error) {
	spec.Link = true
	r, err := SendRequest(p, node, spec)
	return &Task{r, true}, err
}

// AsyncNoLink begins a task that may fail by itself.
func AsyncNoLink(p *engine.Process, node engine.NodeID, spec *engine.Spec) (*Task, error) {
	r, err := SendRequest(p, node, spec)
	return &Task{r, false}, err
}

// Await waits for the result: for ever if timeout is below 0. The error is a *Failure,
// or the reason why p must end. A task whose time is over is killed: Elixir's await exits
// its owner then, and by the link the task.
func (t *Task) Await(p *engine.Process, timeout time.Duration) (Result, error) {
	r, done, err := t.Yield(p, timeout)
	if !done && err == nil {
		t.kill(p)
		return r, timedOut()
	}
	return r, err
}

// Yield waits as Await does, but a task whose time is over goes on, and can be waited for
// again: done is false then.
func (t *Task) Yield(p *engine.Process, timeout time.Duration) (r Result, done bool, err error) {
	m, err := p.Receive(engine.Match{Kinds: 1<<engine.MessageReply | 1<<engine.MessageDown, Ref: t.request.ref}, timeout)
	if m == nil {
		return r, false, err
	}
	r, err = answer(m, nil)
	return r, true, err
}

// Kill as the time of Shutdown ends a task at once, and it cannot trap that.
const Kill = time.Duration(0)

// Shutdown ends the task and returns its result, if it has come by then; done is false if
// there is none, and err says why it failed if it did before. It is asked to end with
// shutdown, and killed when it has not done so in time; below 0 is never. The error may be
// that of p.Exit.
func (t *Task) Shutdown(p *engine.Process, in time.Duration) (r Result, done bool, err error) {
	p.Unlink(t.request.PID)
	if in != Kill {
		if err := p.Exit(t.request.PID, engine.Reason{Word: engine.Shutdown}); err != nil {
			return r, false, err
		}
		if r, done, err = t.Yield(p, in); done || err != nil {
			return settled(r, done, err)
		}
	}
	if err := p.Exit(t.request.PID, engine.Reason{Word: engine.Kill}); err != nil {
		return r, false, err
	}
	return settled(t.Yield(p, -1))
}

// settled tells a task that failed by itself from one that was ended.
func settled(r Result, done bool, err error) (Result, bool, error) {
	if f, ok := err.(*Failure); ok && f.Class == Signal && (f.Reason.Word == engine.Shutdown || f.Reason.Word == engine.Killed) {
		return r, false, nil
	}
	return r, done, err
}

// kill ends the task and forgets it.
func (t *Task) kill(p *engine.Process) {
	t.request.Abandon(p)
	p.Unlink(t.request.PID)
	_ = p.Exit(t.request.PID, engine.Reason{Word: engine.Kill}) // not allowed on other nodes to a process of another's origin: it runs on
}

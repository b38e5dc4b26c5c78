package otp

import (
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Result is what a call returned.
type Result struct {
	Data []byte
	Text bool // Data are the results of an export as text, one to a line; else bytes that the code gave
}

// Request is a call under way. One of Await and Abandon is called, once, by the process
// that sent it.
type Request struct {
	PID engine.PID // of the process that it is
	ref engine.Ref
}

// Apply calls code on a node, and waits for its result: for ever if timeout is below 0.
// spec says what to run, with Entry, Args or Input; the engine owns it from here on.
// The error is a *Failure, or the reason why p must end. Code whose time is over runs
// on, unless spec limits it too.
func Apply(p *engine.Process, node engine.NodeID, spec *engine.Spec, timeout time.Duration) (Result, error) {
	r, err := SendRequest(p, node, spec)
	if err != nil {
		return Result{}, err
	}
	return r.Await(p, timeout)
}

// SendRequest begins an Apply and does not wait. The error is a *Failure of what can be
// known here.
func SendRequest(p *engine.Process, node engine.NodeID, spec *engine.Spec) (Request, error) {
	r := Request{ref: p.Engine().MakeRef()}
	spec.Call, spec.Monitor = true, r.ref
	var err error
	if r.PID, err = p.Spawn(node, spec); err != nil {
		return r, &Failure{ERPC, reason(err)}
	}
	return r, nil
}

// Await waits for the result, as Apply does.
func (r Request) Await(p *engine.Process, timeout time.Duration) (Result, error) {
	return answer(p.AwaitReply(r.ref, timeout))
}

// Abandon gives the result up: it is never received. The code runs on.
func (r Request) Abandon(p *engine.Process) { p.Demonitor(r.ref, true) }

// answer turns what AwaitReply returned into a result.
func answer(m *engine.Message, err error) (Result, error) {
	switch {
	case err != nil:
		return Result{}, err
	case m == nil:
		return Result{}, timedOut()
	case m.Kind == engine.MessageDown:
		return Result{}, failure(m.End, m.Reason)
	}
	return Result{m.Data, m.Tag == engine.ResultText}, nil
}

// Answer is what one node of a MultiApply returned.
type Answer struct {
	Node   engine.NodeID
	Result Result
	Err    error // nil: there is a result
}

// MultiApply calls code on several nodes at once, and returns what each said, in the
// order of the nodes, when all have or the time is over: below 0 is never. spec makes
// what a node is to run. The error is the reason why p must end.
func MultiApply(p *engine.Process, nodes []engine.NodeID, spec func(engine.NodeID) *engine.Spec, timeout time.Duration) ([]Answer, error) {
	requests, answers := make([]Request, len(nodes)), make([]Answer, len(nodes))
	for i, n := range nodes {
		answers[i].Node = n
		requests[i], answers[i].Err = SendRequest(p, n, spec(n))
	}
	left := deadline(timeout)
	for i := range answers {
		if a := &answers[i]; a.Err == nil {
			a.Result, a.Err = requests[i].Await(p, left())
		}
		if p.Context().Err() != nil {
			return nil, answers[i].Err
		}
	}
	return answers, nil
}

// deadline returns what is left of a timeout, each time that it is called: below 0 if
// that is for ever.
func deadline(timeout time.Duration) (left func() time.Duration) {
	if timeout < 0 {
		return func() time.Duration { return -1 }
	}
	end := time.Now().Add(timeout)
	return func() time.Duration { return max(0, time.Until(end)) }
}

func reason(err error) engine.Reason {
	if r, ok := err.(engine.Reason); ok {
		return r
	}
	return engine.Reason{Word: engine.BadArg, Detail: err.Error()}
}

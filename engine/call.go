package engine

import (
	"context"
)

// Caller is who calls a service: a peer, or this node itself.
type Caller struct {
	Peer
	Local bool
}

// Service answers one call. It runs on a goroutine of its own; its context
// ends with the engine's session to the caller or after its time. An error
// that is a Reason keeps its word on the way to the caller.
type Service func(ctx context.Context, from Caller, request []byte) ([]byte, error)

// Serve offers a service to this node and to peers whose role the table
// allows "call:"+name.
func (e *Engine) Serve(name string, s Service) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.services[name] = s
}

// MayControl reports whether the caller may end what belongs to the origin:
// a process of that origin, or with the node owner's origin the node.
func (e *Engine) MayControl(c Caller, o Origin) bool {
	return c.Local || e.mayControl(c.Peer, o)
}

// MaxCall bounds a request and an answer, in bytes: each travels in one frame.
const MaxCall = 1<<20 - 4<<10

type pendingCall struct {
	node NodeID
	ch   chan *Signal // has room for the one reply
}

// Call calls a service of a node: one message out, one back. After an error
// with word timeout or noconnection the service may have run or not; a late
// reply is dropped. A node without a session is noconnection.
func (e *Engine) Call(ctx context.Context, node NodeID, name string, request []byte) ([]byte, error) {
	if node == e.node {
		return e.callLocal(ctx, name, request)
	}
	if len(request) > MaxCall {
		return nil, Reasonf(BadArg, "a request of %d bytes, the limit is %d", len(request), MaxCall)
	}
	ref := e.MakeRef()
	c := pendingCall{node: node, ch: make(chan *Signal, 1)}
	e.mu.Lock()
	s := e.sessions[node]
	if s != nil {
		e.calls[ref] = c
	}
	e.mu.Unlock()
	if s == nil {
		return nil, Reason{Word: NoConnection}
	}
	s.link.Send(&Signal{
		Kind: KindCall, Ref: ref, Name: name, Data: request,
		From: PID{Node: e.node, Incarnation: e.inc},
		To:   PID{Node: node, Incarnation: s.peer.Incarnation},
	})
	select {
	case r := <-c.ch:
		if r.Reason.Word != "" {
			return nil, r.Reason
		}
		return r.Data, nil
	case <-ctx.Done():
		e.mu.Lock()
		delete(e.calls, ref)
		e.mu.Unlock()
		if ctx.Err() == context.DeadlineExceeded {
			return nil, Reason{Word: Timeout, Detail: "no answer in time"}
		}
		return nil, ctx.Err()
	}
}

func (e *Engine) callLocal(ctx context.Context, name string, request []byte) ([]byte, error) {
	e.mu.Lock()
	f := e.services[name]
	e.mu.Unlock()
	if f == nil {
		return nil, Reasonf(NoProc, "no service %q", name)
	}
	return f(ctx, Caller{Local: true}, request)
}

// Started returns when the guest of a process, on whatever node, is due to run its
// first instruction or there is none any more. If it ended before, who watches it
// from here has been told by then.
func (e *Engine) Started(ctx context.Context, pid PID) error {
	body, _ := pid.AppendBinary(nil) // never fails
	_, err := e.Call(ctx, pid.Node, "started", body)
	return err
}

// hasStarted is the service that Started calls.
func (e *Engine) hasStarted(ctx context.Context, _ Caller, body []byte) ([]byte, error) {
	pid, err := PIDFromBinary(body)
	if err != nil {
		return nil, Reasonf(BadArg, "%v", err)
	}
	p := e.Process(pid)
	if p == nil {
		return nil, nil // it has ended: who watches it knows why
	}
	ready := p.Started()
	for range 2 {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if p.Info().State != Exiting {
			break
		}
		ready = p.Done() // so that its Down goes before the answer
	}
	return nil, nil
}

// serve answers a call of the peer, on a new goroutine: calls keep no order.
func (s *Session) serve(sig *Signal) {
	e := s.eng
	answer := func(data []byte, r Reason) {
		s.link.Send(&Signal{
			Kind: KindReply, Ref: sig.Ref, Data: data, Reason: r,
			From: PID{Node: e.node, Incarnation: e.inc}, To: sig.From,
		})
	}
	if !s.peer.Roles.Allows("call:" + sig.Name) {
		answer(nil, Reasonf(NotAllowed, "the role does not allow the call %q", sig.Name))
		return
	}
	e.mu.Lock()
	f := e.services[sig.Name]
	closed := e.closed
	if f != nil && !closed {
		e.wg.Add(1)
	}
	e.mu.Unlock()
	if f == nil || closed {
		answer(nil, Reasonf(NoProc, "no service %q", sig.Name))
		return
	}
	select {
	case s.calls <- struct{}{}:
	default:
		e.wg.Done()
		answer(nil, Reasonf(SystemLimit, "%d calls under way", maxCalls))
		return
	}
	go func() {
		defer e.wg.Done()
		defer func() { <-s.calls }()
		data, err := f(s.ctx, Caller{Peer: s.peer}, sig.Data)
		if err != nil {
			answer(nil, asReason(err, BadArg))
			return
		}
		if len(data) > MaxCall {
			answer(nil, Reasonf(SystemLimit, "an answer of %d bytes, the limit is %d", len(data), MaxCall))
			return
		}
		answer(data, Reason{})
	}()
}

// reply hands a reply to its caller, if it still waits and asked that node.
func (e *Engine) reply(from NodeID, sig *Signal) {
	e.mu.Lock()
	c, ok := e.calls[sig.Ref]
	ok = ok && c.node == from
	if ok {
		delete(e.calls, sig.Ref)
	}
	e.mu.Unlock()
	if ok {
		c.ch <- sig
	}
}

// takeCalls removes and returns the calls that wait for a node. e.mu is held.
func (e *Engine) takeCalls(node NodeID) (lost []chan *Signal) {
	for ref, c := range e.calls {
		if c.node == node {
			lost = append(lost, c.ch)
			delete(e.calls, ref)
		}
	}
	return lost
}

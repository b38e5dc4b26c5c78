package otp

import (
	"context"
	"encoding/json"

	"github.com/wnode-project/wnode/engine"
)

// Sup is a running supervisor as a Go program asks it, on whatever node it is. Its
// methods may be used by several goroutines. Besides those said below their errors are
// a Reason: noproc if there is no such supervisor, noconnection and timeout, after
// which a request may have been carried out or not, and not_allowed.
type Sup struct {
	Engine *engine.Engine
	PID    engine.PID
}

// WhichChildren returns its children in the order of their start.
func (s Sup) WhichChildren(ctx context.Context) ([]Child, error) {
	a, err := s.ask(ctx, request{Op: opWhich})
	return a.list(), err
}

// CountChildren counts its children.
func (s Sup) CountChildren(ctx context.Context) (Count, error) {
	a, err := s.ask(ctx, request{Op: opCount})
	if err != nil || a.Count == nil {
		return Count{}, err
	}
	return *a.Count, nil
}

// StartChild adds a child behind the others and returns when it has started. If it
// does not the error is why, and there is no such child. ErrAlreadyPresent or
// ErrAlreadyStarted for an id that another one has.
func (s Sup) StartChild(ctx context.Context, c NewChild) (Child, error) {
	return s.one(ctx, request{Op: opStart, Child: &c})
}

// StartArgs is StartChild of a SimpleOneForOne supervisor: the arguments go behind
// those of its one spec.
func (s Sup) StartArgs(ctx context.Context, args ...string) (Child, error) {
	return s.one(ctx, request{Op: opStart, Args: args})
}

// TerminateChild ends a child and returns when it has ended. Its spec stays, unless
// it is temporary or the supervisor SimpleOneForOne. ErrNotFound.
func (s Sup) TerminateChild(ctx context.Context, id string) error {
	_, err := s.ask(ctx, request{Op: opTerminate, ID: id})
	return err
}

// RestartChild starts a child that has ended. ErrNotFound, ErrRunning, ErrRestarting,
// ErrSimpleOneForOne, or why it does not start.
func (s Sup) RestartChild(ctx context.Context, id string) (Child, error) {
	return s.one(ctx, request{Op: opRestart, ID: id})
}

// DeleteChild forgets a child that has ended. Errors as of RestartChild.
func (s Sup) DeleteChild(ctx context.Context, id string) error {
	_, err := s.ask(ctx, request{Op: opDelete, ID: id})
	return err
}

// Stop has the supervisor end its children in order and then itself, and returns when
// it has ended, also if it was not there.
func (s Sup) Stop(ctx context.Context) error {
	_, err := s.ask(ctx, request{Op: opStop})
	if r, ok := err.(engine.Reason); ok && r.Word != engine.NoConnection && r.Word != engine.NotAllowed && r.Word != engine.Timeout {
		return nil
	}
	return err
}

// one is ask for an answer that is about one child.
func (s Sup) one(ctx context.Context, r request) (Child, error) {
	a, err := s.ask(ctx, r)
	if err != nil {
		return Child{}, err
	}
	list := a.list()
	if len(list) != 1 {
		return Child{}, engine.Reasonf(engine.BadArg, "an answer about %d children", len(list))
	}
	return list[0], nil
}

func (a *response) list() []Child {
	out := []Child{}
	for _, i := range a.Children {
		i.Child.PID, _ = engine.PIDFromBinary(i.PID) // zero if it is none
		out = append(out, i.Child)
	}
	return out
}

// ask sends a request and returns the answer.
func (s Sup) ask(ctx context.Context, r request) (a response, err error) {
	data, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	replies, downs := make(chan []byte, 1), make(chan engine.Reason, 1)
	from := s.Engine.Native(func(sig *engine.Signal) {
		switch {
		case sig.Kind == engine.KindDown:
			downs <- sig.Reason
		case sig.Kind == engine.KindMessage && sig.Message.Kind == engine.MessageReply:
			select {
			case replies <- sig.Message.Data:
			default: // of none, or a second one
			}
		}
	})
	defer from.Close(engine.Reason{Word: engine.Normal})
	ref := from.Monitor(s.PID)
	from.Send(s.PID, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageCall, Ref: ref, Data: data}})
	select {
	case data = <-replies:
	case why := <-downs:
		select {
		case data = <-replies: // it came first
		default:
			return a, why
		}
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return a, engine.Reason{Word: engine.Timeout, Detail: "no answer in time"}
		}
		return a, ctx.Err()
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, engine.Reasonf(engine.BadArg, "the answer cannot be read: %v", err)
	}
	if a.Error != nil {
		return a, *a.Error
	}
	return a, nil
}

// On returns a Place that is always the one node, connecting to it if it is not.
func On(e *engine.Engine, node engine.NodeID) func(context.Context) (engine.NodeID, error) {
	return func(ctx context.Context) (engine.NodeID, error) {
		if node == e.Node() || e.Session(node) != nil {
			return node, nil
		}
		id, err := e.Connect(ctx, node.String())
		if err == nil && id != node {
			err = engine.Reasonf(engine.NoConnection, "it is another node now")
		}
		return id, err
	}
}

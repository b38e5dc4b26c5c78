package otp

import (
	"time"

	"github.com/wnode-project/wnode/engine"
)

// CallTimeout is how long gen_server:call waits if nothing else is said.
const CallTimeout = 5 * time.Second

// Server is a process that handles calls: by its pid, or by the name that it has on a
// node.
type Server struct {
	PID  engine.PID
	Node engine.NodeID // of Name
	Name string        // "": by PID
}

// Call has a server handle a request and returns its reply; timeout below 0 is for ever.
// The error is a *Failure: with noproc or noconnection if there is no such server, with
// the server's reason if it ends first, and timeout, after which a late reply is
// dropped; or the reason why p must end. In gen_server the caller exits with that.
func Call(p *engine.Process, to Server, request []byte, timeout time.Duration) ([]byte, error) {
	ref, err := send(p, to, request)
	if err != nil {
		return nil, err
	}
	r, err := answer(p.AwaitReply(ref, timeout))
	return r.Data, err
}

func send(p *engine.Process, to Server, request []byte) (ref engine.Ref, err error) {
	if to.Name != "" {
		ref, err = p.CallName(to.Node, to.Name, 0, request)
	} else {
		ref, err = p.Call(to.PID, 0, request)
	}
	if err != nil {
		p.Demonitor(ref, true)
		if p.Context().Err() == nil {
			err = &Failure{ERPC, reason(err)}
		}
	}
	return ref, err
}

// Cast has a server handle a request that has no reply. That there is no server is no
// error.
func Cast(p *engine.Process, to Server, request []byte) error {
	m := &engine.Message{Kind: engine.MessageCast, Data: request}
	if to.Name == "" {
		return p.Send(to.PID, m)
	}
	if err := p.SendName(to.Node, to.Name, m); p.Context().Err() != nil || len(request) > engine.MaxMessage {
		return err
	}
	return nil
}

// Reply is what the server on one node of a MultiCall said.
type Reply struct {
	Node engine.NodeID
	Data []byte
}

// MultiCall calls the server that has a name on each node, all at once, and returns the
// replies, in the order of the nodes, and the nodes that have not given one in time; timeout
// below 0 is for ever. The error is the reason why p must end, or that the request is
// too large.
func MultiCall(p *engine.Process, nodes []engine.NodeID, name string, request []byte, timeout time.Duration) (replies []Reply, bad []engine.NodeID, err error) {
	refs := make([]engine.Ref, len(nodes))
	for i, n := range nodes {
		if refs[i], err = send(p, Server{Node: n, Name: name}, request); err != nil {
			for _, r := range refs[:i] {
				p.Demonitor(r, true)
			}
			return nil, nil, err
		}
	}
	left := deadline(timeout)
	for i, n := range nodes {
		r, err := answer(p.AwaitReply(refs[i], left()))
		switch {
		case err == nil:
			replies = append(replies, Reply{n, r.Data})
		case p.Context().Err() != nil:
			return nil, nil, err
		default:
			bad = append(bad, n)
		}
	}
	return replies, bad, nil
}

// ABCast casts to the server that has a name on each node.
func ABCast(p *engine.Process, nodes []engine.NodeID, name string, request []byte) error {
	for _, n := range nodes {
		if err := Cast(p, Server{Node: n, Name: name}, request); err != nil {
			return err
		}
	}
	return nil
}

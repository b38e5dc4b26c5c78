package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Client calls the services of one node. Errors are an engine.Reason.
type Client struct {
	Engine *engine.Engine
	Node   engine.NodeID
}

// call sends a request and decodes the answer; nil stands for no body.
func (c Client) call(ctx context.Context, service string, req, answer any) error {
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return err
		}
	}
	out, err := c.Engine.Call(ctx, c.Node, service, body)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return engine.Reasonf(engine.BadArg, "the answer to %s cannot be read: %v", service, err)
	}
	return nil
}

// Ping returns the time of one round trip.
func (c Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	_, err := c.Engine.Call(ctx, c.Node, "ping", nil)
	return time.Since(begin), err
}

// Status describes the node.
func (c Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, "status", nil, &s)
}

// Processes lists its guest processes, oldest first.
func (c Client) Processes(ctx context.Context) (ps []Process, err error) {
	return ps, c.call(ctx, "ps", nil, &ps)
}

// Peers lists the nodes it has sessions with.
func (c Client) Peers(ctx context.Context) (ps []Peer, err error) {
	return ps, c.call(ctx, "peers", nil, &ps)
}

// Kill ends a process and returns when it is gone; noproc if it was not there,
// not_allowed if it is of another origin.
func (c Client) Kill(ctx context.Context, pid engine.PID, reason string) error {
	return c.call(ctx, "kill", killRequest{PID: pid.String(), Reason: reason}, nil)
}

// Stop tells the node to stop after its processes ended by themselves, at the
// latest after drain. It returns when the node has begun to.
func (c Client) Stop(ctx context.Context, drain time.Duration) error {
	return c.call(ctx, "stop", stopRequest{DrainSeconds: drain.Seconds()}, nil)
}

// Modules lists the node's store.
func (c Client) Modules(ctx context.Context) (ms []Module, err error) {
	return ms, c.call(ctx, "module.ls", nil, &ms)
}

// Inspect describes a module of the node's store.
func (c Client) Inspect(ctx context.Context, name string) (i Inspection, err error) {
	return i, c.call(ctx, "module.inspect", moduleRequest{Name: name}, &i)
}

// Find returns the CID and size of a module of the node's store.
func (c Client) Find(ctx context.Context, name string) (m Module, err error) {
	return m, c.call(ctx, "module.get", moduleRequest{Name: name}, &m)
}

// AddModule has the node fetch a module from this one, check it and give it
// the tag; "" is none.
func (c Client) AddModule(ctx context.Context, cid string, size uint64, tag string) error {
	return c.call(ctx, "module.add", moduleRequest{Name: cid, Size: size, Tag: tag}, nil)
}

// RemoveModule removes a module and its tags from the node's store; given a
// tag of a module that has others, only the tag.
func (c Client) RemoveModule(ctx context.Context, name string) error {
	return c.call(ctx, "module.rm", moduleRequest{Name: name}, nil)
}

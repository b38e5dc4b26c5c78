package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/logs"
)

// findProcess returns the process of this node with a pid in text form.
func (s *Server) findProcess(text string) (*engine.Process, error) {
	_, pid, err := engine.ParsePID(text)
	if err != nil {
		return nil, err
	}
	pid.Node = s.Engine.Node()
	p := s.Engine.Process(pid)
	if p == nil {
		return nil, engine.Reasonf(engine.NoProc, "no process %s", s.Engine.PIDText(pid))
	}
	return p, nil
}

func (s *Server) describe(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	var req pidRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	p, err := s.findProcess(req.PID)
	if err != nil {
		return nil, err
	}
	i := p.Info()
	pids := func(list []engine.PID) []string {
		out := []string{}
		for _, pid := range list {
			out = append(out, s.Engine.PIDText(pid))
		}
		slices.Sort(out)
		return out
	}
	texts := func(list []string) []string { return append([]string{}, list...) }
	d := Description{
		Process: s.process(i), Names: texts(i.Names), ClusterNames: texts(i.GlobalNames), Groups: texts(i.Groups),
		Links: pids(i.Links), Monitors: pids(i.Monitors), MonitoredBy: pids(i.MonitoredBy),
		Messages: i.Messages, MailboxBytes: i.MailboxBytes, Dropped: i.Dropped, TrapsExit: i.TrapsExit, Server: i.Server,
	}
	if !i.Parent.IsZero() {
		d.Parent = s.Engine.PIDText(i.Parent)
	}
	return json.Marshal(d)
}

func (s *Server) whereis(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	var req nameRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	pid := s.Engine.Whereis(req.Name)
	if req.Cluster {
		pid = s.Engine.WhereisGlobal(req.Name)
	}
	if pid.IsZero() {
		return nil, engine.Reasonf(engine.NoProc, "nobody is called %q", req.Name)
	}
	return pid.AppendBinary(nil)
}

// logWait is how long a request for more of a log waits.
const logWait = 10 * time.Second

func (s *Server) logs(ctx context.Context, from engine.Caller, body []byte) ([]byte, error) {
	var req logRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	_, pid, err := engine.ParsePID(req.PID)
	if err != nil {
		return nil, err
	}
	pid.Node = s.Engine.Node()
	if s.Logs == nil {
		return nil, engine.Reasonf(engine.NotSup, "the node keeps no logs")
	}
	owner, err := s.Logs.Origin(pid)
	if err != nil {
		return nil, engine.Reasonf(engine.NoProc, "%s: %v", s.Engine.PIDText(pid), err)
	}
	if !s.Engine.MayControl(from, owner) && from.Roles&engine.RoleLogs == 0 {
		return nil, engine.Reasonf(engine.NotAllowed, "%s is of another origin", s.Engine.PIDText(pid))
	}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	if !req.Wait {
		cancel() // what is there now
	}
	var l Log
	l.Records, l.Next, l.More, err = s.Logs.Read(ctx, pid, req.From)
	if errors.Is(err, logs.ErrNone) {
		err = engine.Reasonf(engine.NoProc, "%v", err)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(l)
}

// Describe says all that is known of a process.
func (c Client) Describe(ctx context.Context, pid engine.PID) (d Description, err error) {
	return d, c.call(ctx, "describe", pidRequest{PID: pid.String()}, &d)
}

// Started returns when a process has started, or will not.
func (c Client) Started(ctx context.Context, pid engine.PID) error {
	return c.Engine.Started(ctx, pid)
}

// Whereis returns who has a name on the node, or a cluster-wide one as the node knows
// it. The error is noproc for nobody.
func (c Client) Whereis(ctx context.Context, name string, cluster bool) (engine.PID, error) {
	body, err := json.Marshal(nameRequest{Name: name, Cluster: cluster})
	if err != nil {
		return engine.PID{}, err
	}
	out, err := c.Engine.Call(ctx, c.Node, "whereis", body)
	if err != nil {
		return engine.PID{}, err
	}
	return engine.PIDFromBinary(out)
}

// Logs returns what a detached process wrote, from an offset on: 0, or where an
// earlier part said. With wait it waits some seconds for more.
func (c Client) Logs(ctx context.Context, pid engine.PID, from int64, wait bool) (l Log, err error) {
	return l, c.call(ctx, "logs", logRequest{PID: pid.String(), From: from, Wait: wait}, &l)
}

package shell

import (
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/wnode-project/wnode/engine"
)

// builtin is a function of the shell: its arguments are unpacked by name.
type builtin func(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

func (s *Session) builtins() starlark.StringDict {
	d := starlark.StringDict{}
	for name, f := range map[string]builtin{
		"self": s.self, "nodes": s.nodes, "ps": s.ps, "help": s.help,
		"spawn": s.spawn, "spawn_link": s.spawn, "spawn_monitor": s.spawn,
		"send": s.send, "cast": s.send, "call": s.call, "receive": s.receive, "flush": s.flush,
		"link": s.link, "unlink": s.link, "monitor": s.monitor, "demonitor": s.demonitor, "kill": s.kill, "whereis": s.whereis,
	} {
		d[name] = starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			v, err := f(b, args, kwargs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.Name(), err)
			}
			return v, nil
		})
	}
	return d
}

const helpText = `self()                                 the shell's pid
nodes()                                names of connected nodes
ps(node)                               processes of a node
spawn(node, module, entry, args...)    start a process; spawn_link and spawn_monitor too
send(proc, data, tag=0)                send a message; cast(proc, data)
call(proc, data, timeout=5)            call a server, and return its answer
receive(timeout=5)                     the first message, None if there is none in time
flush()                                show all messages, and forget them
link(proc) unlink(proc) monitor(proc) demonitor(ref) kill(proc)
whereis(name, node)                    who has a name on a node, or None
A proc is a pid, "kate.1.3.19", "NAME@NODE" or "@NAME" of the cluster.`

func (s *Session) help(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(b.Name(), args, kwargs); err != nil {
		return nil, err
	}
	_, err := fmt.Fprintln(s.cfg.Out, helpText)
	return starlark.None, err
}

func (s *Session) self(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return s.pid(s.proc.PID()), starlark.UnpackArgs(b.Name(), args, kwargs)
}

func (s *Session) nodes(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var names []starlark.Value
	for _, p := range s.cfg.Engine.Nodes() {
		names = append(names, starlark.String(p.Name))
	}
	return starlark.NewList(names), starlark.UnpackArgs(b.Name(), args, kwargs)
}

func (s *Session) ps(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var node string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "node?", &node); err != nil {
		return nil, err
	}
	c, err := s.client(node)
	if err != nil {
		return nil, err
	}
	ps, err := c.Processes(s.context())
	if err != nil {
		return nil, err
	}
	var list []starlark.Value
	for _, p := range ps {
		d := starlark.StringDict{"module": starlark.String(p.Module), "state": starlark.String(p.State), "reductions": starlark.MakeUint64(p.Reductions)}
		_, id, err := engine.ParsePID(p.PID)
		if err != nil {
			return nil, err
		}
		id.Node = c.Node
		d["pid"] = s.pid(id)
		list = append(list, starlarkstruct.FromStringDict(starlark.String("process"), d))
	}
	return starlark.NewList(list), nil
}

// spawn is spawn, spawn_link and spawn_monitor: node, module, entry, args...
func (s *Session) spawn(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	if err := starlark.UnpackArgs(b.Name(), nil, kwargs, "register?", &name); err != nil {
		return nil, err
	}
	var texts []string
	for _, a := range args {
		t, ok := starlark.AsString(a)
		if !ok {
			t = a.String()
		}
		texts = append(texts, t)
	}
	if len(texts) < 2 {
		return nil, fmt.Errorf("want a node, a module, and perhaps an export and its arguments")
	}
	c, err := s.client(texts[0])
	if err != nil {
		return nil, err
	}
	spec := &engine.Spec{Leader: s.cfg.Leader, NoInput: true, Name: name, Monitor: s.cfg.Engine.MakeRef(), Link: b.Name() == "spawn_link"}
	if spec.Module, err = s.cfg.Module(s.context(), texts[1], c.Node); err != nil {
		return nil, err
	}
	if len(texts) > 2 {
		spec.Entry, spec.Args = texts[2], texts[3:]
		if spec.Entry == "_start" {
			spec.Entry = ""
		}
	}
	own := spec.Monitor
	child, err := s.proc.Spawn(c.Node, spec)
	if err != nil {
		return nil, err
	}
	s.started[child] = own // which the user does not see
	if b.Name() == "spawn_monitor" {
		return starlark.Tuple{s.pid(child), ref{s.proc.Monitor(child)}}, nil
	}
	return s.pid(child), nil
}

// procOf reads a process: a pid, or its text.
func (s *Session) procOf(v starlark.Value) (engine.PID, error) {
	if p, ok := v.(pid); ok {
		return p.PID, nil
	}
	text, ok := starlark.AsString(v)
	if !ok {
		return engine.PID{}, fmt.Errorf("a %s is no process", v.Type())
	}
	text = strings.Trim(text, "<>")
	name, node, named := strings.Cut(text, "@")
	switch {
	case !named:
		node, p, err := engine.ParsePID(text)
		if err != nil {
			return p, err
		}
		p.Node, err = s.cfg.Engine.Connect(s.context(), node)
		return p, err
	case name == "":
		peers := s.cfg.Engine.Nodes()
		if len(peers) == 0 {
			return engine.PID{}, engine.Reasonf(engine.NoProc, "no node is connected that could know %s", text)
		}
		c, err := s.client(peers[0].Name)
		if err != nil {
			return engine.PID{}, err
		}
		return c.Whereis(s.context(), node, true)
	}
	c, err := s.client(node)
	if err != nil {
		return engine.PID{}, err
	}
	return c.Whereis(s.context(), name, false)
}

// dataOf reads the data of a message.
func dataOf(v starlark.Value) ([]byte, error) {
	switch v := v.(type) {
	case starlark.String:
		return []byte(v), nil
	case starlark.Bytes:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("data is a string or bytes, not a %s", v.Type())
}

// send is send and cast.
func (s *Session) send(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var to, data starlark.Value
	m := &engine.Message{Kind: engine.MessageData}
	if b.Name() == "cast" {
		m.Kind = engine.MessageCast
	}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "proc", &to, "data", &data, "tag?", &m.Tag); err != nil {
		return nil, err
	}
	p, err := s.procOf(to)
	if err != nil {
		return nil, err
	}
	if m.Data, err = dataOf(data); err != nil {
		return nil, err
	}
	return data, s.proc.Send(p, m)
}

func (s *Session) call(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var to, data starlark.Value
	timeout := seconds(5 * time.Second)
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "proc", &to, "data", &data, "timeout?", &timeout); err != nil {
		return nil, err
	}
	p, err := s.procOf(to)
	if err != nil {
		return nil, err
	}
	request, err := dataOf(data)
	if err != nil {
		return nil, err
	}
	r, err := s.proc.Call(p, 0, request)
	defer s.proc.Demonitor(r, true)
	if err != nil {
		return nil, err
	}
	m, err := s.wait(engine.Match{Ref: r, Kinds: 1<<engine.MessageReply | 1<<engine.MessageDown}, time.Duration(timeout))
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, engine.Reasonf(engine.Timeout, "no answer in %v", time.Duration(timeout))
	case m.Kind == engine.MessageDown:
		return nil, m.Reason
	}
	return text(m.Data), nil
}

// seconds is a time that is given as a number of seconds.
type seconds time.Duration

// Unpack implements starlark.Unpacker.
func (t *seconds) Unpack(v starlark.Value) error {
	f, ok := starlark.AsFloat(v)
	if !ok || f > 1e9 {
		return fmt.Errorf("a time is a number of seconds, not %s", v)
	}
	*t = seconds(f * float64(time.Second))
	return nil
}

// own selects the messages that the user of the shell sees.
func (s *Session) own(m *engine.Message) bool {
	if m.Kind != engine.MessageDown {
		return true
	}
	monitor, ok := s.started[m.From]
	return !ok || monitor != m.Ref
}

// wait is Receive that ends with the evaluation.
func (s *Session) wait(match engine.Match, timeout time.Duration) (*engine.Message, error) {
	ctx := s.context()
	var left <-chan time.Time
	if timeout >= 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		left = t.C
	}
	seen := uint64(0) // the last message that it is not
	for {
		for m := s.proc.After(engine.Match{}, seen); m != nil; m = s.proc.After(engine.Match{}, seen) {
			if match.Matches(m) && (s.own(m) || !match.Ref.IsZero()) {
				s.proc.Take(m)
				return m, nil
			}
			seen = m.ID()
		}
		arrived := s.proc.Arrived(seen)
		select {
		case <-arrived:
		case <-left:
			return nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("interrupted")
		case <-s.proc.Context().Done():
			return nil, errEnded
		}
	}
}

func (s *Session) receive(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	timeout := seconds(5 * time.Second)
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "timeout?", &timeout); err != nil {
		return nil, err
	}
	m, err := s.wait(engine.Match{}, time.Duration(timeout))
	if err != nil || m == nil {
		return starlark.None, err
	}
	return s.message(m), nil
}

func (s *Session) flush(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(b.Name(), args, kwargs); err != nil {
		return nil, err
	}
	for {
		m, err := s.wait(engine.Match{}, 0)
		if err != nil || m == nil {
			return starlark.None, err
		}
		fmt.Fprintln(s.cfg.Out, s.message(m))
	}
}

package shell

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"github.com/wnode-project/wnode/engine"
)

// one unpacks the only argument, a process.
func (s *Session) one(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (engine.PID, error) {
	var to starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "proc", &to); err != nil {
		return engine.PID{}, err
	}
	return s.procOf(to)
}

// link is link and unlink.
func (s *Session) link(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	p, err := s.one(b, args, kwargs)
	switch {
	case err != nil:
		return nil, err
	case b.Name() == "link":
		s.proc.Link(p)
	default:
		s.proc.Unlink(p)
	}
	return starlark.True, nil
}

func (s *Session) monitor(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	p, err := s.one(b, args, kwargs)
	if err != nil {
		return nil, err
	}
	return ref{s.proc.Monitor(p)}, nil
}

func (s *Session) demonitor(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var v starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "ref", &v); err != nil {
		return nil, err
	}
	r, ok := v.(ref)
	if !ok {
		return nil, fmt.Errorf("a %s is no reference", v.Type())
	}
	s.proc.Demonitor(r.Ref, true)
	return starlark.True, nil
}

func (s *Session) kill(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	p, err := s.one(b, args, kwargs)
	if err != nil {
		return nil, err
	}
	return starlark.True, s.proc.Exit(p, engine.Reason{Word: engine.Kill, Detail: "from a shell"})
}

func (s *Session) whereis(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, node string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "node?", &node); err != nil {
		return nil, err
	}
	c, err := s.client(node)
	if err != nil {
		return nil, err
	}
	p, err := c.Whereis(s.context(), name, false)
	if errors.Is(err, engine.Reason{Word: engine.NoProc}) {
		return starlark.None, nil
	}
	return s.pid(p), err
}

package shell

import (
	"fmt"
	"hash/fnv"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"

	"github.com/wnode-project/wnode/engine"
)

// pid is a process's name as a value.
type pid struct {
	engine.PID
	text string
}

var (
	_ starlark.Comparable = pid{}
	_ starlark.Comparable = ref{}
)

func (s *Session) pid(p engine.PID) pid { return pid{p, s.cfg.Engine.PIDText(p)} }

func (p pid) String() string        { return "<" + p.text + ">" }
func (p pid) Type() string          { return "pid" }
func (p pid) Freeze()               {}
func (p pid) Truth() starlark.Bool  { return !starlark.Bool(p.IsZero()) }
func (p pid) Hash() (uint32, error) { return hash(p.PID), nil }

// CompareSameType implements starlark.Comparable.
func (p pid) CompareSameType(op syntax.Token, y starlark.Value, _ int) (bool, error) {
	return equal(op, p.PID == y.(pid).PID)
}

// ref is a reference as a value.
type ref struct{ engine.Ref }

func (r ref) String() string        { return fmt.Sprintf("<ref %d>", r.Counter) }
func (r ref) Type() string          { return "ref" }
func (r ref) Freeze()               {}
func (r ref) Truth() starlark.Bool  { return !starlark.Bool(r.IsZero()) }
func (r ref) Hash() (uint32, error) { return hash(engine.PID(r.Ref)), nil }

// CompareSameType implements starlark.Comparable.
func (r ref) CompareSameType(op syntax.Token, y starlark.Value, _ int) (bool, error) {
	return equal(op, r.Ref == y.(ref).Ref)
}

func equal(op syntax.Token, same bool) (bool, error) {
	switch op {
	case syntax.EQL:
		return same, nil
	case syntax.NEQ:
		return !same, nil
	}
	return false, fmt.Errorf("they have no order")
}

func hash(p engine.PID) uint32 {
	b, _ := p.AppendBinary(nil) // never fails
	h := fnv.New32a()
	h.Write(b)
	return h.Sum32()
}

// kinds are the names of the kinds of messages.
var kinds = map[engine.MessageKind]string{
	engine.MessageData: "data", engine.MessageCall: "call", engine.MessageReply: "reply", engine.MessageCast: "cast",
	engine.MessageExit: "exit", engine.MessageDown: "down", engine.MessageNodeUp: "nodeup",
	engine.MessageNodeDown: "nodedown", engine.MessageTimeout: "timeout", engine.MessageNameLost: "name_lost",
}

// message returns a message as a struct.
func (s *Session) message(m *engine.Message) starlark.Value {
	d := starlark.StringDict{"kind": starlark.String(kinds[m.Kind]), "sender": s.pid(m.From)}
	switch m.Kind {
	case engine.MessageExit, engine.MessageDown:
		d["reason"] = starlark.String(m.Reason.Error())
	default:
		d["data"] = text(m.Data)
	}
	if m.Tag != 0 {
		d["tag"] = starlark.MakeUint64(m.Tag)
	}
	if !m.Ref.IsZero() {
		d["ref"] = ref{m.Ref}
	}
	return starlarkstruct.FromStringDict(starlark.String("message"), d)
}

// text returns data as a string if it is text, else as bytes.
func text(b []byte) starlark.Value {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\t' {
			return starlark.Bytes(b)
		}
	}
	return starlark.String(b)
}

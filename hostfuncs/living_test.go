package hostfuncs

import (
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// village is a node without a network but a peer of another user, which never answers.
type village struct {
	t    testing.TB
	eng  *engine.Engine
	peer *engine.Session
	next uint64 // counter of the pids that the peer mints
}

var (
	here      = engine.NodeID{1}
	elsewhere = engine.NodeID{2}
)

// deaf is a Link to a node that hears nothing.
type deaf struct{}

func (deaf) Send(*engine.Signal)                 {}
func (deaf) Busy(*engine.Signal) <-chan struct{} { return nil }
func (deaf) Close(error)                         {}

func newVillage(t testing.TB) *village {
	v := &village{t: t, eng: engine.New(engine.Config{
		Node: here, Name: "kate", Incarnation: 1, Owner: engine.Origin{1}, Modules: &enginetest.Modules{}, Runner: noRunner{},
	})}
	var err error
	v.peer, err = v.eng.SessionUp(engine.Peer{
		Node: elsewhere, Name: "alex", Incarnation: 1, Session: 1, Minter: 1, GaveMinter: 1, Origin: engine.Origin{2}, Roles: engine.OpenRoles,
	}, deaf{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// noRunner is never asked: no module can be opened.
type noRunner struct{}

func (noRunner) Run(*engine.Process, engine.ModuleData, *engine.Report) engine.Reason {
	panic("a module was found")
}

func (v *village) close() {
	if v.t.Failed() {
		return // a guest that was given up in the midst of a call would be waited for
	}
	v.eng.Close()
	v.peer.Down(nil)
}

// inhabit runs body as a process of the node's owner, or of the peer's, and returns
// its pid and a channel that is closed at the end of body.
func (v *village) inhabit(foreign bool, body func(p *engine.Process)) (pid engine.PID, ended <-chan struct{}) {
	v.t.Helper()
	done := make(chan struct{})
	run := func(p *engine.Process) engine.Reason {
		defer close(done)
		body(p)
		return engine.Reason{Word: engine.Normal}
	}
	if !foreign {
		return v.eng.Go("native", run), done
	}
	v.next++
	from := engine.PID{Node: elsewhere, Incarnation: 1, Counter: 1}
	pid = engine.PID{Node: here, Incarnation: 1, Minter: 1, Counter: v.next}
	spec := engine.Func("foreigner", run)
	spec.Parent = from
	if err := v.peer.Deliver(&engine.Signal{Kind: engine.KindSpawn, From: from, To: pid, Spec: spec}); err != nil {
		v.t.Fatal(err)
	}
	return pid, done
}

// guest runs body as a process with a guest that calls what body says. It returns when
// body has.
func (v *village) guest(foreign bool, body func(x *proxy, p *engine.Process)) {
	v.t.Helper()
	_, done := v.inhabit(foreign, func(p *engine.Process) {
		x := instantiate(v.t, proxyModule(true), p)
		defer x.close()
		body(x, p)
	})
	<-done
}

// neighbour starts a process that answers each call with what it says, and is seen by
// the name "neighbour".
func (v *village) neighbour(foreign bool) (engine.PID, <-chan struct{}) {
	v.t.Helper()
	pid, ended := v.inhabit(foreign, func(p *engine.Process) {
		p.TrapExit(true)
		for {
			m, err := p.Receive(engine.Match{}, -1)
			if err != nil {
				return
			}
			if m.Kind == engine.MessageCall {
				_ = p.Send(m.From, &engine.Message{Kind: engine.MessageReply, Ref: m.Ref, Data: m.Data}) // the process ends
			}
		}
	})
	return pid, ended
}

// answers reports whether a process answers a call.
func (v *village) answers(pid engine.PID) (ok bool) {
	v.t.Helper()
	_, done := v.inhabit(false, func(p *engine.Process) {
		ref := p.Monitor(pid)
		if err := p.Send(pid, &engine.Message{Kind: engine.MessageCall, Ref: ref, Data: []byte("well?")}); err != nil {
			return
		}
		m, err := p.Receive(engine.Match{Ref: ref}, -1)
		ok = err == nil && m.Kind == engine.MessageReply && string(m.Data) == "well?"
	})
	<-done
	return ok
}

// at writes a pid, reference or node's id to guest memory.
func (x *proxy) at(addr uint32, p engine.PID) uint64 {
	b, _ := p.AppendBinary(nil) // never fails
	x.mod.Memory().Write(addr, b)
	return uint64(addr)
}

// reasonAt writes a reason to guest memory.
func (x *proxy) reasonAt(addr uint32, r engine.Reason) (ptr, n uint64) {
	return x.put(addr, string(appendReason(nil, r)))
}

// fieldsAt writes fields of a spec to guest memory: numbers, each followed by its value.
func (x *proxy) fieldsAt(addr uint32, fields ...any) (ptr, n uint64) {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		var v []byte
		switch f := fields[i+1].(type) {
		case string:
			v = []byte(f)
		case uint32:
			v = le.AppendUint32(nil, f)
		case uint64:
			v = le.AppendUint64(nil, f)
		}
		b = le.AppendUint32(b, uint32(fields[i].(int)))
		b = append(le.AppendUint32(b, uint32(len(v))), v...)
	}
	return x.put(addr, string(b))
}

// messageAt reads a message that a function wrote.
func (x *proxy) messageAt(addr uint32) (kind uint8, tag uint64, payload string) {
	head := x.bytes(addr, abi.SizeMessage)
	return head[0], le.Uint64([]byte(head[8:])), x.bytes(addr+abi.SizeMessage, le.Uint32([]byte(head[4:])))
}

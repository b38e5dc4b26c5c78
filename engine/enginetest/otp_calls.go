package enginetest

import (
	"fmt"
	"time"

	"github.com/wnode-project/wnode/engine"
)

var calls = []sentence{
	{"a call has one answer, and no DOWN follows it", testCallAnswer},
	{"a call of nobody, or of one that ends, has a DOWN", testCallDown},
	{"an answer that was given up never comes", testCallLate},
	{"a reply to no call is dropped", testCallForged},
	{"another process may answer", testCallDelegated},
	{"what a spawned call returns comes in place of its DOWN", testCallSpawned},
	{"the DOWN of a spawned call tells how it ended", testCallClasses},
	{"a spawned call that was given up is never heard of", testCallAbandoned},
}

// answers checks what has come for a reference, as text does but with replies marked.
func (a *puppet) answers(ref engine.Ref, want string) {
	a.e.Helper()
	a.do(func(p *engine.Process) {
		m, err := p.AwaitReply(ref, patience)
		got := fmt.Sprintf("nothing (%v)", err)
		if m != nil {
			got = a.e.text(m)
		}
		if m != nil && m.Kind == engine.MessageReply {
			got = fmt.Sprintf("REPLY %d %s", m.Tag, m.Data)
		}
		if got != want {
			a.e.Errorf("%s is answered %q, want %q", a.name, got, want)
		}
	})
}

// calls sends a call.
func (a *puppet) calls(to engine.PID, text string) (ref engine.Ref) {
	a.e.Helper()
	a.do(func(p *engine.Process) {
		var err error
		ref, err = p.Call(to, 7, []byte(text))
		must(a.e, err)
	})
	return ref
}

// replies answers the first call, with the text of it and more.
func (a *puppet) replies(more string) {
	a.e.Helper()
	a.do(func(p *engine.Process) {
		m, err := p.Receive(engine.Match{Kinds: 1 << engine.MessageCall}, patience)
		if m == nil {
			a.e.Errorf("%s has no call: %v", a.name, err)
			return
		}
		must(a.e, p.Reply(m, append(m.Data, more...)))
	})
}

func testCallAnswer(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	ref := a.calls(b.PID(), "two")
	b.replies(" three")
	a.answers(ref, "REPLY 7 two three")
	b.end(normal)
	a.seesNothing()
	if n := len(a.Info().Monitors); n != 0 {
		e.Errorf("%d monitors are left", n)
	}
}

func testCallDown(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	corpse := e.corpse(e.there)
	a.answers(a.calls(corpse, "x"), "DOWN corpse noproc")
	ref := a.calls(b.PID(), "x")
	e.settle()
	b.end(shutdown)
	a.answers(ref, "DOWN b shutdown")
	a.do(func(p *engine.Process) {
		var err error
		ref, err = p.CallName(e.there.Node(), "nobody", 0, nil)
		must(e, err)
	})
	a.answers(ref, "DOWN someone noproc")
	a.seesNothing()
}

func testCallLate(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	for _, arrived := range []bool{false, true} {
		ref := a.calls(b.PID(), "x")
		if arrived {
			b.replies(" in time")
			e.settle()
		}
		a.do(func(p *engine.Process) {
			if arrived {
				p.Demonitor(ref, true)
			} else if m, err := p.AwaitReply(ref, time.Nanosecond); m != nil || err != nil {
				e.Errorf("%v, %v", m, err)
			}
		})
		if !arrived {
			b.replies(" late")
		}
		a.seesNothing()
	}
	b.end(normal)
	a.seesNothing()
}

func testCallForged(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	b.do(func(p *engine.Process) {
		for _, ref := range []engine.Ref{{}, e.alex.MakeRef(), e.there.MakeRef()} {
			must(e, p.Send(a.PID(), &engine.Message{Kind: engine.MessageReply, Ref: ref}))
		}
	})
	a.seesNothing()
}

func testCallDelegated(e *env) {
	a, b, c := e.puppet(e.alex, "a"), e.puppet(e.there, "b"), e.puppet(e.alex, "c")
	ref := a.calls(b.PID(), "x")
	b.do(func(p *engine.Process) {
		m, err := p.Receive(engine.Match{}, patience)
		must(e, err)
		c.do(func(p *engine.Process) { must(e, p.Reply(m, []byte("for b"))) })
	})
	a.answers(ref, "REPLY 7 for b")
	b.end(normal)
	a.seesNothing()
}

func testCallSpawned(e *env) {
	a := e.puppet(e.alex, "a")
	m := e.programs.Add("double", func(p *engine.Process) engine.Reason {
		for range 2 {
			if err := p.Return(p.Spec().Input); err != nil {
				return engine.Reasonf(engine.Trap, "%v", err)
			}
		}
		p.ReturnText([]byte("not this"))
		return normal
	})
	text := e.programs.Add("text", func(p *engine.Process) engine.Reason {
		p.ReturnText([]byte("5\n"))
		return normal
	})
	nothing := e.programs.Add("nothing", func(*engine.Process) engine.Reason { return normal })
	for _, c := range []struct {
		module engine.Module
		want   string
	}{{m, "REPLY 0 abab"}, {text, "REPLY 1 5\n"}, {nothing, "REPLY 1 "}} {
		ref := e.alex.MakeRef()
		a.spawn(e.there.Node(), engine.Spec{Module: c.module, Call: true, Monitor: ref, Input: []byte("ab")})
		a.answers(ref, c.want)
	}
	// A native has it the same way: the answer, and no Down.
	got := make(chan *engine.Signal, 4)
	n := e.alex.Native(func(s *engine.Signal) { got <- s })
	defer n.Close(normal)
	n.Spawn(e.there.Node(), &engine.Spec{Module: m, Call: true, Monitor: e.alex.MakeRef(), Input: []byte("ab")})
	if s := <-got; s.Kind != engine.KindMessage || string(s.Message.Data) != "abab" {
		e.Errorf("a native gets %+v", s)
	}
	a.seesNothing()
	select {
	case s := <-got:
		e.Errorf("a native gets %+v, too", s)
	default:
	}
	if left := n.Monitored(); len(left) != 0 {
		e.Errorf("%d monitors are left", len(left))
	}
}

func testCallClasses(e *env) {
	a := e.puppet(e.alex, "a")
	leaves := func(r engine.Reason, how engine.End) Program {
		return func(p *engine.Process) engine.Reason { p.Leave(r, how); return normal }
	}
	as := func(r engine.Reason) Program { return func(*engine.Process) engine.Reason { return r } }
	lost := engine.Reason{Word: engine.NoConnection}
	for _, c := range []struct {
		module engine.Module
		want   string
		end    engine.End
	}{
		{e.programs.Add("throws", leaves(engine.Reasonf(engine.Thrown, "no such key"), engine.EndThrown)), "thrown: no such key", engine.EndThrown},
		{e.programs.Add("exits", as(engine.Reason{Word: engine.Exited, Code: 3})), "exited 3", engine.EndExited},
		{e.programs.Add("pretends", leaves(lost, engine.EndExited)), "noconnection", engine.EndExited},
		{e.programs.Add("traps", as(engine.Reasonf(engine.Trap, "unreachable"))), "trap: unreachable", engine.EndTrapped},
		{e.programs.Add("is killed", func(p *engine.Process) engine.Reason {
			p.Kill(engine.Reason{Word: engine.Killed})
			return normal
		}), "killed", engine.EndKilled},
		{ModuleOf([]byte("there is none")), "module_not_found: ", engine.EndRuntime},
	} {
		ref := e.alex.MakeRef()
		a.spawn(e.there.Node(), engine.Spec{Module: c.module, Call: true, Monitor: ref})
		a.do(func(p *engine.Process) {
			m, err := p.AwaitReply(ref, patience)
			if m == nil || m.Kind != engine.MessageDown || m.End != c.end || len(m.Reason.Error()) < len(c.want) || m.Reason.Error()[:len(c.want)] != c.want {
				e.Errorf("%+v, %v; want %d %s", m, err, c.end, c.want)
			}
		})
	}
	ref := e.alex.MakeRef()
	a.spawn(unreachable.Node, engine.Spec{Call: true, Monitor: ref})
	a.answers(ref, "DOWN child noconnection")
	a.seesNothing()
}

func testCallAbandoned(e *env) {
	a := e.puppet(e.alex, "a")
	waits := make(chan struct{})
	m := e.programs.Add("waits", func(p *engine.Process) engine.Reason {
		<-waits
		return normal
	})
	ref := e.alex.MakeRef()
	pid := a.spawn(e.there.Node(), engine.Spec{Module: m, Call: true, Monitor: ref})
	a.do(func(p *engine.Process) { p.Demonitor(ref, true) })
	e.settle()
	child := e.there.Process(pid)
	close(waits)
	if child != nil {
		<-child.Done()
	}
	a.seesNothing()
}

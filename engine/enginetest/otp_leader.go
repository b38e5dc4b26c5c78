package enginetest

import (
	"errors"

	"github.com/wnode-project/wnode/engine"
)

var leaders = []sentence{
	{"it is changed by a signal in order with others", testLeaderChange},
	{"what waits for input goes on with the new one", testLeaderChangeInput},
	{"what waits for credit goes on with the new one", testLeaderChangeOutput},
	{"without it reads and writes fail, until there is another", testLeaderGone},
	{"its node is lost while output waits for credit", testLeaderLost},
}

// steps is a program that does what its messages say.
func steps(p *engine.Process) engine.Reason {
	for {
		m, err := p.Receive(engine.Match{}, -1)
		if err != nil {
			return normal
		}
		switch what := string(m.Data); what {
		case "read":
			b := make([]byte, 10)
			n, err := p.Read(b, true)
			if err != nil {
				return engine.Reasonf(engine.Trap, "read: %v", err)
			}
			p.Write(engine.Stdout, b[:n])
		case "flood":
			n, err := p.Write(engine.Stdout, make([]byte, 2*engine.OutputCredit))
			if err != nil {
				return engine.Reasonf(engine.Trap, "%d bytes: %v", n, err)
			}
		case "try":
			var out error
			for out == nil { // what was on its way is lost
				_, out = p.Write(engine.Stdout, []byte("x"))
			}
			_, in := p.Read(make([]byte, 1), true)
			if !errors.Is(out, engine.ErrLeaderGone) || !errors.Is(in, engine.ErrLeaderGone) {
				return engine.Reasonf(engine.Trap, "write: %v, read: %v", out, in)
			}
			p.Send(m.From, letter("tried"))
		case "end":
			return shutdown
		default:
			p.Write(engine.Stdout, m.Data)
		}
	}
}

// tell sends a message to a process of a leader.
func (l *leader) tell(pid engine.PID, what string) {
	l.proc.Send(pid, &engine.Signal{Kind: engine.KindMessage, Message: letter(what)})
}

// lead makes l the leader of a process, by a signal of from.
func (l *leader) lead(from *leader, pid engine.PID) {
	from.proc.Send(pid, &engine.Signal{Kind: engine.KindLeader, Leader: engine.Leader{PID: l.proc.PID(), Token: l.token}})
}

func (l *leader) output(want string) {
	l.e.Helper()
	s := l.next(engine.KindOutput, engine.KindDown)
	if string(s.Data) != want || s.Token != l.token {
		l.e.Errorf("got %q (%v), want %q", s.Data, s.Reason, want)
	}
}

// stage is two leaders at alex and a process of the first.
func (e *env) stage(f Program) (one, two *leader, pid engine.PID) {
	one, two = e.leader(e.alex), e.leader(e.alex)
	two.token[0]++
	pid = one.spawn(e.alex, e.there.Node(), engine.Spec{Module: e.programs.Add("steps", f)})
	return one, two, pid
}

func testLeaderChange(e *env) {
	one, two, pid := e.stage(steps)
	for range 20 {
		one.tell(pid, "for one")
		one.output("for one") // it has been written: the change is no part of the messages
		two.lead(one, pid)
		one.tell(pid, "for two")
		two.output("for two")
		one.lead(one, pid)
	}
	one.tell(pid, "end")
	one.down(engine.Shutdown)
}

func testLeaderChangeInput(e *env) {
	one, two, pid := e.stage(steps)
	one.tell(pid, "read")
	one.next(engine.KindInput)
	two.lead(one, pid)
	if s := two.next(engine.KindInput); s.From != pid || s.Token != two.token {
		e.Errorf("asked by %v", s.From)
	}
	one.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: []byte("one")}) // not its leader
	two.proc.Send(pid, &engine.Signal{Kind: engine.KindInputData, Data: []byte("two")})
	two.output("two")
	one.tell(pid, "end")
	one.down(engine.Shutdown)
}

func testLeaderChangeOutput(e *env) {
	one, two, pid := e.stage(steps)
	one.tell(pid, "flood")
	got := 0
	for got < engine.OutputCredit {
		got += len(one.next(engine.KindOutput).Data)
	}
	two.lead(one, pid)
	for got < 2*engine.OutputCredit {
		got += len(two.next(engine.KindOutput).Data)
	}
	one.tell(pid, "end")
	one.down(engine.Shutdown)
}

func testLeaderGone(e *env) {
	one, two, pid := e.stage(steps)
	third := e.leader(e.alex)
	third.lead(one, pid)
	third.proc.Close(shutdown)
	for range 2 {
		one.tell(pid, "try")
		one.next(engine.KindMessage)
	}
	two.lead(one, pid)
	one.tell(pid, "back")
	two.output("back")
	one.tell(pid, "end")
	one.down(engine.Shutdown)
}

func testLeaderLost(e *env) {
	if e.there == e.alex {
		return
	}
	// The process is at kate, and its leader at alex, who was not connected to kate
	// when it began.
	ended := make(chan error, 1)
	l := e.leader(e.alex)
	e.lost(e.alex, e.kate)
	spec := engine.Func("flood", func(p *engine.Process) engine.Reason {
		e.heal(e.kate, e.alex)
		_, err := p.Write(engine.Stdout, make([]byte, 2*engine.OutputCredit))
		ended <- err
		return normal
	})
	spec.Leader = engine.Leader{PID: l.proc.PID(), Token: l.token}
	parent := e.puppet(e.kate, "parent")
	parent.do(func(p *engine.Process) {
		_, err := p.Spawn(e.kate.Node(), spec)
		must(e, err)
	})
	for got := 0; got < engine.OutputCredit; {
		got += len(l.next(engine.KindOutput).Data)
	}
	e.cluster.Cut(e.alex, e.kate)
	if err := <-ended; !errors.Is(err, engine.ErrLeaderGone) {
		e.Errorf("got %v", err)
	}
}

package enginetest

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/wnode-project/wnode/engine"
)

var signals = []sentence{
	{"what A sends to B arrives in the order sent, of every kind", testOrder},
	{"what is sent behind a spawn finds the process", testOrderSpawn},
	{"a suffix may be lost with the connection, nothing in the middle, nothing arrives twice", testSuffix},
	{"sending does not fail because the receiver is gone", testSendGone},
	{"a local name that nobody has is reported", testSendUnknown},
	{"names are gone before the DOWN", testNamesGone},
}

func testOrder(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	must(e, e.there.Register("b", b.PID()))
	a.do(func(p *engine.Process) {
		to := b.PID()
		p.Send(to, letter("1"))
		p.Link(to)
		p.SendName(e.there.Node(), "b", letter("2"))
		ref := p.Monitor(to)
		must(e, p.Exit(to, shutdown))
		p.Demonitor(ref, true)
		p.Send(to, letter("3"))
		p.Unlink(to)
		p.Link(to)
		must(e, p.Exit(to, normal))
	})
	a.end(engine.Reason{Word: engine.Exited, Code: 4})
	b.sees(`1
		2
		EXIT a shutdown
		3
		EXIT a normal
		EXIT a exited 4`)
	b.seesNothing()
}

func testOrderSpawn(e *env) {
	const n = 100
	m := e.programs.Add("order", func(p *engine.Process) engine.Reason {
		p.TrapExit(true)
		for i := range n {
			m, err := p.Receive(engine.Match{}, patience)
			if m == nil || string(m.Data) != strconv.Itoa(i) {
				return engine.Reasonf(engine.Trap, "message %d is %v, %v", i, m, err)
			}
		}
		return shutdown
	})
	a := e.puppet(e.alex, "a")
	a.do(func(p *engine.Process) {
		pid, err := p.Spawn(e.there.Node(), &engine.Spec{Module: m, Link: true, Monitor: e.alex.MakeRef()})
		must(e, err)
		e.labels.set(pid, "child")
		for i := range n {
			must(e, p.Send(pid, letter(strconv.Itoa(i))))
		}
	})
	a.sees("DOWN child shutdown\nEXIT child shutdown")
}

func testSuffix(e *env) {
	if e.there == e.alex {
		return // there is no connection
	}
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	b.do(func(p *engine.Process) { p.MonitorNodes(true) })
	stop := make(chan struct{})
	stopped := a.start(func(p *engine.Process) {
		for i := 0; ; i++ {
			p.Send(b.PID(), letter(strconv.Itoa(i)))
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	b.do(func(p *engine.Process) {
		defer close(stop)
		last, cut := -1, false
		for downs := 0; downs < 3; {
			m, err := p.Receive(engine.Match{}, patience)
			switch {
			case m == nil:
				e.Errorf("nothing comes behind %d: %v", last, err)
				return
			case m.Kind == engine.MessageNodeDown:
				downs++
				cut = true
			case m.Kind == engine.MessageData:
				n, _ := strconv.Atoi(string(m.Data))
				if n <= last || n != last+1 && !cut {
					e.Errorf("%d came behind %d, between them the connection was cut: %v", n, last, cut)
					return
				}
				last, cut = n, false
				if n >= 1000 {
					e.cluster.Cut(e.there, e.alex)
				}
			}
		}
	})
	<-stopped
}

func testSendGone(e *env) {
	a, dead := e.puppet(e.alex, "a"), e.corpse(e.there)
	a.do(func(p *engine.Process) {
		must(e, p.Send(dead, letter("x")))
		must(e, p.Send(unreachable, letter("x")))
		must(e, p.Exit(dead, kill))
		must(e, p.Exit(unreachable, kill))
		p.Unlink(dead)
		p.Demonitor(e.alex.MakeRef(), true)
		old := e.there.Node()
		must(e, p.Send(engine.PID{Node: old, Incarnation: 99, Counter: 1}, letter("x")))
	})
	a.seesNothing()
}

func testSendUnknown(e *env) {
	a := e.puppet(e.alex, "a")
	a.do(func(p *engine.Process) {
		err := p.SendName(e.there.Node(), "nobody", letter("x"))
		if local := e.there == e.alex; local != errors.Is(err, engine.Reason{Word: engine.NoProc}) {
			e.Errorf("got %v", err)
		}
		if err := p.SendName(e.there.Node(), "No Name", letter("x")); err == nil {
			e.Error("what is no name was taken")
		}
	})
}

func testNamesGone(e *env) {
	for i := range 20 {
		a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
		name := fmt.Sprint("b", i)
		must(e, e.there.Register(name, b.PID()))
		must(e, e.there.RegisterGlobal(name, b.PID()))
		must(e, e.there.Join(name, b.PID()))
		e.settle()
		if e.alex.WhereisGlobal(name) != b.PID() || len(e.alex.Members(name)) != 1 {
			e.Fatal("alex does not know of b's name and group")
		}
		a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
		e.settle()
		b.ends <- shutdown
		a.do(func(p *engine.Process) {
			if m, _ := p.Receive(engine.Match{}, patience); m == nil || m.Kind != engine.MessageDown {
				e.Errorf("got %+v", m)
			}
			if pid := e.there.Whereis(name); !pid.IsZero() {
				e.Error("it has its name")
			}
			if pid := e.alex.WhereisGlobal(name); !pid.IsZero() {
				e.Error("it has its cluster-wide name")
			}
			if n := len(e.alex.Members(name)); n != 0 {
				e.Error("it is in its group")
			}
			if e.there.Process(b.PID()) != nil {
				e.Error("it is there")
			}
		})
	}
}

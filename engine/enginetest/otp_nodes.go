package enginetest

import (
	"slices"
	"strconv"

	"github.com/wnode-project/wnode/engine"
)

var nodes = []sentence{
	{"any use of a node connects to it", testUseConnects},
	{"nodeup comes before the signals of a connection, nodedown behind them and before the next nodeup", testNodeUpDown},
	{"monitors of one node count, and are told once", testMonitorNode},
	{"a node that cannot be connected is down at once", testMonitorNodeUnreachable},
	{"connected nodes are listed", testNodeList},
	{"a node that is started again is another one: what it ran is dead", testRestart},
}

func testUseConnects(e *env) {
	if e.there == e.alex {
		return
	}
	m := e.programs.Add("ended", ended)
	for name, use := range map[string]func(p *engine.Process, to engine.PID){
		"send":    func(p *engine.Process, to engine.PID) { must(e, p.Send(to, letter("x"))) },
		"by name": func(p *engine.Process, to engine.PID) { must(e, p.SendName(to.Node, "nobody", letter("x"))) },
		"link":    func(p *engine.Process, to engine.PID) { p.Link(to) },
		"monitor": func(p *engine.Process, to engine.PID) { p.Monitor(to) },
		"monitor by name": func(p *engine.Process, to engine.PID) {
			p.MonitorName(to.Node, "nobody")
		},
		"exit signal":  func(p *engine.Process, to engine.PID) { must(e, p.Exit(to, normal)) },
		"monitor_node": func(p *engine.Process, to engine.PID) { must(e, p.MonitorNode(to.Node, true)) },
		"spawn": func(p *engine.Process, to engine.PID) {
			_, err := p.Spawn(to.Node, &engine.Spec{Module: m})
			must(e, err)
		},
	} {
		a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
		e.lost(e.alex, e.kate)
		a.do(func(p *engine.Process) { use(p, b.PID()) })
		if e.alex.Session(e.kate.Node()) == nil {
			e.Errorf("%s does not connect", name)
		}
		e.heal(e.alex, e.kate)
	}
}

func testNodeUpDown(e *env) {
	if e.there == e.alex {
		return
	}
	a, watch := e.puppet(e.alex, "a"), e.puppet(e.there, "watch")
	watch.do(func(p *engine.Process) { p.MonitorNodes(true) })
	stop := make(chan struct{})
	stopped := a.start(func(p *engine.Process) {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				p.Send(watch.PID(), letter(strconv.Itoa(i)))
			}
		}
	})
	watch.do(func(p *engine.Process) {
		defer close(stop)
		up := true
		for downs, came := 0, 0; downs < 5; {
			m, err := p.Receive(engine.Match{}, patience)
			if m == nil {
				e.Errorf("nothing comes: %v", err)
				return
			}
			switch m.Kind {
			case engine.MessageNodeUp, engine.MessageNodeDown:
				if up == (m.Kind == engine.MessageNodeUp) {
					e.Errorf("%s came twice", e.text(m))
				}
				if up = !up; !up {
					downs, came = downs+1, 0
				}
			default:
				if !up {
					e.Errorf("a message came between nodedown and nodeup")
					return
				}
				if came++; came == 100 {
					e.cluster.Cut(e.alex, e.kate)
				}
			}
		}
	})
	<-stopped
	e.heal(e.alex, e.kate)
}

func testMonitorNode(e *env) {
	a := e.puppet(e.alex, "a")
	if e.there == e.alex {
		a.do(func(p *engine.Process) { must(e, p.MonitorNode(e.alex.Node(), true)) })
		a.seesNothing()
		return
	}
	a.do(func(p *engine.Process) {
		for _, on := range []bool{true, true, true, false} {
			must(e, p.MonitorNode(e.kate.Node(), on))
		}
	})
	e.lost(e.alex, e.kate)
	a.sees("NODEDOWN kate\nNODEDOWN kate")
	e.heal(e.alex, e.kate)
	e.lost(e.alex, e.kate)
	e.heal(e.alex, e.kate)
	a.seesNothing()
}

func testMonitorNodeUnreachable(e *env) {
	a := e.puppet(e.alex, "a")
	a.do(func(p *engine.Process) { must(e, p.MonitorNode(unreachable.Node, true)) })
	a.sees("NODEDOWN another")
	a.seesNothing()
}

func testNodeList(e *env) {
	for _, c := range []struct{ at, other *engine.Engine }{{e.alex, e.kate}, {e.kate, e.alex}} {
		var names []string
		for _, p := range c.at.Nodes() {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, []string{c.other.Name()}) {
			e.Errorf("%s lists %q", c.at.Name(), names)
		}
	}
}

func testRestart(e *env) {
	if e.there == e.alex {
		return
	}
	carol := e.cluster.Start("carol", 1)
	e.heal(e.alex, carol)
	a, b := e.puppet(e.alex, "a"), e.puppet(carol, "b")
	must(e, carol.Register("n", b.PID()))
	must(e, carol.RegisterGlobal("n", b.PID()))
	a.do(func(p *engine.Process) {
		p.Monitor(b.PID())
		p.Link(b.PID())
	})
	e.ping(e.alex, carol)
	again := e.cluster.Start("carol", 1)
	a.do(func(p *engine.Process) {
		for range 2 {
			if m, err := p.Receive(engine.Match{Kinds: 1<<engine.MessageDown | 1<<engine.MessageExit}, patience); m == nil || m.From != b.PID() {
				e.Errorf("%v, %v", m, err)
			}
		}
	})
	e.heal(e.alex, again)
	if again.Node() != carol.Node() || again.Incarnation() != carol.Incarnation()+1 {
		e.Errorf("it is %v %d, and was %v %d", again.Node(), again.Incarnation(), carol.Node(), carol.Incarnation())
	}
	c := e.puppet(again, "c")
	a.send(b.PID(), "to the dead")
	a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
	a.sees("DOWN b noproc")
	a.do(func(p *engine.Process) { p.Link(b.PID()) })
	a.sees("EXIT b noproc")
	a.do(func(p *engine.Process) {
		must(e, p.Exit(b.PID(), kill))
		p.MonitorName(again.Node(), "n")
	})
	a.sees("DOWN someone noproc")
	if pid := e.alex.WhereisGlobal("n"); !pid.IsZero() {
		e.Errorf("the name is %v", pid)
	}
	e.ping(e.alex, again)
	c.seesNothing()
	again.Close()
}

package enginetest

import "github.com/wnode-project/wnode/engine"

var monitors = []sentence{
	{"they are of one direction", testMonitorOneWay},
	{"they stack, each with its own reference", testMonitorStack},
	{"a dead target is a DOWN noproc at once", testMonitorDead},
	{"a lost node is a DOWN noconnection", testMonitorLost},
	{"by name and node", testMonitorName},
	{"they are gone with the process that monitors", testMonitorEnds},
	{"demonitor, with flush of a queued DOWN", testDemonitor},
	{"after a demonitor with flush no DOWN comes", testDemonitorRace},
}

func testMonitorOneWay(e *env) {
	a, b := e.weak(e.alex, "a"), e.weak(e.there, "b")
	a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
	e.settle()
	a.end(shutdown)
	b.lives()
	b.seesNothing()
}

func testMonitorStack(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	refs := map[engine.Ref]bool{}
	a.do(func(p *engine.Process) {
		for range 3 {
			refs[p.Monitor(b.PID())] = true
		}
		must(e, p.Exit(b.PID(), kill))
		for range 3 {
			m, _ := p.Receive(engine.Match{Kinds: 1 << engine.MessageDown}, patience)
			if m == nil || !refs[m.Ref] || e.text(m) != "DOWN b killed" {
				e.Errorf("got %+v", m)
				return
			}
			delete(refs, m.Ref)
		}
	})
	a.seesNothing()
}

func testMonitorDead(e *env) {
	a, dead := e.puppet(e.alex, "a"), e.corpse(e.there)
	for range 2 {
		a.do(func(p *engine.Process) { p.Monitor(dead) })
		a.sees("DOWN corpse noproc")
	}
	a.do(func(p *engine.Process) { p.Monitor(engine.PID{Node: e.there.Node(), Incarnation: 99, Counter: 1}) })
	a.sees("DOWN ? noproc")
}

func testMonitorLost(e *env) {
	a := e.puppet(e.alex, "a")
	a.do(func(p *engine.Process) { p.Monitor(unreachable) })
	a.sees("DOWN ? noconnection")
	a.do(func(p *engine.Process) { p.MonitorName(unreachable.Node, "x") })
	a.sees("DOWN someone noconnection")
	if e.there == e.alex {
		return
	}
	b := e.puppet(e.there, "b")
	must(e, e.there.Register("b", b.PID()))
	a.do(func(p *engine.Process) {
		p.Monitor(b.PID())
		p.MonitorName(e.there.Node(), "b")
	})
	e.settle()
	if n := len(b.Info().MonitoredBy); n != 2 {
		e.Errorf("b is monitored %d times", n)
	}
	e.lost(e.alex, e.kate)
	got := map[string]bool{}
	a.do(func(p *engine.Process) {
		for range 2 {
			if m, _ := p.Receive(engine.Match{}, patience); m != nil {
				got[e.text(m)] = true
			}
		}
	})
	if !got["DOWN b noconnection"] || !got["DOWN someone noconnection"] {
		e.Errorf("got %v", got)
	}
	if n := len(b.Info().MonitoredBy); n != 0 {
		e.Errorf("b is still monitored %d times", n)
	}
	e.heal(e.alex, e.kate)
	a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
	e.settle()
	b.end(normal)
	a.sees("DOWN b normal")
	a.seesNothing()
}

func testMonitorName(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	a.do(func(p *engine.Process) { p.MonitorName(e.there.Node(), "b") })
	a.sees("DOWN someone noproc")
	must(e, e.there.Register("b", b.PID()))
	a.do(func(p *engine.Process) { p.Demonitor(p.MonitorName(e.there.Node(), "b"), false) })
	e.settle()
	if n := len(b.Info().MonitoredBy); n != 0 {
		e.Errorf("b is monitored %d times", n)
	}
	a.do(func(p *engine.Process) { p.MonitorName(e.there.Node(), "b") })
	e.settle()
	must(e, e.there.Unregister("b")) // it is the process that is monitored
	b.end(shutdown)
	a.sees("DOWN b shutdown")
	a.seesNothing()
}

func testMonitorEnds(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
	e.settle()
	if n := len(b.Info().MonitoredBy); n != 1 {
		e.Fatalf("b is monitored %d times", n)
	}
	a.end(normal)
	e.settle()
	if n := len(b.Info().MonitoredBy); n != 0 {
		e.Errorf("b is monitored %d times", n)
	}
}

func testDemonitor(e *env) {
	a, b, dead := e.puppet(e.alex, "a"), e.puppet(e.there, "b"), e.corpse(e.there)
	a.do(func(p *engine.Process) {
		ref := p.Monitor(dead)
		if m, _ := p.Await(engine.Match{Ref: ref}, patience); m == nil {
			e.Error("no DOWN")
		}
		p.Demonitor(ref, false) // too late
		if p.Next(engine.Match{Ref: ref}, nil) == nil {
			e.Error("a demonitor without flush took the DOWN")
		}
		p.Demonitor(ref, true)
		p.Demonitor(p.Monitor(b.PID()), false)
	})
	e.settle()
	if n := len(b.Info().MonitoredBy); n != 0 {
		e.Errorf("b is monitored %d times", n)
	}
	b.end(normal)
	a.seesNothing()
}

func testDemonitorRace(e *env) {
	for range 50 {
		a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
		var ref engine.Ref
		a.do(func(p *engine.Process) { ref = p.Monitor(b.PID()) })
		b.ends <- shutdown // while a takes it back
		a.do(func(p *engine.Process) {
			p.Demonitor(ref, true)
			if m := p.Next(engine.Match{}, nil); m != nil {
				e.Errorf("got %s", e.text(m))
			}
		})
		<-b.Done()
		a.seesNothing()
		a.end(normal)
	}
}

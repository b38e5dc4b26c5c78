package enginetest

import "github.com/wnode-project/wnode/engine"

var links = []sentence{
	{"there is one link of a pair, of both directions", testOneLink},
	{"both ends of a link hear of the other's end", testLinkBothWays},
	{"linking to a dead process is an exit noproc", testLinkDead},
	{"a connection that is lost or impossible is an exit noconnection", testLinkLost},
	{"normal is ignored unless exits are trapped", testExitNormal},
	{"kill cannot be trapped, and its victim ends with killed", testExitKill},
	{"kill through a link can be trapped and keeps its name", testLinkKill},
	{"an exit signal to itself", testExitSelf},
	{"trapping exits makes messages of them", testTrap},
	{"after an unlink no exit of the link is seen", testUnlink},
	{"an unlink that crosses the other's", testUnlinkCrosses},
}

func (a *puppet) links() int { return len(a.Info().Links) }

func testOneLink(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	link := func(p, to *puppet) { p.do(func(p *engine.Process) { p.Link(to.PID()) }) }
	link(a, b)
	link(a, b)
	e.settle()
	link(b, a)
	e.settle()
	if a.links() != 1 || b.links() != 1 {
		e.Errorf("%d and %d links", a.links(), b.links())
	}
	b.do(func(p *engine.Process) { p.Unlink(a.PID()) })
	e.settle()
	if a.links() != 0 || b.links() != 0 {
		e.Errorf("%d and %d links after one unlink", a.links(), b.links())
	}
	link(b, a)
	b.do(func(p *engine.Process) { p.Link(p.PID()) }) // does nothing
	e.settle()
	if b.links() != 1 {
		e.Errorf("%d links", b.links())
	}
	a.end(shutdown)
	b.sees("EXIT a shutdown")
	b.seesNothing()
}

func testLinkBothWays(e *env) {
	for _, first := range []bool{true, false} {
		a, b := e.weak(e.alex, "a"), e.weak(e.there, "b")
		a.do(func(p *engine.Process) { p.Link(b.PID()) })
		e.settle()
		if first {
			a.end(shutdown)
			b.dies("shutdown")
		} else {
			b.end(shutdown)
			a.dies("shutdown")
		}
	}
}

func testLinkDead(e *env) {
	a, weak, dead := e.puppet(e.alex, "a"), e.weak(e.alex, "weak"), e.corpse(e.there)
	a.do(func(p *engine.Process) { p.Link(dead) })
	a.sees("EXIT corpse noproc")
	a.do(func(p *engine.Process) { p.Link(dead) }) // it was taken back by its exit
	a.sees("EXIT corpse noproc")
	weak.do(func(p *engine.Process) { p.Link(dead) })
	weak.dies("noproc")
	other := engine.PID{Node: e.there.Node(), Incarnation: 99, Counter: 1}
	a.do(func(p *engine.Process) { p.Link(other) }) // another life of the node
	a.sees("EXIT ? noproc")
	if a.links() != 0 {
		e.Errorf("%d links", a.links())
	}
}

func testLinkLost(e *env) {
	a := e.puppet(e.alex, "a")
	a.do(func(p *engine.Process) { p.Link(unreachable) })
	a.sees("EXIT ? noconnection")
	if e.there == e.alex {
		return
	}
	b := e.puppet(e.there, "b")
	a.do(func(p *engine.Process) { p.Link(b.PID()) })
	e.settle()
	e.lost(e.alex, e.kate)
	a.sees("EXIT b noconnection")
	b.sees("EXIT a noconnection")
	e.heal(e.alex, e.kate)
	a.do(func(p *engine.Process) { p.Link(b.PID()) }) // it still lives
	e.settle()
	b.end(shutdown)
	a.sees("EXIT b shutdown")
	a.seesNothing()
}

func testExitNormal(e *env) {
	a := e.puppet(e.alex, "a")
	traps, weak, linked := e.puppet(e.there, "traps"), e.weak(e.there, "weak"), e.weak(e.there, "linked")
	a.do(func(p *engine.Process) {
		p.Link(linked.PID())
		must(e, p.Exit(traps.PID(), normal))
		must(e, p.Exit(weak.PID(), normal))
	})
	traps.sees("EXIT a normal")
	weak.lives()
	a.end(normal)
	linked.lives()
	if linked.links() != 0 {
		e.Error("the link is left")
	}
}

func testExitKill(e *env) {
	a, traps := e.puppet(e.alex, "a"), e.puppet(e.there, "traps")
	a.do(func(p *engine.Process) {
		p.Link(traps.PID())
		must(e, p.Exit(traps.PID(), kill))
	})
	traps.dies("killed")
	a.sees("EXIT traps killed")
}

func testLinkKill(e *env) {
	a := e.puppet(e.alex, "a")
	traps, weak := e.puppet(e.there, "traps"), e.weak(e.there, "weak")
	a.do(func(p *engine.Process) {
		p.Link(traps.PID())
		p.Link(weak.PID())
	})
	a.end(kill)
	traps.sees("EXIT a kill")
	weak.dies("kill")
}

func testExitSelf(e *env) {
	for want, r := range map[string]engine.Reason{"normal": normal, "killed": kill, "shutdown": shutdown} {
		a := e.weak(e.there, "a")
		a.do(func(p *engine.Process) { must(e, p.Exit(p.PID(), r)) })
		a.dies(want)
	}
	a := e.puppet(e.there, "a")
	a.do(func(p *engine.Process) { must(e, p.Exit(p.PID(), normal)) })
	a.sees("EXIT a normal")
}

func testTrap(e *env) {
	a, b := e.puppet(e.alex, "a"), e.weak(e.there, "b")
	b.do(func(p *engine.Process) {
		if p.TrapExit(true) || !p.TrapExit(true) || !p.TrapExit(false) {
			e.Error("TrapExit does not say what was set")
		}
		p.TrapExit(true)
	})
	a.do(func(p *engine.Process) { must(e, p.Exit(b.PID(), engine.Reason{Word: engine.Exited, Code: 3})) })
	b.sees("EXIT a exited 3")
	b.do(func(p *engine.Process) { p.TrapExit(false) })
	a.do(func(p *engine.Process) { must(e, p.Exit(b.PID(), shutdown)) })
	b.dies("shutdown")
}

func testUnlink(e *env) {
	for range 50 {
		a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
		a.do(func(p *engine.Process) { p.Link(b.PID()) })
		b.ends <- shutdown // while a unlinks
		a.do(func(p *engine.Process) {
			p.Unlink(b.PID())
			if m, _ := p.Receive(engine.Match{Kinds: 1 << engine.MessageExit}, 0); m != nil && e.text(m) != "EXIT b shutdown" && e.text(m) != "EXIT b noproc" {
				e.Errorf("got %s", e.text(m))
			}
		})
		<-b.Done()
		a.seesNothing()
		a.end(normal)
	}
}

func testUnlinkCrosses(e *env) {
	for range 20 {
		a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
		a.do(func(p *engine.Process) { p.Link(b.PID()) })
		e.settle()
		done := b.start(func(p *engine.Process) { p.Unlink(a.PID()); p.Link(a.PID()) })
		a.do(func(p *engine.Process) { p.Unlink(b.PID()) })
		<-done
		e.settle()
		if a.links() != b.links() {
			e.Fatalf("%d and %d links", a.links(), b.links())
		}
		linked := a.links() == 1
		a.end(shutdown)
		if linked {
			b.sees("EXIT a shutdown")
		}
		b.seesNothing()
		b.end(normal)
	}
}

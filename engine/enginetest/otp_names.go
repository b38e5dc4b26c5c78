package enginetest

import (
	"errors"
	"slices"

	"github.com/wnode-project/wnode/engine"
)

var names = []sentence{
	{"a name on a node", testLocalName},
	{"a message to name and node", testSendName},
	{"a cluster-wide name is known to all", testGlobalName},
	{"of two with one cluster-wide name the lowest pid keeps it, and the loser is told", testNameConflict},
	{"what a lost node said is forgotten, and said again", testNamesHeal},
	{"a process spawned with names has them before it runs", testSpawnNames},
	{"who hears of a process's end, or that its node is lost, finds its names free", testNamesFree},
	{"only processes of the node join a group, and leave it by their death", testGroup},
	{"multiple joins count", testGroupCounts},
}

func is(e *env, err error, w engine.Word) {
	e.Helper()
	if !errors.Is(err, engine.Reason{Word: w}) {
		e.Errorf("got %v, want %s", err, w)
	}
}

func testLocalName(e *env) {
	a, b := e.puppet(e.there, "a"), e.puppet(e.there, "b")
	must(e, e.there.Register("n", a.PID()))
	is(e, e.there.Register("n", b.PID()), engine.NameTaken)
	is(e, e.there.Register("n", a.PID()), engine.NameTaken)
	is(e, e.there.Register("No Name", b.PID()), engine.BadArg)
	must(e, e.there.Register("m", a.PID())) // a second name
	if e.there.Whereis("n") != a.PID() || !slices.Equal(a.Info().Names, []string{"n", "m"}) {
		e.Errorf("n is %v, a is %q", e.there.Whereis("n"), a.Info().Names)
	}
	must(e, e.there.Unregister("n"))
	is(e, e.there.Unregister("n"), engine.NoProc)
	must(e, e.there.Register("n", b.PID()))
	dead := e.corpse(e.there)
	is(e, e.there.Register("dead", dead), engine.NoProc)
	a.end(normal)
	if pid := e.there.Whereis("m"); !pid.IsZero() {
		e.Errorf("m is %v", pid)
	}
	if e.there.Whereis("n") != b.PID() {
		e.Error("the end of another took b's name")
	}
}

func testSendName(e *env) {
	a, b, c := e.puppet(e.alex, "a"), e.puppet(e.there, "b"), e.puppet(e.there, "c")
	send := func(text string) {
		a.do(func(p *engine.Process) { must(e, p.SendName(e.there.Node(), "n", letter(text))) })
		e.settle()
	}
	must(e, e.there.Register("n", b.PID()))
	send("1")
	must(e, e.there.Unregister("n"))
	must(e, e.there.Register("n", c.PID()))
	send("2")
	b.sees("1")
	c.sees("2")
}

func testGlobalName(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	must(e, e.there.RegisterGlobal("n", b.PID()))
	e.settle()
	if e.alex.WhereisGlobal("n") != b.PID() {
		e.Error("alex does not know the name")
	}
	is(e, e.alex.RegisterGlobal("n", a.PID()), engine.NameTaken)
	is(e, e.alex.RegisterGlobal("m", unreachable), engine.NoProc)
	if e.there != e.alex {
		is(e, e.alex.UnregisterGlobal("n"), engine.NoProc)
		is(e, e.alex.RegisterGlobal("m", b.PID()), engine.NoProc)
	}
	must(e, e.there.UnregisterGlobal("n"))
	e.settle()
	if pid := e.alex.WhereisGlobal("n"); !pid.IsZero() {
		e.Errorf("it is %v", pid)
	}
	must(e, e.alex.RegisterGlobal("n", a.PID()))
}

func testSpawnNames(e *env) {
	a := e.puppet(e.alex, "a")
	seen := make(chan [2]engine.PID, 1)
	m := e.programs.Add("named", func(p *engine.Process) engine.Reason {
		seen <- [2]engine.PID{p.Engine().Whereis("n"), p.Engine().WhereisGlobal("m")}
		return resting(p)
	})
	pid := a.spawn(e.there.Node(), engine.Spec{Module: m, Name: "n", GlobalName: "m", Link: true})
	if got := <-seen; got != [2]engine.PID{pid, pid} {
		e.Errorf("it found %v, it is %v", got, pid)
	}
	a.spawn(e.there.Node(), engine.Spec{Module: m, GlobalName: "m", Monitor: e.alex.MakeRef()})
	a.sees("DOWN child name_taken: m is " + e.there.PIDText(pid))
	a.end(shutdown)
	<-e.gone(e.there, pid)
}

// gone is closed when there is no such process on the node.
func (e *env) gone(on *engine.Engine, pid engine.PID) <-chan struct{} {
	if p := on.Process(pid); p != nil {
		return p.Done()
	}
	c := make(chan struct{})
	close(c)
	return c
}

func testNamesFree(e *env) {
	b := e.puppet(e.there, "b")
	for _, lose := range []func(){
		func() { e.cluster.Cut(e.alex, e.there) },
		func() { b.end(normal) },
	} {
		if e.there == e.alex {
			lose = func() { b.end(normal) }
		}
		must(e, e.there.RegisterGlobal("n", b.PID()))
		e.settle()
		holder := make(chan engine.PID, 1)
		watch := e.alex.Native(func(sig *engine.Signal) {
			if sig.Kind == engine.KindDown {
				holder <- e.alex.WhereisGlobal("n")
			}
		})
		watch.Monitor(b.PID())
		e.settle()
		lose()
		if pid := <-holder; !pid.IsZero() {
			e.Errorf("n is %v", pid)
		}
		watch.Close(normal)
		if e.there == e.alex {
			return
		}
		e.heal(e.alex, e.there)
		_ = e.there.UnregisterGlobal("n") // it is not there any more if b ended
	}
}

func testNameConflict(e *env) {
	if e.there == e.alex {
		return
	}
	carol := e.cluster.Start("carol", 1)
	a, c := e.puppet(e.alex, "a"), e.puppet(carol, "c")
	e.lost(e.alex, e.kate) // so that carol does not hear of alex by kate
	must(e, e.alex.RegisterGlobal("n", a.PID()))
	must(e, carol.RegisterGlobal("n", c.PID()))
	e.heal(carol, e.alex)
	winner, loser, name := a, c, "a"
	if c.PID().Compare(a.PID()) < 0 {
		winner, loser, name = c, a, "c"
	}
	loser.sees("NAMELOST n to " + name)
	e.ping(carol, e.alex)
	e.ping(e.alex, carol)
	for _, n := range []*engine.Engine{e.alex, carol} {
		if n.WhereisGlobal("n") != winner.PID() {
			e.Errorf("at %s it is %v", n.Name(), n.WhereisGlobal("n"))
		}
	}
	if len(loser.Info().GlobalNames) != 0 || len(winner.Info().GlobalNames) != 1 {
		e.Error("the books of the processes differ")
	}
	e.heal(e.alex, e.kate)
	winner.seesNothing()
	carol.Close()
}

func testNamesHeal(e *env) {
	if e.there == e.alex {
		return
	}
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	must(e, e.there.RegisterGlobal("n", b.PID()))
	must(e, e.there.Join("g", b.PID()))
	must(e, e.there.Join("g", b.PID()))
	a.do(func(p *engine.Process) { p.Monitor(b.PID()) })
	e.settle()
	told := a.start(func(p *engine.Process) { // who is told of its loss does not find it any more
		m, err := p.Receive(engine.Match{}, patience)
		if pid := e.alex.WhereisGlobal("n"); m == nil || !pid.IsZero() || len(e.alex.Members("g")) != 0 {
			e.Errorf("%v, %v; then it is %v", m, err, pid)
		}
	})
	e.lost(e.alex, e.kate)
	<-told
	if pid := e.alex.WhereisGlobal("n"); !pid.IsZero() || len(e.alex.Members("g")) != 0 || len(e.alex.Groups()) != 0 {
		e.Error("alex knows what kate said")
	}
	e.heal(e.alex, e.kate)
	if e.alex.WhereisGlobal("n") != b.PID() || len(e.alex.Members("g")) != 2 {
		e.Error("alex was not told again")
	}
	b.end(normal)
}

func testGroup(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	must(e, e.alex.Join("g", a.PID()))
	must(e, e.there.Join("g", b.PID()))
	e.settle()
	want := []engine.PID{a.PID(), b.PID()}
	slices.SortFunc(want, engine.PID.Compare)
	for _, n := range []*engine.Engine{e.alex, e.kate} {
		if got := n.Members("g"); !slices.Equal(got, want) || !slices.Equal(n.Groups(), []string{"g"}) {
			e.Errorf("at %s it is %v of %q", n.Name(), got, n.Groups())
		}
	}
	if e.there != e.alex {
		is(e, e.alex.Join("g", b.PID()), engine.NoProc)
		is(e, e.alex.Leave("g", b.PID()), engine.NoProc)
	}
	is(e, e.alex.Join("No Group", a.PID()), engine.BadArg)
	is(e, e.alex.Leave("h", a.PID()), engine.NoProc)
	b.end(normal)
	e.settle()
	if got := e.alex.Members("g"); !slices.Equal(got, []engine.PID{a.PID()}) {
		e.Errorf("then it is %v", got)
	}
	must(e, e.alex.Leave("g", a.PID()))
	e.settle()
	if n := len(e.kate.Groups()); n != 0 {
		e.Errorf("%d groups are left", n)
	}
}

func testGroupCounts(e *env) {
	b := e.puppet(e.there, "b")
	for _, step := range []struct {
		do   func(string, engine.PID) error
		want int
	}{{e.there.Join, 1}, {e.there.Join, 2}, {e.there.Join, 3}, {e.there.Leave, 2}, {e.there.Leave, 1}, {e.there.Join, 2}} {
		must(e, step.do("g", b.PID()))
		e.settle()
		if n := len(e.alex.Members("g")); n != step.want {
			e.Errorf("%d members, want %d", n, step.want)
		}
	}
	b.end(normal)
	e.settle()
	if n := len(e.alex.Members("g")); n != 0 {
		e.Errorf("%d members after its death", n)
	}
}

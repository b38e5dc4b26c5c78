package enginetest

import (
	"errors"
	"strings"

	"github.com/wnode-project/wnode/engine"
)

var spawns = []sentence{
	{"on an unreachable node it returns a pid that is already useless", testSpawnUnreachable},
	{"link and monitor are atomic with it", testSpawnAtomic},
	{"its errors arrive as the reason", testSpawnErrors},
	{"a child inherits origin and leader", testSpawnInherits},
	{"grants are not more than the parent's", testSpawnGrants},
	{"fetching the module blocks no signal", testSpawnFetch},
	{"the end of a parent ends its linked child", testSpawnLinked},
}

// ended is a program that ends at once.
func ended(*engine.Process) engine.Reason { return shutdown }

// resting is a program that runs until it is told to end.
func resting(p *engine.Process) engine.Reason {
	<-p.Context().Done()
	return normal
}

// spawn spawns a child of a.
func (a *puppet) spawn(on engine.NodeID, spec engine.Spec) (pid engine.PID) {
	a.e.Helper()
	a.do(func(p *engine.Process) {
		var err error
		pid, err = p.Spawn(on, &spec)
		must(a.e, err)
	})
	a.e.labels.set(pid, "child")
	return pid
}

func testSpawnUnreachable(e *env) {
	a, m := e.puppet(e.alex, "a"), e.programs.Add("ended", ended)
	a.spawn(unreachable.Node, engine.Spec{Module: m})
	a.seesNothing()
	a.spawn(unreachable.Node, engine.Spec{Module: m, Link: true})
	a.sees("EXIT child noconnection")
	pid := a.spawn(unreachable.Node, engine.Spec{Module: m, Monitor: e.alex.MakeRef()})
	a.sees("DOWN child noconnection")
	a.do(func(p *engine.Process) {
		must(e, p.Send(pid, letter("x")))
		p.Monitor(pid)
	})
	a.sees("DOWN child noconnection")
	a.seesNothing()
}

func testSpawnAtomic(e *env) {
	a, m := e.puppet(e.alex, "a"), e.programs.Add("ended", ended)
	for range 50 {
		a.spawn(e.there.Node(), engine.Spec{Module: m, Link: true, Monitor: e.alex.MakeRef()})
		a.sees("DOWN child shutdown\nEXIT child shutdown")
	}
	a.seesNothing()
	if i := a.Info(); len(i.Links) != 0 || len(i.Monitors) != 0 {
		e.Errorf("%d links and %d monitors are left", len(i.Links), len(i.Monitors))
	}
}

func testSpawnErrors(e *env) {
	a, m := e.puppet(e.alex, "a"), e.programs.Add("resting", resting)
	must(e, e.there.Register("taken", e.puppet(e.there, "holder").PID()))
	for _, c := range []struct {
		name   string
		spec   engine.Spec
		want   engine.Word
		remote bool // at another node alone
	}{
		{"module not found", engine.Spec{Module: engine.Module{Name: "nobody"}}, engine.ModuleNotFound, false},
		{"name taken", engine.Spec{Module: m, Name: "taken"}, engine.NameTaken, false},
		{"no name", engine.Spec{Module: m, Name: "No Name"}, engine.BadArg, false},
		{"too large", engine.Spec{Module: m, Args: []string{strings.Repeat("x", engine.MaxSpec)}}, engine.BadArg, true},
		{"a function of Go", *engine.Func("f", ended), engine.NotSup, true},
	} {
		if c.remote && e.there == e.alex {
			continue
		}
		c.spec.Link, c.spec.Monitor = true, e.alex.MakeRef()
		a.spawn(e.there.Node(), c.spec)
		a.do(func(p *engine.Process) {
			for _, kind := range []engine.MessageKind{engine.MessageDown, engine.MessageExit} {
				if m, _ := p.Receive(engine.Match{Kinds: 1 << kind}, patience); m == nil || m.Reason.Word != c.want {
					e.Errorf("%s: got %+v, want %s", c.name, m, c.want)
				}
			}
		})
	}
	a.seesNothing()
}

func testSpawnInherits(e *env) {
	l := e.leader(e.alex)
	child := e.programs.Add("child", say("hello"))
	parent := e.programs.Add("parent", func(p *engine.Process) engine.Reason {
		monitor := p.Engine().MakeRef()
		if _, err := p.Spawn(e.there.Node(), &engine.Spec{Module: child, Link: true, Monitor: monitor}); err != nil {
			return err.(engine.Reason)
		}
		m, err := p.Receive(engine.Match{Kinds: 1 << engine.MessageDown, Ref: monitor}, patience)
		if m == nil {
			return engine.Reasonf(engine.Trap, "no DOWN: %v", err)
		}
		return m.Reason
	})
	l.spawn(e.alex, e.alex.Node(), engine.Spec{Module: parent})
	out := l.next(engine.KindOutput, engine.KindDown)
	if string(out.Data) != "hello" || out.Token != l.token || out.From.Node != e.there.Node() {
		e.Errorf("got %q of %v", out.Data, out.From)
	}
	if r := l.down(engine.Normal); r != normal {
		e.Errorf("the parent ended with %v", r)
	}

	origin := make(chan engine.Origin, 1)
	m := e.programs.Add("origin", func(p *engine.Process) engine.Reason {
		origin <- p.Spec().Origin
		return normal
	})
	e.puppet(e.alex, "a").spawn(e.there.Node(), engine.Spec{Module: m})
	if o := <-origin; o != e.alex.Owner() {
		e.Errorf("origin %x", o)
	}
}

func testSpawnGrants(e *env) {
	got := make(chan []engine.Reason, 1)
	m := e.programs.Add("ended", ended)
	parent := e.programs.Add("parent", func(p *engine.Process) engine.Reason {
		var all []engine.Reason
		for _, grants := range [][]string{{"a"}, {"a", "b"}, nil} {
			_, err := p.Spawn(e.there.Node(), &engine.Spec{Module: m, Grants: grants})
			var r engine.Reason
			errors.As(err, &r)
			all = append(all, r)
		}
		got <- all
		return normal
	})
	l := e.leader(e.alex)
	l.spawn(e.alex, e.alex.Node(), engine.Spec{Module: parent, Grants: []string{"a"}})
	if r := <-got; r[0].Word != "" || r[1].Word != engine.NotGranted || r[2].Word != "" {
		e.Errorf("got %v", r)
	}
	l.down(engine.Normal)
}

func testSpawnFetch(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	ran := make(chan string, 10)
	m, serve := e.programs.addSlow("slow", func(p *engine.Process) engine.Reason {
		m, _ := p.Receive(engine.Match{}, patience)
		ran <- string(m.Data)
		return shutdown
	})
	one := a.spawn(e.there.Node(), engine.Spec{Module: m, Link: true})
	e.labels.set(one, "one")
	two := a.spawn(e.there.Node(), engine.Spec{Module: m, Monitor: e.alex.MakeRef()})
	e.labels.set(two, "two")
	a.send(two, "to two")
	a.send(b.PID(), "to b")
	b.sees("to b")
	a.do(func(p *engine.Process) { must(e, p.Exit(one, kill)) })
	a.sees("EXIT one killed")
	if p := e.there.Process(two); p == nil || p.Info().State != engine.Starting || p.Info().Messages != 1 {
		e.Error("two is not starting, with its message")
	}
	close(serve)
	if got := <-ran; got != "to two" {
		e.Errorf("ran and got %q", got)
	}
	a.sees("DOWN two shutdown")
	if len(ran) != 0 {
		e.Error("the other one ran although it was killed before")
	}
}

func testSpawnLinked(e *env) {
	up := make(chan *engine.Process, 1)
	m := e.programs.Add("up", func(p *engine.Process) engine.Reason {
		up <- p
		return resting(p)
	})
	a := e.weak(e.alex, "a")
	a.spawn(e.there.Node(), engine.Spec{Module: m, Link: true})
	child := <-up
	a.end(shutdown)
	<-child.Done()
}

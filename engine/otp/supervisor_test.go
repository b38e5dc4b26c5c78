package otp_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/otp"
)

// step is what is done, and what is seen of the children then.
type step struct{ do, want string }

// The manual of OTP's supervisor, as a table.
func TestSupervisor(t *testing.T) {
	abc := []string{"a", "b", "c"}
	for _, c := range []struct {
		name     string
		strategy otp.Strategy
		children []string
		steps    []step
	}{
		{"children start in order and stop in reverse", "", abc, []step{{"", "+a +b +c"}, {"stop", "-c -b -a"}}},
		{"one_for_one restarts that one", otp.OneForOne, abc, []step{{"", "+a +b +c"}, {"trap b", "-b +b"}, {"kill a", "-a +a"}, {"normal c", "-c +c"}}},
		{"one_for_all restarts all", otp.OneForAll, abc, []step{{"", "+a +b +c"}, {"trap b", "-b -c -a +a +b +c"}, {"trap a", "-a -c -b +a +b +c"}}},
		{"rest_for_one restarts it and those behind", otp.RestForOne, abc, []step{
			{"", "+a +b +c"}, {"trap b", "-b -c +b +c"}, {"trap c", "-c +c"}, {"trap a", "-a -c -b +a +b +c"},
		}},
		{"a transient child may end", otp.OneForOne, []string{"a transient", "b transient", "c transient"}, []step{
			{"", "+a +b +c"}, {"normal a", "-a"}, {"shutdown b", "-b"}, {"exited c", "-c +c"}, {"restart_child a", "+a"},
		}},
		{"a temporary child is never restarted, and forgotten", otp.OneForOne, []string{"a temporary", "b"}, []step{
			{"", "+a +b"}, {"trap a", "-a"}, {"restart_child a", "(noproc: not_found)"}, {"trap b", "-b +b"},
		}},
		{"one_for_all drops temporary children and starts those that had ended", otp.OneForAll, []string{"a temporary", "b transient", "c"}, []step{
			{"", "+a +b +c"}, {"normal b", "-b"}, {"trap c", "-c -a +b +c"},
		}},
		{"a child can be terminated, restarted and deleted", otp.OneForOne, abc, []step{
			{"", "+a +b +c"}, {"delete_child b", "(badarg: running)"}, {"restart_child b", "(badarg: running)"},
			{"terminate_child b", "-b"}, {"terminate_child b", ""}, {"wait 10s", ""}, {"restart_child b", "+b"},
			{"terminate_child b", "-b"}, {"delete_child b", ""}, {"delete_child b", "(noproc: not_found)"},
			{"stop", "-c -a"},
		}},
		{"shutdown gives a child time", otp.OneForOne, []string{"a takes=3s", "b takes=stubborn"}, []step{
			{"", "+a +b"}, {"terminate_child a", "-a"}, {"terminate_child b", "-b"},
		}},
		{"brutal_kill gives it none", otp.OneForOne, []string{"a takes=stubborn shutdown=brutal_kill"}, []step{{"", "+a"}, {"stop", "-a"}}},
		{"a child of a lost node is restarted on another", otp.OneForOne, []string{"a on=kate,alex", "b on=kate,bob"}, []step{
			{"", "+a +b"}, {"cut kate", "-a -b +a +b"}, {"trap a", "-a +a"},
		}},
		{"a temporary one is not", otp.OneForOne, []string{"a temporary on=kate,alex"}, []step{{"", "+a"}, {"cut kate", "-a"}, {"wait 10s", ""}}},
		{"rest_for_one with a lost node", otp.RestForOne, []string{"a", "b on=kate,bob", "c on=alex"}, []step{
			{"", "+a +b +c"}, {"cut kate", "-b -c +b +c"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "alex", "kate", "bob")
				s := w.start(&otp.Supervisor{Strategy: c.strategy, Intensity: 5}, c.children...)
				for _, step := range c.steps {
					w.do(s, step.do)
					got := w.happened()
					if strings.HasPrefix(step.do, "cut") { // both nodes see it, in no order
						got, step.want = sorted(got), sorted(step.want)
					}
					if got != step.want {
						t.Errorf("%q: %s, want %s", step.do, got, step.want)
					}
				}
			})
		})
	}
}

// sorted puts ends before starts, each in the order of names.
func sorted(trace string) string {
	var ends, starts []string
	for _, s := range strings.Fields(trace) {
		if s[0] == '-' {
			ends = append(ends, s)
		} else {
			starts = append(starts, s)
		}
	}
	return strings.Join(append(order(ends), order(starts)...), " ")
}

// More restarts in a period than allowed end the supervisor, those of longer ago do
// not count.
func TestIntensity(t *testing.T) {
	for _, c := range []struct {
		name   string
		max    int
		steps  []string
		want   string
		within time.Duration
	}{
		{"none", 0, []string{"trap a"}, "shutdown", 0},
		{"at the limit", 2, []string{"trap a", "trap b"}, "it runs", 0},
		{"above", 2, []string{"trap a", "trap b", "trap a"}, "shutdown", 0},
		{"a period later", 2, []string{"trap a", "trap b", "wait 5001ms", "trap a", "trap a"}, "it runs", 0},
		{"at its end", 2, []string{"trap a", "trap b", "wait 5s", "trap a"}, "shutdown", 0},
		{"a longer period", 2, []string{"trap a", "trap b", "wait 5001ms", "trap a"}, "shutdown", time.Minute},
		{"ends that are no restarts", 0, []string{"normal t", "terminate_child a", "restart_child a"}, "it runs", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "alex")
				s := w.start(&otp.Supervisor{Intensity: c.max, Period: c.within}, "a", "b", "t transient")
				why := w.done(s)
				w.happened()
				for _, step := range c.steps {
					w.do(s, step)
					synctest.Wait()
				}
				if got := why(); got != c.want {
					t.Errorf("the supervisor ended with %q, want %q", got, c.want)
				}
				if n := len(w.nodes[0].Processes()); c.want != "it runs" && n != 0 {
					t.Errorf("%d processes are left", n)
				}
			})
		})
	}
}

// How long a supervisor takes to end is what its children take, one after the other.
func TestShutdownTimes(t *testing.T) {
	for _, c := range []struct {
		name     string
		children []string
		want     time.Duration
	}{
		{"at once", []string{"a", "b"}, 0},
		{"as long as they need", []string{"a takes=1s", "b takes=3s"}, 4 * time.Second},
		{"no longer than 5 s by default", []string{"a takes=stubborn", "b takes=6s"}, 10 * time.Second},
		{"no longer than their shutdown", []string{"a takes=stubborn shutdown=2s", "b takes=1m shutdown=30s"}, 32 * time.Second},
		{"as long as it takes", []string{"a takes=10m shutdown=infinity"}, 10 * time.Minute},
		{"brutal_kill", []string{"a takes=stubborn shutdown=brutal_kill"}, 0},
		{"on other nodes", []string{"a takes=1s on=kate", "b takes=stubborn on=kate shutdown=2s"}, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "alex", "kate")
				s := w.start(&otp.Supervisor{}, c.children...)
				w.happened()
				begin := time.Now()
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if d := time.Since(begin); d != c.want {
					t.Errorf("it took %v, want %v", d, c.want)
				}
			})
		})
	}
}

// A child that cannot be started is tried again with growing delays, and counts.
func TestFailedStarts(t *testing.T) {
	t.Run("its node is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex", "kate")
			s := w.start(&otp.Supervisor{Intensity: 10}, "a on=kate", "b")
			if got := w.happened(); got != "+a +b" {
				t.Error(got)
			}
			w.do(s, "cut kate")
			if got := w.happened(); got != "-a" {
				t.Error(got)
			}
			if _, err := s.RestartChild(t.Context(), "a"); err != otp.ErrRestarting {
				t.Errorf("restart_child of one that is being restarted: %v", err)
			}
			time.Sleep(time.Minute)
			w.do(s, "heal kate")
			time.Sleep(5 * time.Second)
			if got := w.happened(); got != "+a" {
				t.Errorf("%q when its node is back", got)
			}
			children, err := s.WhichChildren(t.Context())
			// 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 s after the loss, then every 5 s, and the loss itself.
			if n := children[0].Restarts; err != nil || n < 18 || n > 20 {
				t.Errorf("%d restarts, error %v", n, err)
			}
		})
	})
	t.Run("too often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex", "kate")
			s := w.start(&otp.Supervisor{Intensity: 3}, "b", "a on=nobody")
			why := w.done(s)
			begin := time.Now()
			for why := w.done(s); why() == "it runs"; why = w.done(s) {
				time.Sleep(10 * time.Millisecond)
			}
			if d := time.Since(begin); why() != "shutdown" || d < 700*time.Millisecond || d > 800*time.Millisecond {
				t.Errorf("it ended after %v", d)
			}
			if got := w.happened(); got != "+b -b" {
				t.Error(got)
			}
		})
	})
	t.Run("the others wait in their order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex", "kate")
			w.net.Part(w.nodes[0], w.nodes[1])
			s := w.start(&otp.Supervisor{Intensity: 10}, "a on=kate", "b")
			time.Sleep(time.Second)
			if got := w.happened(); got != "" {
				t.Error(got)
			}
			w.do(s, "heal kate")
			time.Sleep(time.Second)
			if got := w.happened(); got != "+a +b" {
				t.Error(got)
			}
		})
	})
	t.Run("its module is missing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex")
			c := w.child("a")
			c.Spec = func() *engine.Spec { return &engine.Spec{Module: engine.Module{Name: "none"}} }
			s := w.start(&otp.Supervisor{Intensity: 2, Children: []otp.ChildSpec{c}})
			why := w.done(s)
			time.Sleep(time.Second)
			if got := why(); got != "shutdown" {
				t.Error(got)
			}
		})
	})
}

// A supervisor of supervisors: one that gives up is a child that ended.
func TestTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex")
		inner := &otp.Supervisor{Intensity: 1, Strategy: otp.OneForAll, Children: []otp.ChildSpec{w.child("b"), w.child("c takes=7s shutdown=8s")}}
		sub := otp.ChildSpec{ID: "sub", Type: otp.ChildSupervisor, Spec: func() *engine.Spec { return inner.Spec("sub") }}
		s := w.start(&otp.Supervisor{Intensity: 1, Children: []otp.ChildSpec{w.child("a"), sub}})
		why := w.done(s)
		if got := w.happened(); got != "+a +b +c" {
			t.Fatal(got)
		}
		w.do(s, "trap b")
		time.Sleep(8 * time.Second)
		if got := w.happened(); got != "-b -c +b +c" {
			t.Error(got)
		}
		children, err := s.WhichChildren(t.Context())
		if err != nil || children[1].Type != otp.ChildSupervisor {
			t.Fatal(children, err)
		}
		if n, err := (otp.Sup{Engine: s.Engine, PID: children[1].PID}).CountChildren(t.Context()); err != nil || n != (otp.Count{Specs: 2, Active: 2, Workers: 2}) {
			t.Error(n, err)
		}
		// Twice within its period: sub ends, and is started again.
		w.do(s, "kill c")
		time.Sleep(time.Second)
		w.do(s, "kill c")
		time.Sleep(time.Second)
		if got := w.happened(); got != "-c -b +b +c -c -b +b +c" {
			t.Error(got)
		}
		// All end in reverse, however long one takes.
		begin := time.Now()
		w.do(s, "stop")
		if got := w.happened(); got != "-c -b -a" {
			t.Error(got)
		}
		if d := time.Since(begin); d != 7*time.Second || why() != "shutdown" {
			t.Errorf("it took %v", d)
		}
	})
}

// simple_one_for_one: children that are alike.
func TestSimpleOneForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex", "kate")
		var template otp.ChildSpec
		template.ID, template.Shutdown, template.Restart = "any", otp.Shutdown(2*time.Second), otp.Transient
		template.Spec = func() *engine.Spec { return &engine.Spec{Module: w.module} }
		s := w.start(&otp.Supervisor{Strategy: otp.SimpleOneForOne, Intensity: 1, Children: []otp.ChildSpec{template}})
		far := otp.Sup{Engine: w.nodes[1], PID: s.PID} // as another node asks it
		ctx := t.Context()
		for _, name := range []string{"a", "b", "c", "d"} {
			c, err := far.StartArgs(ctx, name, "stubborn")
			if err != nil || c.PID.IsZero() {
				t.Fatal(c, err)
			}
			if err := w.nodes[0].Register(name, c.PID); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.happened(); got != "+a +b +c +d" {
			t.Error(got)
		}
		w.do(s, "normal b")
		w.do(s, "trap c")
		if got := sorted(w.happened()); got != "-b -c +c" {
			t.Error(got)
		}
		if err := far.TerminateChild(ctx, "1"); err != nil {
			t.Error(err)
		}
		if _, err := far.RestartChild(ctx, "3"); err != otp.ErrSimpleOneForOne {
			t.Error(err)
		}
		children, err := far.WhichChildren(ctx)
		if err != nil || len(children) != 2 || children[0].ID != "3" || children[0].Restarts != 1 || children[1].ID != "4" {
			t.Error(children, err)
		}
		if n, err := far.CountChildren(ctx); err != nil || n != (otp.Count{Specs: 1, Active: 2, Workers: 2}) {
			t.Error(n, err)
		}
		begin := time.Now()
		if err := far.Stop(ctx); err != nil || time.Since(begin) != 2*time.Second {
			t.Errorf("error %v after %v, want all to end at once", err, time.Since(begin))
		}
	})
}

// Children can be added, from any node.
func TestStartChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex", "kate")
		s := w.start(&otp.Supervisor{Intensity: 3}, "a")
		far := otp.Sup{Engine: w.nodes[1], PID: s.PID}
		ctx := t.Context()
		synctest.Wait()
		add := otp.NewChild{ID: "b", Node: w.nodes[1].Node(), Restart: otp.Permanent, Spec: *w.child("b").Spec()}
		c, err := far.StartChild(ctx, add)
		if err != nil || c.PID.Node != w.nodes[1].Node() || c.ID != "b" {
			t.Fatal(c, err)
		}
		w.do(s, "trap b")
		if got := w.happened(); got != "+a +b -b +b" {
			t.Error(got)
		}
		if _, err := far.StartChild(ctx, add); err != otp.ErrAlreadyStarted {
			t.Error(err)
		}
		w.do(s, "terminate_child b")
		if _, err := far.StartChild(ctx, add); err != otp.ErrAlreadyPresent {
			t.Error(err)
		}
		bad := add
		bad.ID, bad.Spec.Module = "x", engine.Module{Name: "none"}
		if _, err := far.StartChild(ctx, bad); err == nil || err.(engine.Reason).Word != engine.ModuleNotFound {
			t.Error(err)
		}
		bad.Restart = "sometimes"
		if _, err := far.StartChild(ctx, bad); err == nil || err.(engine.Reason).Word != engine.BadArg {
			t.Error(err)
		}
		if n, err := far.CountChildren(ctx); err != nil || n.Specs != 2 {
			t.Error(n, err)
		}
		if _, err := (otp.Sup{Engine: w.nodes[1], PID: engine.PID{Node: w.nodes[0].Node(), Incarnation: 1, Counter: 999}}).WhichChildren(ctx); err == nil || err.(engine.Reason).Word != engine.NoProc {
			t.Error(err)
		}
	})
}

// Who may not end a supervisor may look at it, and no more: not a node of another
// user, and not a foreign guest on a node of the same one.
func TestForeignRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex", "kate")
		s := w.start(&otp.Supervisor{}, "a")
		other := w.net.Start("mallory", 2)
		w.connect(other, w.nodes[0])
		m := otp.Sup{Engine: other, PID: s.PID}
		ctx := t.Context()
		if n, err := m.CountChildren(ctx); err != nil || n.Active != 1 {
			t.Error(n, err)
		}
		for name, err := range map[string]error{"stop": m.Stop(ctx), "terminate_child": m.TerminateChild(ctx, "a")} {
			if err == nil || err.(engine.Reason).Word != engine.NotAllowed {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, on := range w.nodes {
			got := make(chan string, 1)
			foreign := engine.Func("foreign", func(p *engine.Process) engine.Reason {
				ref, err := p.Call(s.PID, 0, []byte(`{"op":"stop"}`))
				if err != nil {
					t.Error(err)
				}
				m, err := p.AwaitReply(ref, time.Minute)
				if m == nil {
					t.Errorf("no answer: %v", err)
					m = &engine.Message{}
				}
				got <- string(m.Data)
				return engine.Reason{Word: engine.Normal}
			})
			foreign.Origin = engine.Origin{3}
			on.Start(foreign)
			if answer := <-got; !strings.Contains(answer, "not_allowed") {
				t.Errorf("a foreign process on %s is answered %s", on.Name(), answer)
			}
		}
	})
}

// A supervisor ends with its parent; if that is lost, nobody is waited for.
func TestParent(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(w *world, parent *engine.Native)
		takes time.Duration
		word  string
	}{
		{"told to", func(_ *world, parent *engine.Native) { parent.Close(engine.Reason{Word: engine.Shutdown}) }, 8 * time.Second, "shutdown"},
		{"lost", func(w *world, _ *engine.Native) { w.net.Part(w.nodes[0], w.nodes[1]) }, 0, "noconnection"},
		{"told to, and then lost", func(w *world, parent *engine.Native) {
			for pid := range parentOf(parent) {
				parent.Send(pid, &engine.Signal{Kind: engine.KindExit2, Reason: engine.Reason{Word: engine.Shutdown}})
			}
			time.Sleep(time.Second)
			w.net.Part(w.nodes[0], w.nodes[1])
		}, time.Second, "noconnection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "alex", "kate", "bob")
				inner := &otp.Supervisor{Children: []otp.ChildSpec{w.child("a takes=3s"), w.child("b takes=stubborn on=bob")}}
				s := &otp.Supervisor{Children: []otp.ChildSpec{{ID: "sub", Type: otp.ChildSupervisor, Spec: func() *engine.Spec { return inner.Spec("sub") }}}}
				parent := w.nodes[1].Native(func(*engine.Signal) {})
				spec := s.Spec("sup")
				spec.Origin, spec.Parent, spec.LinkTo = w.nodes[0].Owner(), parent.PID(), parent.PID()
				pid := w.nodes[0].Start(spec)
				parent.Monitor(pid)
				if got := w.happened(); got != "+a +b" {
					t.Fatal(got)
				}
				begin := time.Now()
				p := w.nodes[0].Process(pid)
				c.end(w, parent)
				<-p.Done()
				if d := time.Since(begin); d != c.takes {
					t.Errorf("it took %v, want %v", d, c.takes)
				}
				for _, n := range w.nodes {
					synctest.Wait()
					if left := n.Processes(); len(left) != 0 {
						t.Errorf("%s has %d processes", n.Name(), len(left))
					}
				}
			})
		})
	}
}

// parentOf returns whom a native watches.
func parentOf(n *engine.Native) map[engine.PID]bool {
	pids := map[engine.PID]bool{}
	for _, pid := range n.Monitored() {
		pids[pid] = true
	}
	return pids
}

// What a supervisor cannot be.
func TestCheck(t *testing.T) {
	ok := otp.ChildSpec{ID: "a", Spec: func() *engine.Spec { return nil }}
	with := func(f func(*otp.ChildSpec)) []otp.ChildSpec {
		c := ok
		f(&c)
		return []otp.ChildSpec{c}
	}
	for want, s := range map[string]otp.Supervisor{
		"":                                                     {Children: []otp.ChildSpec{ok}},
		`badarg: "all" is no strategy`:                         {Strategy: "all"},
		`badarg: two children have the id "a"`:                 {Children: []otp.ChildSpec{ok, ok}},
		`badarg: a child has no id`:                            {Children: with(func(c *otp.ChildSpec) { c.ID = "" })},
		`badarg: child "a" has no spec`:                        {Children: with(func(c *otp.ChildSpec) { c.Spec = nil })},
		`badarg: child "a": "x" is no restart`:                 {Children: with(func(c *otp.ChildSpec) { c.Restart = "x" })},
		`badarg: child "a": "x" is no type`:                    {Children: with(func(c *otp.ChildSpec) { c.Type = "x" })},
		`badarg: simple_one_for_one has one child spec, not 0`: {Strategy: otp.SimpleOneForOne},
	} {
		got := ""
		if err := s.Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex")
		s := w.start(&otp.Supervisor{Strategy: "all"})
		synctest.Wait()
		if why := w.done(s)(); why != "noproc" {
			t.Error(why)
		}
	})
}

// Texts that are no times are refused, and others come back.
func TestShutdownText(t *testing.T) {
	for text, want := range map[string]otp.Shutdown{
		"5s": otp.DefaultShutdown, "brutal_kill": otp.BrutalKill, "infinity": otp.Infinity, "1m30s": otp.Shutdown(90 * time.Second),
		"0s": 0, "5": 0, "-5s": 0, "soon": 0,
	} {
		var got otp.Shutdown
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != (want == 0) || got != want {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
		if back, _ := want.MarshalText(); want != 0 && string(back) != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
}

// Place is called off when its answer is not wanted any more.
func TestPlaceIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "alex")
		c := w.child("a")
		off := 0
		c.Place = func(ctx context.Context) (engine.NodeID, error) {
			<-ctx.Done()
			off++
			return enginetest.NodeID("alex"), nil
		}
		s := w.start(&otp.Supervisor{Intensity: 1, Children: []otp.ChildSpec{c}}, "b")
		synctest.Wait()
		begin := time.Now()
		w.do(s, "terminate_child a")
		if got := w.happened(); got != "+b" || off != 1 || time.Since(begin) != 0 {
			t.Errorf("%q, called off %d times", got, off)
		}
	})
}

// What happens to children is said on the group leader's stderr; a leader that gives no
// credit holds up nothing.
func TestReports(t *testing.T) {
	for _, stalls := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex", "kate")
			var said strings.Builder
			var leader *engine.Native
			leader = w.nodes[1].Native(func(sig *engine.Signal) {
				if sig.Kind == engine.KindOutput && sig.Stream == engine.Stderr {
					said.Write(sig.Data)
					if !stalls {
						leader.Send(sig.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(sig.Data))})
					}
				}
			})
			sup := &otp.Supervisor{Intensity: 1000, Children: []otp.ChildSpec{w.child("a"), w.child("b temporary")}}
			long := strings.Repeat("a", engine.OutputCredit/100)
			sup.Children[0].ID = long
			spec := sup.Spec("sup")
			spec.Origin, spec.Leader.PID = w.nodes[0].Owner(), leader.PID()
			s := otp.Sup{Engine: w.nodes[0], PID: w.nodes[0].Start(spec)}
			w.happened()
			for range 200 {
				w.do(s, "trap a")
				synctest.Wait()
			}
			w.do(s, "exited b")
			synctest.Wait()
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			if first := lines[0]; !strings.HasPrefix(first, "sup: "+long+" (alex.1.0.") || !strings.HasSuffix(first, ") ended: trap") {
				t.Errorf("it says %q", first)
			}
			if last := lines[len(lines)-1]; !stalls && (len(lines) != 201 || !strings.HasPrefix(last, "sup: b (") || !strings.HasSuffix(last, ") ended: exited 1")) {
				t.Errorf("%d lines, the last is %q", len(lines), last)
			}
			if stalls && said.Len() > engine.OutputCredit {
				t.Errorf("%d bytes without credit", said.Len())
			}
		})
	}
}

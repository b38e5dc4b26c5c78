package otp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// supervisor is the process. All but the goroutines of attempts and reports runs on
// the process's own.
type supervisor struct {
	*Supervisor
	p        *engine.Process
	children []*child // in the order of their start
	watched  map[engine.Ref]*child
	queue    []*child    // that start one after the other; the first one does
	restarts []time.Time // within Period
	made     int         // children of SimpleOneForOne so far
	hurry    bool        // the parent is lost: nobody waits for the children
	news     chan news
	attempts sync.WaitGroup
	reports  reports
}

// child is one child spec and the process it is about.
type child struct {
	ChildSpec
	pid      engine.PID // zero: none
	ref      engine.Ref // monitor of it
	attempt  *attempt   // to start it; nil: none is under way
	failures int        // attempts in a row
	restarts int
	caller   *engine.Message // start_child or restart_child that waits; nil: none
	added    bool            // and the former: the child is dropped if it fails
	args     []string        // of start_child, behind those of the spec
	due      time.Time       // kill it then; zero: it was not told to end
}

// attempt is one start of a child, from the search for its node until it runs.
type attempt struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// news is what an attempt has come to.
type news struct {
	child   *child
	attempt *attempt
	node    engine.NodeID
	err     error
	started bool
}

// A child that fails to start is tried again after firstDelay, twice that and so on
// up to maxDelay.
const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = 5 * time.Second
)

func newSupervisor(s *Supervisor, p *engine.Process) *supervisor {
	return &supervisor{Supervisor: s, p: p, watched: map[engine.Ref]*child{}, news: make(chan news)}
}

// run is the life of the process.
func (s *supervisor) run() engine.Reason {
	s.reports.begin(s.p)
	defer s.reports.end()
	defer s.attempts.Wait()
	defer func() {
		for _, c := range s.children {
			c.giveUp()
		}
	}()
	if s.Strategy != SimpleOneForOne {
		for _, spec := range s.Children {
			s.children = append(s.children, &child{ChildSpec: spec})
		}
		s.enqueue(s.children, 0)
	}
	for {
		// Mail goes first: the Down of a child that failed comes before the news that its
		// start is over.
		if end, over := s.mail(); over {
			return end
		}
		select {
		case <-s.p.Arrived(0):
		case n := <-s.news:
			if end, over := s.mail(); over {
				return end
			}
			if n.attempt == n.child.attempt {
				if end, over := s.hear(n); over {
					return end
				}
			}
		case <-s.p.Context().Done():
			return engine.Reason{Word: engine.Killed} // the engine knows better
		}
	}
}

// mail handles all messages. over says that the supervisor is to end.
func (s *supervisor) mail() (end engine.Reason, over bool) {
	for {
		m, err := s.p.Receive(engine.Match{}, 0)
		if m == nil || err != nil {
			return end, false
		}
		switch m.Kind {
		case engine.MessageExit:
			// Those of children come as Down too, and from others there should be none.
			if s.fromParent(m) {
				s.hurry = s.hurry || lost(m.Reason)
				return s.end(m.Reason), true
			}
		case engine.MessageDown:
			if c := s.watched[m.Ref]; c != nil {
				if end, over := s.ended(c, m.Reason); over {
					return end, true
				}
			}
		case engine.MessageCall:
			if s.serve(m) {
				return s.end(engine.Reason{Word: engine.Shutdown}), true
			}
		}
	}
}

func (s *supervisor) fromParent(m *engine.Message) bool {
	parent := s.p.Spec().Parent
	return m.From == parent && !parent.IsZero()
}

// lost reports whether a parent ended so that nobody will see how its children do.
func lost(r engine.Reason) bool { return r.Word == engine.NoConnection || r.Word == engine.LeaderGone }

// end ends all children, and returns what the supervisor ends with.
func (s *supervisor) end(r engine.Reason) engine.Reason {
	s.queue = nil
	s.terminate(s.children)
	return r
}

// begin starts a child after a time.
func (s *supervisor) begin(c *child, after time.Duration) {
	a := &attempt{}
	a.ctx, a.cancel = context.WithCancel(s.p.Context())
	c.attempt = a
	if c.Place == nil && after == 0 {
		s.spawn(c, s.p.PID().Node)
		return
	}
	s.attempts.Go(func() {
		select {
		case <-time.After(after):
		case <-a.ctx.Done():
			return
		}
		n := news{child: c, attempt: a, node: s.p.PID().Node}
		if c.Place != nil {
			ctx, cancel := context.WithTimeout(a.ctx, PlaceTime)
			n.node, n.err = c.Place(ctx)
			cancel()
		}
		s.tell(n)
	})
}

func (s *supervisor) tell(n news) {
	select {
	case s.news <- n:
	case <-n.attempt.ctx.Done():
	}
}

// spawn spawns a child on a node, in its attempt.
func (s *supervisor) spawn(c *child, node engine.NodeID) {
	e := s.p.Engine()
	n := news{child: c, attempt: c.attempt, started: true}
	spec := c.Spec()
	spec.Args = append(spec.Args[:len(spec.Args):len(spec.Args)], c.args...)
	spec.Link, spec.Monitor = true, e.MakeRef()
	var pid engine.PID
	if node != e.Node() && e.Session(node) == nil {
		n.err = engine.Reason{Word: engine.NoConnection} // Spawn would wait for it
	} else {
		pid, n.err = s.p.Spawn(node, spec)
	}
	if n.err == nil {
		c.pid, c.ref = pid, spec.Monitor
		s.watched[c.ref] = c
	}
	s.attempts.Go(func() {
		if n.err == nil {
			// Whatever it says: if the child does not run there is a Down.
			_ = e.Started(n.attempt.ctx, pid)
		}
		s.tell(n)
	})
}

// hear goes on with a child's start.
func (s *supervisor) hear(n news) (end engine.Reason, over bool) {
	c := n.child
	if n.err != nil {
		why := asReason(n.err)
		if s.refused(c, why) {
			return end, false
		}
		s.say(c, "cannot be started: "+why.Error())
		if c.Restart == Temporary {
			s.drop(c)
			return end, false
		}
		c.giveUp()
		if !s.mayRestart() {
			return s.exceeded(c, why), true
		}
		c.restarts++
		s.begin(c, c.delay()) // alone: those that follow wait for it, and those before are well
		return end, false
	}
	if !n.started {
		s.spawn(c, n.node)
		return end, false
	}
	c.giveUp()
	c.failures = 0
	s.answer(c, c.pid)
	s.dequeue(c)
	return end, false
}

// delay returns how long to wait before the next attempt, which follows a failed one.
func (c *child) delay() time.Duration {
	d := maxDelay
	if c.failures < 6 { // 6.4 s
		d = min(d, firstDelay<<c.failures)
	}
	c.failures++
	return d
}

// giveUp ends what is under way to start a child.
func (c *child) giveUp() {
	if c.attempt != nil {
		c.attempt.cancel()
		c.attempt = nil
	}
}

// ended goes on after the end of a child's process.
func (s *supervisor) ended(c *child, why engine.Reason) (end engine.Reason, over bool) {
	starting := c.attempt != nil
	pid := s.gone(c)
	failed := starting && neverRan(why)
	if failed {
		if s.refused(c, why) {
			return end, false
		}
	} else if starting {
		c.failures = 0
		s.answer(c, pid)
	}
	text := fmt.Sprintf("(%s) ended: %s", s.p.Engine().PIDText(pid), why.Error())
	normal := why.Word == engine.Normal || why.Word == engine.Shutdown
	switch {
	case c.Restart == Temporary || c.Restart == Transient && normal:
		if !normal {
			s.say(c, text)
		}
		if c.Restart == Temporary || s.Strategy == SimpleOneForOne {
			s.drop(c)
		}
		s.dequeue(c)
		return end, false
	}
	s.say(c, text)
	if !s.mayRestart() {
		return s.exceeded(c, why), true
	}
	c.restarts++
	var after time.Duration
	if failed {
		after = c.delay()
	}
	s.restart(c, after)
	return end, false
}

// neverRan reports whether the reason is one that the engine gives to a process whose
// guest has not run.
func neverRan(r engine.Reason) bool {
	switch r.Word {
	case engine.ModuleNotFound, engine.ModuleInvalid, engine.EntryNotFound, engine.NotGranted, engine.NotAllowed,
		engine.SystemLimit, engine.NoConnection, engine.NoProc, engine.NameTaken, engine.BadArg, engine.NotSup:
		return true
	}
	return false
}

// gone forgets a child's process, and returns which it was.
func (s *supervisor) gone(c *child) (pid engine.PID) {
	pid = c.pid
	delete(s.watched, c.ref)
	c.pid, c.ref, c.due = engine.PID{}, engine.Ref{}, time.Time{}
	c.giveUp()
	return pid
}

// drop forgets a child.
func (s *supervisor) drop(c *child) {
	c.giveUp()
	s.children = slices.DeleteFunc(s.children, func(d *child) bool { return d == c })
	s.dequeue(c)
}

// mayRestart counts a restart, and reports whether it is within Intensity.
func (s *supervisor) mayRestart() bool {
	period := s.Period
	if period == 0 {
		period = DefaultPeriod
	}
	now := time.Now()
	s.restarts = slices.DeleteFunc(s.restarts, func(t time.Time) bool { return now.Sub(t) > period })
	s.restarts = append(s.restarts, now)
	return len(s.restarts) <= s.Intensity
}

// exceeded ends the supervisor because its children end too often.
func (s *supervisor) exceeded(c *child, why engine.Reason) engine.Reason {
	text := "reached_max_restart_intensity: " + strconv.Itoa(len(s.restarts)) + " restarts, the limit is " + strconv.Itoa(s.Intensity) +
		"; the last was of " + c.ID + ": " + why.Error()
	s.say(nil, text)
	return s.end(engine.Reason{Word: engine.Shutdown, Detail: text})
}

// asReason returns the reason that an error is. One that is none is of a Place.
func asReason(err error) engine.Reason {
	var r engine.Reason
	if !errors.As(err, &r) {
		r = engine.Reason{Word: engine.NoConnection, Detail: err.Error()}
	}
	return r
}

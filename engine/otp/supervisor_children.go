package otp

import (
	"slices"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// enqueue has children start one after the other, the first after a time, instead of
// those that were to start so: they are among these.
func (s *supervisor) enqueue(list []*child, after time.Duration) {
	s.queue = slices.Clone(list)
	if len(list) > 0 {
		s.begin(list[0], after)
	}
}

// dequeue goes on with the next in the queue if the child is the first, and else
// takes it out.
func (s *supervisor) dequeue(c *child) {
	first := len(s.queue) > 0 && s.queue[0] == c
	s.queue = slices.DeleteFunc(s.queue, func(d *child) bool { return d == c })
	if first && len(s.queue) > 0 {
		s.begin(s.queue[0], 0)
	}
}

// restart starts a child again that has ended, and others with it as the strategy
// says.
func (s *supervisor) restart(c *child, after time.Duration) {
	i := slices.Index(s.children, c)
	switch s.Strategy {
	case OneForAll:
		i = 0
	case RestForOne:
	default:
		s.begin(c, after)
		return
	}
	s.queue = nil
	s.terminate(s.children[i:])
	// Temporary children are not started again; all others are, whether they ran or
	// not, as OTP does it.
	again := slices.DeleteFunc(slices.Clone(s.children[i:]), func(d *child) bool { return d.Restart == Temporary })
	s.children = append(s.children[:i], again...)
	s.enqueue(again, after)
}

// terminate ends children in reverse order, each when those behind it have ended; those
// of SimpleOneForOne all at once. It returns when they have ended.
func (s *supervisor) terminate(list []*child) {
	if s.Strategy == SimpleOneForOne {
		for _, c := range slices.Backward(list) {
			s.order(c)
		}
	}
	for _, c := range slices.Backward(slices.Clone(list)) { // one that was to be added drops out
		s.refused(c, engine.Reason{Word: engine.Shutdown})
		c.giveUp()
		if !c.pid.IsZero() {
			s.order(c)
			s.await(c)
		}
	}
}

// forever is a time that a deadline can be put off by.
const forever time.Duration = 1 << 60

// order tells a child to end, as its spec says, unless it was told so.
func (s *supervisor) order(c *child) {
	if c.pid.IsZero() || !c.due.IsZero() {
		return
	}
	r := engine.Reason{Word: engine.Shutdown}
	switch {
	case s.hurry && c.Type == ChildSupervisor:
		r.Word = engine.NoConnection // it has no time for its own children either
	case s.hurry || c.shutdown() == BrutalKill:
		r.Word = engine.Kill
	}
	c.due = time.Now().Add(min(time.Duration(c.shutdown()), forever))
	if r.Word == engine.Kill {
		c.due = time.Now().Add(forever) // nothing is left to do
	}
	s.exit(c, r)
}

// exit sends an exit signal to a child.
func (s *supervisor) exit(c *child, r engine.Reason) {
	if e := s.p.Engine(); c.pid.Node != e.Node() && e.Session(c.pid.Node) == nil {
		return // its Down is here, and Exit would wait for the node
	}
	if err := s.p.Exit(c.pid, r); err != nil {
		// It ends with its supervisor, as they are linked.
		s.say(c, "cannot be ended: "+err.Error())
		s.gone(c)
	}
}

// await returns when a child has ended that was told to. Other messages stay in the
// mailbox.
func (s *supervisor) await(c *child) {
	for seen := uint64(0); !c.pid.IsZero(); {
		for m := s.p.After(engine.Match{}, seen); m != nil; m = s.p.After(engine.Match{}, seen) {
			seen = m.ID()
			switch {
			case m.Kind == engine.MessageDown && m.Ref == c.ref:
				s.p.Take(m)
				s.gone(c)
				return
			case m.Kind == engine.MessageExit && s.fromParent(m) && lost(m.Reason):
				s.hurryUp()
			}
		}
		due := time.NewTimer(time.Until(c.due))
		select {
		case <-s.p.Arrived(seen):
		case <-due.C:
			c.due = time.Now().Add(forever)
			s.exit(c, engine.Reason{Word: engine.Kill, Detail: "it did not end within " + time.Duration(c.shutdown()).String()})
		case <-s.p.Context().Done():
			s.gone(c)
		}
		due.Stop()
	}
}

// hurryUp tells children that were told to end that they have no time for it.
func (s *supervisor) hurryUp() {
	if s.hurry {
		return
	}
	s.hurry = true
	for _, c := range s.children {
		if !c.due.IsZero() {
			c.due = time.Time{}
			s.order(c)
		}
	}
}

// reports is what the supervisor says of its children, on its group leader's stderr. It
// never waits for a terminal that stalls: what is too much then is lost.
type reports struct {
	lines   chan string
	written sync.WaitGroup
}

const (
	maxReports = 64          // lines that wait
	reportTime = time.Second // how long the supervisor's end waits for them
)

func (r *reports) begin(p *engine.Process) {
	r.lines = make(chan string, maxReports)
	r.written.Go(func() {
		for line := range r.lines {
			if _, err := p.Write(engine.Stderr, []byte(line)); err != nil {
				break // nobody is there to read it
			}
		}
		for range r.lines {
		}
	})
}

// end returns when all is written, or some time is over: the goroutine ends with the
// process then.
func (r *reports) end() {
	close(r.lines)
	done := make(chan struct{})
	go func() { r.written.Wait(); close(done) }()
	late := time.NewTimer(reportTime)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

// say reports something of a child, or of the supervisor itself.
func (s *supervisor) say(c *child, text string) {
	line := s.p.Spec().Module.Name + ": "
	if c != nil {
		line += c.ID + " "
	}
	select {
	case s.reports.lines <- line + text + "\n":
	default:
	}
}

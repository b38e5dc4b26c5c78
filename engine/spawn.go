package engine

// Func returns the spec of a process that runs a function of Go, on its own node
// alone: with a mailbox, links and monitors as a guest. name is shown as its
// module. The process ends with what f returns, which it should do soon after its
// context is done.
func Func(name string, f func(*Process) Reason) *Spec {
	return &Spec{Module: Module{Name: name}, run: f}
}

// Go starts a process that runs a function, with no parent, and returns its pid.
func (e *Engine) Go(name string, f func(*Process) Reason) PID {
	spec := Func(name, f)
	spec.Origin = e.owner
	return e.Start(spec)
}

// Start starts a process here that no process of this node asked for: the spec says
// of which origin it is and who its parent, if any. The engine owns spec from here on.
func (e *Engine) Start(spec *Spec) PID {
	sig := &Signal{Kind: KindSpawn, To: PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}, Spec: spec}
	to := sig.To
	e.create(sig)
	return to
}

// spawn sends a Spawn signal. It never fails: without a session the pid is already
// useless, and spec.Monitor and spec.Link say noconnection.
func (a *actor) spawn(node NodeID, spec *Spec) PID {
	e := a.eng
	spec.Parent = a.pid
	sig := &Signal{Kind: KindSpawn, From: a.pid, Spec: spec}
	var s *Session
	if node != e.node {
		s = e.Session(node)
	}
	to := PID{Node: node, Counter: e.counter.Add(1)}
	if node == e.node {
		to.Incarnation = e.inc
	}
	if s == nil {
		sig.To = to
		a.watch(sig)
		if node == e.node {
			e.create(sig)
		} else {
			e.bounce(sig, NoConnection)
		}
		return to
	}
	to.Incarnation, to.Minter = s.peer.Incarnation, s.peer.Minter
	var why Reason
	switch n := spec.size(); {
	case spec.run != nil:
		why = Reasonf(NotSup, "a function of Go runs on its own node alone")
	case n > MaxSpec:
		why = Reasonf(BadArg, "arguments and environment take %d bytes, the limit is %d", n, MaxSpec)
	}
	if why.Word != "" {
		sig.To = to
		a.watch(sig)
		e.refuse(sig, why)
		return to
	}
	// The peer checks that the pids we mint there come in order.
	s.spawns.Lock()
	to.Counter = e.counter.Add(1)
	sig.To = to
	a.watch(sig)
	lost := (spec.Link || !spec.Monitor.IsZero()) && !a.bind(s)
	if !lost {
		s.link.Send(sig)
	}
	s.spawns.Unlock()
	if lost {
		e.bounce(sig, NoConnection)
	}
	return to
}

// watch links and monitors the process that a Spawn signal is about to make, as its
// spec says.
func (a *actor) watch(sig *Signal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return
	}
	if sig.Spec.Link {
		a.links.set(sig.To, 0)
	}
	if !sig.Spec.Monitor.IsZero() {
		a.watching.set(sig.Spec.Monitor, watched{pid: sig.To, call: sig.Spec.Call})
	}
}

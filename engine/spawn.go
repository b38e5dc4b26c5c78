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
	to := PID{Node: e.node, Incarnation: e.inc, Counter: e.counter.Add(1)}
	e.create(to, spec, spec.Origin)
	return to
}

// spawn starts a process, whose account is as of Process. It never fails: without a
// session the pid is already useless, and spec.Monitor and spec.Link say noconnection.
func (a *actor) spawn(node NodeID, spec *Spec, account Origin) PID {
	e := a.eng
	spec.Parent = a.pid
	to := PID{Node: node, Counter: e.counter.Add(1)}
	if node == e.node {
		to.Incarnation = e.inc
		a.watch(to, spec)
		e.create(to, spec, account)
		return to
	}
	refuse := func(why Reason) PID {
		a.watch(to, spec)
		e.refuse(a.pid, to, spec, why)
		return to
	}
	s := e.Session(node)
	if s == nil {
		return refuse(Reason{Word: NoConnection})
	}
	to.Incarnation, to.Minter = s.peer.Incarnation, s.peer.Minter
	if spec.run != nil {
		return refuse(Reasonf(NotSup, "a function of Go runs on its own node alone"))
	}
	if n := spec.size(); n > MaxSpec {
		return refuse(Reasonf(BadArg, "arguments, environment and input take %d bytes, the limit is %d", n, MaxSpec))
	}
	// The peer checks that the pids we mint there come in order.
	s.spawns.Lock()
	to.Counter = e.counter.Add(1)
	a.watch(to, spec)
	lost := (spec.Link || !spec.Monitor.IsZero()) && !a.bind(s)
	if !lost {
		s.link.Send(&Signal{Kind: KindSpawn, From: a.pid, To: to, Spec: spec})
	}
	s.spawns.Unlock()
	if lost {
		e.refuse(a.pid, to, spec, Reason{Word: NoConnection})
	}
	return to
}

// watch links and monitors a process that is about to be made, as its spec says.
func (a *actor) watch(to PID, spec *Spec) {
	if !spec.Link && spec.Monitor.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return
	}
	if spec.Link {
		a.links.set(to, 0)
	}
	if !spec.Monitor.IsZero() {
		a.watches(spec.Monitor, watched{pid: to, call: spec.Call})
	}
}

package engine

import (
	"fmt"
	"maps"
)

// Left is what a node that runs no process keeps, in text: "" is nothing.
func (e *Engine) Left() (left string) {
	note := func(n int, what string) {
		if n != 0 {
			left += fmt.Sprintf("%d %s\n", n, what)
		}
	}
	d := &e.directory
	d.mu.Lock()
	note(len(d.local), "names")
	note(len(d.global), "cluster-wide names")
	note(len(d.groups), "groups")
	note(d.told, "entries told")
	d.mu.Unlock()
	sessions := e.Sessions()
	e.mu.Lock()
	defer e.mu.Unlock()
	note(len(e.ends), "ends")
	note(e.processes, "processes")
	note(len(e.nodes.all), "watchers of nodes")
	note(len(e.nodes.some), "watched nodes")
	note(len(e.calls), "calls")
	for _, s := range sessions {
		s.mu.Lock()
		note(len(s.bound), "bound to a session")
		note(len(s.held), "held")
		note(len(s.names), "held names")
		note(len(s.whom), "monitors by name")
		s.mu.Unlock()
	}
	return left
}

// Books returns the links of a process, with the numbers of unlinks under way, who
// monitors it, and whom it monitors.
func (p *Process) Books() (links map[PID]uint64, monitors map[Ref]PID, watching map[Ref]PID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	watching = map[Ref]PID{}
	for ref, w := range p.watching.all() {
		watching[ref] = w.pid
	}
	return maps.Collect(p.links.all()), maps.Collect(p.monitors.all()), watching
}

// killed returns why the process is to end, zero if it is not.
func (p *Process) killed() (none Reason) {
	if err := p.life.Err(); err != nil {
		return err.(Reason)
	}
	return none
}

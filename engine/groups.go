package engine

import (
	"maps"
	"slices"
)

// Join makes a process of this node a member of a group, once more if it is one.
// Groups are as in OTP's pg: known to all connected nodes, a little later.
func (e *Engine) Join(group string, pid PID) error {
	if err := checkName(group); err != nil {
		return err
	}
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	a := e.actor(pid)
	if a == nil {
		return Reason{Word: NoProc}
	}
	if err := d.mayTell(); err != nil {
		return err
	}
	return a.seen(func(v *visible) {
		if v.groups == nil {
			v.groups = map[string]int{}
		}
		v.groups[group]++
		d.member(group, pid, 1)
		d.told++
		e.announce(&Signal{Kind: KindGroup, From: pid, Name: group, N: 1})
	})
}

// Leave takes back one Join. NoProc if the process is no member.
func (e *Engine) Leave(group string, pid PID) error {
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	a := e.actor(pid)
	if a == nil || d.groups[group][pid] == 0 {
		return Reasonf(NoProc, "no member of %q", group)
	}
	a.unseen(func(v *visible) {
		if v.groups[group]--; v.groups[group] == 0 {
			delete(v.groups, group)
		}
	})
	e.dropMember(group, pid)
	return nil
}

// Members returns the members of a group, in the order of their pids, each as
// often as it joined.
func (e *Engine) Members(group string) (all []PID) {
	e.directory.mu.Lock()
	defer e.directory.mu.Unlock()
	for pid, n := range e.directory.groups[group] {
		all = append(all, slices.Repeat([]PID{pid}, n)...)
	}
	slices.SortFunc(all, PID.Compare)
	return all
}

// Groups returns the names of all groups that have members, sorted.
func (e *Engine) Groups() []string {
	e.directory.mu.Lock()
	defer e.directory.mu.Unlock()
	return slices.Sorted(maps.Keys(e.directory.groups))
}

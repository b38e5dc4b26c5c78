package engine

import (
	"bytes"
	"slices"
	"sync"
)

// directory is what a node knows of names and groups: those of its own processes,
// and what connected nodes say of theirs. Every change of its own goes to all
// connected nodes, in order; a new connection begins with all there is; and what a
// node said is forgotten when it is not connected any more.
type directory struct {
	mu     sync.Mutex
	local  map[string]PID
	global map[string]map[PID]struct{} // who claims a cluster-wide name
	groups map[string]map[PID]int      // how often each joined
	told   int                         // cluster-wide names and memberships of this node's processes
}

// maxEntries bounds the cluster-wide names and memberships that one node has
// here, and what one process can have in all.
const maxEntries = 1 << 16

// visible is under what one process of this node can be found. It is guarded by
// the directory's lock.
type visible struct {
	local, global []string
	groups        map[string]int
}

func (d *directory) init() {
	d.local = map[string]PID{}
	d.global = map[string]map[PID]struct{}{}
	d.groups = map[string]map[PID]int{}
}

// ValidName reports whether a process or a group can have the name: 1 to 63 small
// letters, digits, "_" and "-", the first a letter or digit.
func ValidName(s string) bool {
	for i, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '_' || c == '-')) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func checkName(s string) error {
	if !ValidName(s) {
		return Reasonf(BadArg, "%q is no name: 1 to 63 of a-z 0-9 _ -", s)
	}
	return nil
}

// Register gives a process of this node a name on this node. The errors are
// BadArg for what is no name, NameTaken, and NoProc.
func (e *Engine) Register(name string, pid PID) error {
	if err := checkName(name); err != nil {
		return err
	}
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	a := e.actor(pid)
	if by, ok := d.local[name]; ok {
		return Reasonf(NameTaken, "%s is %s", name, e.PIDText(by))
	}
	if a == nil {
		return Reason{Word: NoProc}
	}
	return a.seen(func(v *visible) {
		d.local[name] = pid
		v.local = append(v.local, name)
	})
}

// Unregister takes a name on this node back. NoProc if nobody has it.
func (e *Engine) Unregister(name string) error {
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	pid, ok := d.local[name]
	if !ok {
		return Reasonf(NoProc, "nobody is called %q", name)
	}
	delete(d.local, name)
	if a := e.actor(pid); a != nil {
		a.unseen(func(v *visible) { v.local = remove(v.local, name) })
	}
	return nil
}

// Whereis returns who has a name on this node, the zero PID for nobody.
func (e *Engine) Whereis(name string) PID {
	e.directory.mu.Lock()
	defer e.directory.mu.Unlock()
	return e.directory.local[name]
}

// RegisterGlobal gives a process of this node a name that all connected nodes
// know. Errors as of Register: NameTaken if another one has it, as far as is known
// here. Nodes that were not connected, or register at once, can do so both. Then
// the lowest pid, in binary form, has the name on all nodes; the other one loses
// it and gets a MessageNameLost.
func (e *Engine) RegisterGlobal(name string, pid PID) error {
	if err := checkName(name); err != nil {
		return err
	}
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	a := e.actor(pid)
	if by := d.holder(name); !by.IsZero() {
		return Reasonf(NameTaken, "%s is %s", name, e.PIDText(by))
	}
	if a == nil {
		return Reason{Word: NoProc}
	}
	if err := d.mayTell(); err != nil {
		return err
	}
	return a.seen(func(v *visible) {
		v.global = append(v.global, name)
		d.claim(name, pid)
		d.told++
		e.announce(&Signal{Kind: KindGlobal, From: pid, Name: name, N: 1})
	})
}

// UnregisterGlobal takes the cluster-wide name of a process of this node back.
func (e *Engine) UnregisterGlobal(name string) error {
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	pid := d.holder(name)
	if pid.Node != e.node {
		return Reasonf(NoProc, "nobody of this node is called %q", name)
	}
	e.dropGlobal(name, pid)
	if a := e.actor(pid); a != nil {
		a.unseen(func(v *visible) { v.global = remove(v.global, name) })
	}
	return nil
}

// WhereisGlobal returns who has a cluster-wide name, as far as is known here; the
// zero PID for nobody.
func (e *Engine) WhereisGlobal(name string) PID {
	e.directory.mu.Lock()
	defer e.directory.mu.Unlock()
	return e.directory.holder(name)
}

// Compare orders pids as their binary forms.
func (p PID) Compare(q PID) int {
	a, _ := p.AppendBinary(make([]byte, 0, PIDSize)) // never fails
	b, _ := q.AppendBinary(make([]byte, 0, PIDSize))
	return bytes.Compare(a, b)
}

// holder returns the lowest of who claims a name.
func (d *directory) holder(name string) (low PID) {
	for pid := range d.global[name] {
		if low.IsZero() || pid.Compare(low) < 0 {
			low = pid
		}
	}
	return low
}

func (d *directory) claim(name string, pid PID) {
	if d.global[name] == nil {
		d.global[name] = map[PID]struct{}{}
	}
	d.global[name][pid] = struct{}{}
}

func (d *directory) unclaim(name string, pid PID) {
	delete(d.global[name], pid)
	if len(d.global[name]) == 0 {
		delete(d.global, name)
	}
}

func (d *directory) member(group string, pid PID, n int) {
	if d.groups[group] == nil {
		d.groups[group] = map[PID]int{}
	}
	if d.groups[group][pid] += n; d.groups[group][pid] <= 0 {
		delete(d.groups[group], pid)
	}
	if len(d.groups[group]) == 0 {
		delete(d.groups, group)
	}
}

// dropGlobal takes a claim of a process of this node back. The directory is locked.
func (e *Engine) dropGlobal(name string, pid PID) {
	e.directory.unclaim(name, pid)
	e.directory.told--
	e.announce(&Signal{Kind: KindGlobal, From: pid, Name: name})
}

// dropMember takes one membership of a process of this node back. The directory is
// locked.
func (e *Engine) dropMember(group string, pid PID) {
	e.directory.member(group, pid, -1)
	e.directory.told--
	e.announce(&Signal{Kind: KindGroup, From: pid, Name: group})
}

// announce tells all connected nodes. The directory is locked, so that all hear of
// its changes in their order.
func (e *Engine) announce(sig *Signal) {
	for _, s := range e.Sessions() {
		if s.knows {
			copied := *sig
			copied.To = e.someone(s.peer.Node)
			s.link.Send(&copied)
		}
	}
}

// introduce tells a node that is connected from now on of all names and groups.
// Commands are not told, nor asked.
func (e *Engine) introduce(s *Session) {
	if s.peer.Hidden {
		return
	}
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	s.knows = true
	send := func(kind Kind, pid PID, name string) {
		if pid.Node == e.node {
			s.link.Send(&Signal{Kind: kind, From: pid, To: e.someone(s.peer.Node), Name: name, N: 1})
		}
	}
	for name, claims := range d.global {
		for pid := range claims {
			send(KindGlobal, pid, name)
		}
	}
	for group, members := range d.groups {
		for pid, n := range members {
			for range n {
				send(KindGroup, pid, group)
			}
		}
	}
}

// heard takes what a node says of its own processes' names and groups. An error is
// more than it may say.
func (e *Engine) heard(s *Session, sig *Signal) error {
	if s.peer.Hidden || !ValidName(sig.Name) {
		return Reasonf(BadArg, "a name or group %q", sig.Name)
	}
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	has := len(d.global[sig.Name])
	_, claims := d.global[sig.Name][sig.From]
	joined := d.groups[sig.Name][sig.From]
	switch {
	case sig.Kind == KindGroup && sig.N != 0:
		d.member(sig.Name, sig.From, 1)
		s.entries++
	case sig.Kind == KindGroup && joined > 0:
		d.member(sig.Name, sig.From, -1)
		s.entries--
	case sig.Kind == KindGlobal && sig.N != 0 && !claims:
		d.claim(sig.Name, sig.From)
		s.entries++
		if has > 0 {
			e.resolve(sig.Name)
		}
	case sig.Kind == KindGlobal && sig.N == 0 && claims:
		d.unclaim(sig.Name, sig.From)
		s.entries--
	}
	if s.entries > maxEntries {
		return Reasonf(SystemLimit, "more than %d names and members of groups", maxEntries)
	}
	return nil
}

// resolve has processes of this node lose a name that a lower pid has.
func (e *Engine) resolve(name string) {
	winner := e.directory.holder(name)
	for pid := range e.directory.global[name] {
		if pid == winner || pid.Node != e.node {
			continue
		}
		e.dropGlobal(name, pid)
		if a := e.actor(pid); a != nil {
			a.unseen(func(v *visible) { v.global = remove(v.global, name) })
			if p, ok := a.self.(*Process); ok {
				p.mailbox.add(&Message{Kind: MessageNameLost, From: winner, Data: []byte(name), prepaid: true}, nil, p)
			}
		}
	}
}

// unlearn forgets what a node said that is not connected any more.
func (e *Engine) unlearn(s *Session) {
	d := &e.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	s.knows = false
	node := s.peer.Node
	for name, claims := range d.global {
		for pid := range claims {
			if pid.Node == node {
				d.unclaim(name, pid)
			}
		}
	}
	for group, members := range d.groups {
		for pid := range members {
			if pid.Node == node {
				d.member(group, pid, -members[pid])
			}
		}
	}
}

// forget takes all names of a process that ends back, and its memberships.
func (e *Engine) forget(a *actor) {
	d := &e.directory
	a.mu.Lock()
	a.hidden = true
	none := a.visible == nil
	a.mu.Unlock()
	if none {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	v := a.visible
	for _, name := range v.local {
		delete(d.local, name)
	}
	for _, name := range v.global {
		e.dropGlobal(name, a.pid)
	}
	for group, n := range v.groups {
		for range n {
			e.dropMember(group, a.pid)
		}
	}
}

// mayTell returns why this node may have no more entries at others. The directory
// is locked.
func (d *directory) mayTell() error {
	if d.told >= maxEntries {
		return Reasonf(SystemLimit, "this node has %d cluster-wide names and members of groups", d.told)
	}
	return nil
}

// seen adds to that under which a process can be found, if it does not end. The
// directory is locked.
func (a *actor) seen(f func(*visible)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hidden {
		return Reason{Word: NoProc}
	}
	v := a.visible
	if v == nil {
		v = &visible{}
		a.visible = v
	}
	if len(v.local)+len(v.global)+len(v.groups) >= maxEntries {
		return Reasonf(SystemLimit, "a process has at most %d names", maxEntries)
	}
	f(v)
	return nil
}

// unseen takes from that under which a process can be found, also of one that ends:
// a name that it has no more may be another's by now. The directory is locked.
func (a *actor) unseen(f func(*visible)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.visible != nil {
		f(a.visible)
	}
}

func remove(list []string, s string) []string {
	return slices.DeleteFunc(list, func(t string) bool { return t == s })
}

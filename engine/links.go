package engine

import (
	"context"
	"slices"
	"time"
)

// Link links the process with another: when one ends, the other gets an exit
// signal with its reason. Of a process that there is not that comes at once, with
// noproc or noconnection; of one of another origin that does not trap exits, with
// not_allowed. It does nothing if they are linked.
func (p *Process) Link(to PID) {
	p.reach(to.Node)
	p.link(to, p.spec.Origin != p.eng.owner)
}

// Monitor has a MessageDown come when the other process ends: one, with the
// reference that it returns, unless a MessageReply with that reference comes first.
// If there is no such process that is at once, with
// noproc, and with noconnection if its node cannot be reached or is lost.
func (p *Process) Monitor(to PID) Ref {
	p.reach(to.Node)
	return p.monitorPID(to)
}

// MonitorName is as Monitor, of the process that has the name on the node at the
// time. If nobody has, the Down is from a pid that has the node alone.
func (p *Process) MonitorName(node NodeID, name string) Ref {
	p.reach(node)
	return p.monitorName(node, name)
}

// TrapExit sets whether exit signals become messages, and returns what was set.
func (p *Process) TrapExit(on bool) (was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, p.trapsExit = p.trapsExit, on
	return was
}

// Exit sends an exit signal: the other process ends with the reason, or gets a
// message if it traps exits. Kill cannot be trapped, and the other ends with
// Killed; Normal is for those that trap. NotAllowed if it is of another origin.
func (p *Process) Exit(to PID, r Reason) error {
	e := p.eng
	mine := p.spec.Origin == e.owner
	if to.Node == e.node {
		if t, ok := e.end(to).(*Process); ok && !mine && t.spec.Origin != p.spec.Origin {
			return Reasonf(NotAllowed, "the process is of another origin")
		}
	} else if !mine {
		// The other node would take it for a wish of this node's owner.
		return Reasonf(NotAllowed, "only processes of the node's owner end those of other nodes")
	}
	p.reach(to.Node)
	p.eng.send(&Signal{Kind: KindExit2, From: p.pid, To: to, Reason: r})
	return nil
}

// Demonitor takes a monitor back: neither its Down nor a reply with its reference is
// received any more. With flush one that is in the mailbox is removed.
func (p *Process) Demonitor(ref Ref, flush bool) {
	if p.demonitor(ref) || !flush {
		return
	}
	if m := p.Next(Match{Kinds: 1<<MessageDown | 1<<MessageReply, Ref: ref}, nil); m != nil {
		p.Take(m)
	}
}

// Spawn starts a process on a node as a child of this one and returns its pid at
// once, as Native.Spawn does. It inherits the origin, and the group leader unless
// the spec has one. NotGranted if the spec grants more than this process has.
func (p *Process) Spawn(node NodeID, spec *Spec) (PID, error) {
	for _, g := range spec.Grants {
		if !slices.Contains(p.spec.Grants, g) {
			return PID{}, Reasonf(NotGranted, "the parent has no grant %q", g)
		}
	}
	spec.Origin = p.spec.Origin
	if spec.Leader.PID.IsZero() {
		spec.Leader = p.Leader()
	}
	if s := p.reach(node); s != nil {
		p.introduce(spec.Leader.PID.Node, s)
	}
	return p.spawn(node, spec, p.account), nil
}

// introduceTime bounds how long a spawn waits for the leader's node to be connected
// with that of the child.
const introduceTime = 3 * time.Second

// introduce has the node of a group leader connect to that of a child: a command's
// node, which listens nowhere, could not be reached from there. If it fails the child
// has no leader.
func (p *Process) introduce(leader NodeID, child *Session) {
	e := p.eng
	s := e.Session(leader)
	if s == nil || s == child {
		return
	}
	s.mu.Lock()
	met := s.met[child]
	s.mu.Unlock()
	if met {
		return
	}
	e.mu.Lock()
	d := e.dist
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(&p.life, introduceTime)
	defer cancel()
	p.Pause()
	err := d.Introduce(ctx, leader, child.peer.Node)
	p.Resume()
	if err != nil {
		e.log.Warn("a child has no group leader: its node cannot be reached from there", "node", s.peer.Name, "child on", child.peer.Name, "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.met == nil {
		s.met = map[*Session]bool{}
	}
	s.met[child] = true
}

package hostfuncs

import (
	"context"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// register gives the process at the pointer, null: this one, a name: on its node
// or in the cluster, as the scope says. It is a process of this node. EINVAL for
// what is no name or scope, EEXIST if the name is taken, ESRCH for no process,
// ENOTCAPABLE for one of another origin.
//
//	register(scope, name, n, pid)
func register(c *call, p *engine.Process, a []uint64) abi.Errno {
	name, errno := c.mem.name(a[1], a[2])
	if errno != 0 {
		return errno
	}
	pid, errno := c.mem.optional(a[3])
	if errno != 0 {
		return errno
	}
	if pid.IsZero() {
		pid = p.PID()
	}
	if other := p.Engine().Process(pid); other == nil {
		return abi.ESRCH
	} else if other.Spec().Origin != p.Spec().Origin {
		return abi.ENOTCAPABLE
	}
	switch uint32(a[0]) {
	case abi.ScopeNode:
		return errnoOf(p.Engine().Register(name, pid))
	case abi.ScopeCluster:
		return errnoOf(p.Engine().RegisterGlobal(name, pid))
	}
	return abi.EINVAL
}

// unregister takes a name of a process of this node back. ESRCH if none has it,
// ENOTCAPABLE if that is of another origin.
//
//	unregister(scope, name, n)
func unregister(c *call, p *engine.Process, a []uint64) abi.Errno {
	name, errno := c.mem.name(a[1], a[2])
	if errno != 0 {
		return errno
	}
	pid, errno := holder(p, a[0], name)
	if errno != 0 {
		return errno
	}
	if other := p.Engine().Process(pid); other != nil && other.Spec().Origin != p.Spec().Origin {
		return abi.ENOTCAPABLE
	}
	if uint32(a[0]) == abi.ScopeNode {
		return errnoOf(p.Engine().Unregister(name))
	}
	return errnoOf(p.Engine().UnregisterGlobal(name))
}

// whereis writes the pid of who has a name. ESRCH if nobody has.
//
//	whereis(scope, name, n, pid)
func whereis(c *call, p *engine.Process, a []uint64) abi.Errno {
	name, errno := c.mem.name(a[1], a[2])
	if errno != 0 {
		return errno
	}
	pid, errno := holder(p, a[0], name)
	if errno != 0 {
		return errno
	}
	return c.putPID(a[3], pid)
}

func holder(p *engine.Process, scope uint64, name string) (pid engine.PID, errno abi.Errno) {
	switch uint32(scope) {
	case abi.ScopeNode:
		pid = p.Engine().Whereis(name)
	case abi.ScopeCluster:
		pid = p.Engine().WhereisGlobal(name)
	default:
		return pid, abi.EINVAL
	}
	if pid.IsZero() {
		return pid, abi.ESRCH
	}
	return pid, 0
}

// join makes the process a member of a group of n bytes, once more if it is one.
func join(c *call, p *engine.Process, a []uint64) abi.Errno {
	group, errno := c.mem.name(a[0], a[1])
	if errno != 0 {
		return errno
	}
	return errnoOf(p.Engine().Join(group, p.PID()))
}

// leave takes back one join. ESRCH if the process is no member.
func leave(c *call, p *engine.Process, a []uint64) abi.Errno {
	group, errno := c.mem.name(a[0], a[1])
	if errno != 0 {
		return errno
	}
	return errnoOf(p.Engine().Leave(group, p.PID()))
}

// members writes the pids of all members of a group, each as often as it joined,
// and how many bytes that is.
//
//	members(group, n, buf, cap, len)
func members(c *call, p *engine.Process, a []uint64) abi.Errno {
	group, errno := c.mem.name(a[0], a[1])
	if errno != 0 {
		return errno
	}
	var b []byte
	for _, pid := range p.Engine().Members(group) {
		b, _ = pid.AppendBinary(b) // never fails
	}
	return c.mem.result(a[2], a[3], a[4], b)
}

// node writes the id of this node.
func node(c *call, p *engine.Process, a []uint64) abi.Errno {
	b, errno := c.mem.bytes(a[0], abi.SizeNode)
	if errno == 0 {
		id := p.Engine().Node()
		copy(b, id[:])
	}
	return errno
}

// nodes writes the ids of the nodes that this one is connected with, in the order
// of their names, and how many bytes that is.
func nodes(c *call, p *engine.Process, a []uint64) abi.Errno {
	var b []byte
	for _, peer := range p.Engine().Nodes() {
		b = append(b, peer.Node[:]...)
	}
	return c.mem.result(a[0], a[1], a[2], b)
}

// findTime bounds how long a node is looked for.
const findTime = 5 * time.Second

// nodeFind writes the id of the node with a name of n bytes, a peer id or the begin
// of one, and connects with it. ESRCH if it cannot be reached. It blocks.
func nodeFind(c *call, p *engine.Process, a []uint64) abi.Errno {
	if uint32(a[1]) > abi.MaxPath {
		return abi.EINVAL
	}
	name, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.bytes(a[2], abi.SizeNode)
	if errno != 0 {
		return errno
	}
	ctx, cancel := context.WithTimeout(p.Context(), findTime)
	defer cancel()
	p.Pause()
	id, err := p.Engine().Connect(ctx, string(name))
	p.Resume()
	if err != nil {
		return abi.ESRCH
	}
	copy(out, id[:])
	return 0
}

// nodeName writes the name of a node; null: of this one. ESRCH if it is not
// connected.
//
//	node_name(node, buf, cap, len)
func nodeName(c *call, p *engine.Process, a []uint64) abi.Errno {
	e := p.Engine()
	id, errno := c.mem.node(a[0], e.Node())
	if errno != 0 {
		return errno
	}
	name := e.Name()
	if id != e.Node() {
		s := e.Session(id)
		if s == nil {
			return abi.ESRCH
		}
		name = s.Peer().Name
	}
	return c.mem.result(a[1], a[2], a[3], []byte(name))
}

// monitorNode has one message nodedown come when the connection with a node is
// lost, at once if there is none; 0 as the second argument takes that back, once.
func monitorNode(c *call, p *engine.Process, a []uint64) abi.Errno {
	id, errno := c.mem.node(a[0], p.Engine().Node())
	if errno != 0 {
		return errno
	}
	return errnoOf(p.MonitorNode(id, uint32(a[1]) != 0))
}

// monitorNodes has messages nodeup and nodedown come for all nodes, or with 0 none
// any more.
func monitorNodes(_ *call, p *engine.Process, a []uint64) abi.Errno {
	p.MonitorNodes(uint32(a[0]) != 0)
	return 0
}

package hostfuncs

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// self writes the pid of the process.
func self(c *call, p *engine.Process, a []uint64) abi.Errno { return c.putPID(a[0], p.PID()) }

// parent writes the pid of who asked for the process; zero if nobody did.
func parent(c *call, p *engine.Process, a []uint64) abi.Errno { return c.putPID(a[0], p.Spec().Parent) }

func (c *call) putPID(ptr uint64, p engine.PID) abi.Errno {
	b, errno := c.mem.out(ptr)
	if errno == 0 {
		putPID(b, p)
	}
	return errno
}

// spawn starts a process as the spec says that is n bytes at ptr, and writes its
// pid, and behind the last pointer, unless that is null, the reference of the
// monitor, zero for none. It does not wait: that there is no such node, module or
// export is told by link or monitor. EINVAL for a spec that is none, ENOTCAPABLE
// for grants that the caller has not, E2BIG for a spec above abi.MaxSpec.
func spawn(c *call, p *engine.Process, a []uint64) abi.Errno {
	if uint32(a[1]) > abi.MaxSpec {
		return abi.E2BIG
	}
	b, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	pid, errno := c.mem.out(a[2])
	if errno != 0 {
		return errno
	}
	var ref []byte
	if uint32(a[3]) != 0 {
		if ref, errno = c.mem.out(a[3]); errno != 0 {
			return errno
		}
	}
	node, spec, errno := parseSpec(p, b)
	if errno != 0 {
		return errno
	}
	monitor := spec.Monitor
	child, err := p.Spawn(node, spec)
	if err != nil {
		return errnoOf(err)
	}
	putPID(pid, child)
	if ref != nil {
		putPID(ref, engine.PID(monitor))
	}
	return 0
}

// parseSpec reads a spec, of a child of p.
func parseSpec(p *engine.Process, b []byte) (node engine.NodeID, s *engine.Spec, errno abi.Errno) {
	node = p.Engine().Node()
	s = &engine.Spec{Module: p.Module()}
	var env []string
	var flags uint32
	for len(b) > 0 {
		if len(b) < abi.SizeField || uint64(le.Uint32(b[4:])) > uint64(len(b)-abi.SizeField) {
			return node, nil, abi.EINVAL
		}
		field, v := le.Uint16(b), b[abi.SizeField:abi.SizeField+le.Uint32(b[4:])]
		b = b[abi.SizeField+len(v):]
		var number uint64
		switch want := fieldSize(field); want {
		case 0:
		case len(v):
			number = le.Uint64(append(slices.Clone(v), 0, 0, 0, 0))
		default:
			return node, nil, abi.EINVAL
		}
		switch field {
		case abi.SpecNode:
			copy(node[:], v)
		case abi.SpecModule:
			s.Module = engine.Module{Name: string(v)}
		case abi.SpecEntry:
			s.Entry = string(v)
		case abi.SpecArg:
			s.Args = append(s.Args, string(v))
		case abi.SpecEnv:
			env = append(env, string(v))
		case abi.SpecFlags:
			flags = uint32(number)
		case abi.SpecMemory:
			s.Limits.Memory = number
		case abi.SpecWall:
			s.Limits.Wall = time.Duration(min(number, 1<<62))
		case abi.SpecFuel:
			s.Limits.Fuel = number
		case abi.SpecStack:
			s.Limits.Stack = number
		case abi.SpecMailbox:
			s.Limits.Mailbox = number
		case abi.SpecName:
			s.Name = string(v)
		case abi.SpecGrant:
			s.Grants = append(s.Grants, string(v))
		case abi.SpecSeed:
			s.Seed = number
		case abi.SpecInput:
			s.Input = slices.Clone(v)
		default:
			return node, nil, abi.EINVAL
		}
	}
	if flags&abi.SpecSameEnv != 0 {
		s.Env = slices.Clone(p.Spec().Env)
	}
	s.Env = append(s.Env, env...)
	if flags&abi.SpecSameDirs != 0 {
		s.Mounts = p.Spec().Mounts
	}
	s.NoInput = flags&abi.SpecNoInput != 0
	s.DropWhenFull = flags&abi.SpecDrop != 0
	s.Link = flags&abi.SpecLink != 0
	s.Call = flags&abi.SpecCall != 0
	if flags&(abi.SpecMonitor|abi.SpecCall) != 0 {
		s.Monitor = p.Engine().MakeRef()
	}
	s.Terminal = p.Spec().Terminal
	return node, s, 0
}

// fieldSize returns how many bytes a field of a spec has, 0 for text.
func fieldSize(field uint16) int {
	switch field {
	case abi.SpecNode:
		return abi.SizeNode
	case abi.SpecFlags:
		return 4
	case abi.SpecMemory, abi.SpecWall, abi.SpecFuel, abi.SpecStack, abi.SpecMailbox, abi.SpecSeed:
		return 8
	}
	return 0
}

// exit ends the process with a reason of n bytes at ptr, and does not return. It
// is EINVAL or EFAULT, as any function, for what is no reason.
func exit(c *call, p *engine.Process, a []uint64) abi.Errno {
	r, errno := c.mem.reason(a[0], a[1])
	if errno != 0 {
		return errno
	}
	switch {
	case r.Word == engine.Normal:
		panic(sys.NewExitError(0))
	case r.Word == engine.Exited && r.Code != 0:
		panic(sys.NewExitError(r.Code))
	}
	p.Leave(r, engine.EndExited)
	panic(sys.NewExitError(exitKilled))
}

// link links the process with another. That there is none, or that it takes no
// link, comes as an exit signal.
func link(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.pid(a[0])
	if errno == 0 {
		p.Link(to)
	}
	return errno
}

// unlink takes a link back: nothing of it comes any more.
func unlink(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.pid(a[0])
	if errno == 0 {
		p.Unlink(to)
	}
	return errno
}

// monitor has a message down come when the process at the first pointer ends, and
// writes its reference.
func monitor(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.pid(a[0])
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.out(a[1])
	if errno != 0 {
		return errno
	}
	putPID(out, engine.PID(p.Monitor(to)))
	return 0
}

// monitorName is as monitor, of who has the name of n bytes on a node; a null
// pointer is this node.
func monitorName(c *call, p *engine.Process, a []uint64) abi.Errno {
	node, errno := c.mem.node(a[0], p.Engine().Node())
	if errno != 0 {
		return errno
	}
	name, errno := c.mem.name(a[1], a[2])
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.out(a[3])
	if errno != 0 {
		return errno
	}
	putPID(out, engine.PID(p.MonitorName(node, name)))
	return 0
}

// demonitor takes a monitor back. Its message does not come any more; with 1 as
// the second argument one that is in the mailbox is removed.
func demonitor(c *call, p *engine.Process, a []uint64) abi.Errno {
	ref, errno := c.mem.pid(a[0])
	if errno == 0 {
		p.Demonitor(engine.Ref(ref), uint32(a[1]) != 0)
	}
	return errno
}

// trapExit sets whether exit signals become messages, 0 or 1, and writes what was
// set before, u32, unless the pointer is null.
func trapExit(c *call, p *engine.Process, a []uint64) abi.Errno {
	var out []byte
	if uint32(a[1]) != 0 {
		var errno abi.Errno
		if out, errno = c.mem.bytes(a[1], 4); errno != 0 {
			return errno
		}
	}
	was := p.TrapExit(uint32(a[0]) != 0)
	if out != nil {
		le.PutUint32(out, 0)
		if was {
			le.PutUint32(out, 1)
		}
	}
	return 0
}

// exitSignal sends an exit signal with a reason of n bytes to a process.
// ENOTCAPABLE if that is of another origin.
func exitSignal(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.pid(a[0])
	if errno != 0 {
		return errno
	}
	r, errno := c.mem.reason(a[1], a[2])
	if errno != 0 {
		return errno
	}
	return errnoOf(p.Exit(to, r))
}

// processInfo writes what is known of a process of this node, as JSON; a null
// pointer is the process itself. ESRCH if there is none.
func processInfo(c *call, p *engine.Process, a []uint64) abi.Errno {
	of := p
	if uint32(a[0]) != 0 {
		pid, errno := c.mem.pid(a[0])
		if errno != 0 {
			return errno
		}
		if of = p.Engine().Process(pid); of == nil {
			return abi.ESRCH
		}
	}
	b, err := json.Marshal(infoOf(p.Engine(), of.Info()))
	if err != nil {
		return abi.EIO
	}
	return c.mem.result(a[1], a[2], a[3], b)
}

// info is what process_info shows.
type info struct {
	PID, Parent, Leader          string
	Module, CID, Entry, State    string
	Created                      time.Time
	Reductions                   uint64
	Messages, MailboxBytes       int
	Dropped                      uint64
	TrapsExit, Server            bool
	Links, Monitors, MonitoredBy []string
	Names, GlobalNames, Groups   []string
}

func infoOf(e *engine.Engine, i engine.Info) info {
	texts := func(pids []engine.PID) []string {
		out := make([]string, len(pids))
		for i, p := range pids {
			out[i] = e.PIDText(p)
		}
		slices.Sort(out)
		return out
	}
	out := info{
		PID: e.PIDText(i.PID), Parent: e.PIDText(i.Parent), Leader: e.PIDText(i.Leader),
		Module: i.Module, Entry: i.Entry, State: string(i.State), Created: i.Created, Reductions: i.Reductions,
		Messages: i.Messages, MailboxBytes: i.MailboxBytes, Dropped: i.Dropped, TrapsExit: i.TrapsExit, Server: i.Server,
		Links: texts(i.Links), Monitors: texts(i.Monitors), MonitoredBy: texts(i.MonitoredBy),
		Names: i.Names, GlobalNames: i.GlobalNames, Groups: i.Groups,
	}
	if i.CID.Defined() {
		out.CID = fmt.Sprint(i.CID)
	}
	return out
}

// leader writes the pid of the group leader.
func leader(c *call, p *engine.Process, a []uint64) abi.Errno { return c.putPID(a[0], p.Leader().PID) }

// window writes how many rows and columns the leader's terminal has, each u32; 0
// if it has none.
func window(c *call, p *engine.Process, a []uint64) abi.Errno {
	rows, errno := c.mem.bytes(a[0], 4)
	if errno != 0 {
		return errno
	}
	cols, errno := c.mem.bytes(a[1], 4)
	if errno != 0 {
		return errno
	}
	r, k := p.Window()
	le.PutUint32(rows, uint32(r))
	le.PutUint32(cols, uint32(k))
	return 0
}

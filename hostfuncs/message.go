package hostfuncs

import (
	"math"
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// send sends a message of a kind (data, call, reply or cast), with a tag, a
// reference (null: none) and n bytes of payload to the process at the first
// pointer. It is never an error that there is none. It waits while the receiver's
// mailbox is full or the connection busy, and while a node that is not connected is
// dialled. A reply whose reference is of no monitor that the receiver has is dropped
// there; else it takes the monitor back, and no down follows. E2BIG for a payload above
// abi.MaxMessage, EINVAL for another kind.
//
//	send(pid, kind, tag i64, ref, ptr, n)
func send(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.pid(a[0])
	if errno != 0 {
		return errno
	}
	m, errno := c.outgoing(a[1:])
	if errno != 0 {
		return errno
	}
	return errnoOf(p.Send(to, m))
}

// sendName is as send, to who has a name on a node; a null pointer is this node.
// ESRCH if that is this node and nobody has.
//
//	send_name(node, name, name_n, kind, tag i64, ref, ptr, n)
func sendName(c *call, p *engine.Process, a []uint64) abi.Errno {
	node, errno := c.mem.node(a[0], p.Engine().Node())
	if errno != 0 {
		return errno
	}
	name, errno := c.mem.name(a[1], a[2])
	if errno != 0 {
		return errno
	}
	m, errno := c.outgoing(a[3:])
	if errno != 0 {
		return errno
	}
	return errnoOf(p.SendName(node, name, m))
}

// outgoing reads kind, tag, ref, ptr, n.
func (c *call) outgoing(a []uint64) (*engine.Message, abi.Errno) {
	kind := uint32(a[0])
	switch kind {
	case abi.MessageData, abi.MessageCall, abi.MessageReply, abi.MessageCast:
	default:
		return nil, abi.EINVAL
	}
	if uint32(a[4]) > abi.MaxMessage {
		return nil, abi.E2BIG
	}
	ref, errno := c.mem.optional(a[2])
	if errno != 0 {
		return nil, errno
	}
	b, errno := c.mem.bytes(a[3], a[4])
	if errno != 0 {
		return nil, errno
	}
	return &engine.Message{Kind: engine.MessageKind(kind), Tag: a[1], Ref: engine.Ref(ref), Data: slices.Clone(b)}, 0
}

// match reads a match; a null pointer is any message.
func (m memory) match(ptr uint64) (engine.Match, abi.Errno) {
	if uint32(ptr) == 0 {
		return engine.Match{}, 0
	}
	b, errno := m.bytes(ptr, abi.SizeMatch)
	if errno != 0 {
		return engine.Match{}, errno
	}
	ref, _ := engine.PIDFromBinary(b[24:]) // it has 32 bytes
	return engine.Match{Kinds: le.Uint32(b), Tag: le.Uint64(b[8:]), Mask: le.Uint64(b[16:]), Ref: engine.Ref(ref)}, 0
}

// payload returns what a guest sees behind the head of a message.
func payload(m *engine.Message) []byte {
	if m.Kind == engine.MessageExit || m.Kind == engine.MessageDown {
		return appendReason(nil, m.Reason)
	}
	return m.Data
}

// record writes a message as package abi describes it, in cap bytes at ptr, and
// its length. E2BIG if it does not fit: all but the payload is written if that does.
func (c *call) record(m *engine.Message, ptr, capacity, length uint64) abi.Errno {
	payload := payload(m)
	var head [abi.SizeMessage]byte
	head[0], head[1] = byte(m.Kind), byte(m.End)
	le.PutUint32(head[4:], uint32(len(payload)))
	le.PutUint64(head[8:], m.Tag)
	putPID(head[16:], engine.PID(m.Ref))
	putPID(head[48:], m.From)
	errno := c.mem.result(ptr, capacity, length, head[:], payload)
	if errno == abi.E2BIG && uint32(capacity) >= abi.SizeMessage {
		b, errno := c.mem.bytes(ptr, abi.SizeMessage)
		if errno != 0 {
			return errno
		}
		copy(b, head[:])
	}
	return errno
}

// receive takes the first message that matches out of the mailbox, and waits for
// one, for so many nanoseconds; below 0 for ever. ETIMEDOUT when none came. E2BIG
// if it is larger than the buffer: it stays, and its size is written.
//
//	receive(match, buf, cap, timeout i64, len)
func receive(c *call, p *engine.Process, a []uint64) abi.Errno {
	match, errno := c.mem.match(a[0])
	if errno != 0 {
		return errno
	}
	// Before it waits, perhaps for ever.
	if _, errno := c.mem.bytes(a[4], 4); errno != 0 {
		return errno
	}
	if _, errno := c.mem.bytes(a[1], min(1, a[2])); errno != 0 {
		return errno
	}
	m, err := p.Await(match, time.Duration(max(int64(a[3]), -1)))
	c.live()
	switch {
	case err != nil:
		return abi.EIO
	case m == nil:
		return abi.ETIMEDOUT
	}
	if errno := c.record(m, a[1], a[2], a[4]); errno != 0 {
		return errno
	}
	p.Take(m)
	return 0
}

// peek looks at the first message that matches behind the one whose number is at
// cursor, u64, 0 for the first of all: it is copied, stays in the mailbox, and its
// number is written to cursor. It does not wait. ENOENT if there is none. E2BIG if
// it is larger than the buffer: its size is written, all but the payload if that fits,
// and the cursor moves. What is given for a null match is known from then on: the
// descriptor of mailbox_fd is not readable for it.
//
//	peek(match, cursor, buf, cap, len)
func peek(c *call, p *engine.Process, a []uint64) abi.Errno {
	match, errno := c.mem.match(a[0])
	if errno != 0 {
		return errno
	}
	cursor, errno := c.mem.bytes(a[1], 8)
	if errno != 0 {
		return errno
	}
	m := p.After(match, le.Uint64(cursor))
	if m == nil {
		return abi.ENOENT
	}
	errno = c.record(m, a[2], a[3], a[4])
	if errno == 0 || errno == abi.E2BIG {
		le.PutUint64(cursor, m.ID())
		if uint32(a[0]) == 0 {
			c.seen = max(c.seen, m.ID())
		}
	}
	return errno
}

// take takes the message with a number, as peek gives it, out of the mailbox.
// ENOENT if it is not there, E2BIG as of receive.
//
//	take(number i64, buf, cap, len)
func take(c *call, p *engine.Process, a []uint64) abi.Errno {
	if a[0] == 0 {
		return abi.ENOENT
	}
	m := p.After(engine.Match{}, a[0]-1)
	if m == nil || m.ID() != a[0] {
		return abi.ENOENT
	}
	errno := c.record(m, a[1], a[2], a[3])
	if errno == 0 {
		p.Take(m)
	}
	return errno
}

// message copies the message that a server handles, in the function that handles
// it; in wnode_terminate a message exit with the reason. EINVAL elsewhere, E2BIG as
// of receive. It can be called again.
//
//	message(buf, cap, len)
func message(c *call, _ *engine.Process, a []uint64) abi.Errno {
	if c.current == nil {
		return abi.EINVAL
	}
	return c.record(c.current, a[0], a[1], a[2])
}

// mailboxFd writes a descriptor, u32, that poll_oneoff reports readable as long as
// there is a message behind the last one that peek gave for a null match: for
// programs that wait for several things at once. A program that receives any
// message need not peek. One that leaves some in the mailbox does, or it would be
// told of these again and again. The descriptor cannot be read, and is always the
// same until it is closed. EMFILE.
func mailboxFd(c *call, _ *engine.Process, a []uint64) abi.Errno {
	out, errno := c.mem.bytes(a[0], 4)
	if errno != 0 {
		return errno
	}
	fd := slices.IndexFunc(c.fds.fds, func(d *descriptor) bool { return d != nil && d.kind == kindMailbox })
	if fd < 0 {
		if fd, errno = c.fds.free(); errno != 0 {
			return errno
		}
		c.fds.fds[fd] = &descriptor{
			kind: kindMailbox, filetype: abi.FiletypeUnknown, flags: abi.FdNonblock,
			base: abi.RightPollFdReadwrite | abi.RightFdFdstatSetFlags | abi.RightFdFilestatGet,
		}
	}
	le.PutUint32(out, uint32(fd))
	return 0
}

// timerStart has a message come after so many nanoseconds: a timeout for the
// process itself if the first pointer is null, else data for the process there.
// Its reference is written, and is that of the timeout. ENOMEM for too many.
//
//	timer_start(pid, after i64, tag i64, ptr, n, ref)
func timerStart(c *call, p *engine.Process, a []uint64) abi.Errno {
	to, errno := c.mem.optional(a[0])
	if errno != 0 {
		return errno
	}
	if uint32(a[4]) > abi.MaxMessage {
		return abi.E2BIG
	}
	b, errno := c.mem.bytes(a[3], a[4])
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.out(a[5])
	if errno != 0 {
		return errno
	}
	ref, err := p.StartTimer(to, time.Duration(min(a[1], math.MaxInt64)), a[2], slices.Clone(b))
	if err != nil {
		return errnoOf(err)
	}
	putPID(out, engine.PID(ref))
	return 0
}

// timerCancel stops a timer and writes how many nanoseconds it had left, u64,
// unless the pointer is null. ENOENT if it is not running: its message may have
// come.
func timerCancel(c *call, p *engine.Process, a []uint64) abi.Errno {
	return c.timer(a, p.CancelTimer)
}

// timerRead is as timerCancel, and the timer goes on.
func timerRead(c *call, p *engine.Process, a []uint64) abi.Errno { return c.timer(a, p.ReadTimer) }

func (c *call) timer(a []uint64, f func(engine.Ref) (time.Duration, bool)) abi.Errno {
	ref, errno := c.mem.pid(a[0])
	if errno != 0 {
		return errno
	}
	var out []byte
	if uint32(a[1]) != 0 {
		if out, errno = c.mem.bytes(a[1], 8); errno != 0 {
			return errno
		}
	}
	left, ok := f(engine.Ref(ref))
	if !ok {
		return abi.ENOENT
	}
	if out != nil {
		le.PutUint64(out, uint64(left))
	}
	return 0
}

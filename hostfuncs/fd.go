package hostfuncs

import (
	"math"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// fdClose closes a descriptor. It is closed even if the leader's close fails,
// whose error it returns.
func fdClose(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], 0)
	if errno != 0 {
		return errno
	}
	c.fds.fds[uint32(a[0])] = nil
	return c.closeHandle(d)
}

func (c *call) closeHandle(d *descriptor) abi.Errno {
	if d.isStream() {
		return 0
	}
	_, errno := c.file(&engine.FileRequest{Op: engine.FileClose, Handle: d.handle})
	return errno
}

// fdRenumber makes descriptor a[1] what a[0] is, and closes a[0]. Both must be
// open; what a[1] was is closed.
func fdRenumber(c *call, a []uint64) abi.Errno {
	from, errno := c.fds.get(a[0], 0)
	if errno != 0 {
		return errno
	}
	to, errno := c.fds.get(a[1], 0)
	if errno != 0 || from == to {
		return errno
	}
	c.fds.fds[uint32(a[1])] = from
	c.fds.fds[uint32(a[0])] = nil
	c.closeHandle(to) // as dup2, which does not report it either
	return 0
}

// fdFdstatGet writes an fdstat: filetype u8, pad, flags u16, pad, rights base
// u64, rights inheriting u64.
func fdFdstatGet(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], 0)
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], abi.SizeFdstat)
	if errno != 0 {
		return errno
	}
	clear(p)
	p[0] = d.filetype
	le.PutUint16(p[2:], d.flags)
	le.PutUint64(p[8:], d.base)
	le.PutUint64(p[16:], d.inheriting)
	return 0
}

// The flags that can change while a file is open, as on Linux.
const (
	settableFlags = abi.FdAppend | abi.FdNonblock
	allFlags      = settableFlags | abi.FdDsync | abi.FdRsync | abi.FdSync
)

// fdFdstatSetFlags sets append and nonblock. Nonblock has a meaning for stdin
// alone: reads give EAGAIN. ENOTSUP if it would change how writes are synced,
// EINVAL for flags that do not exist.
func fdFdstatSetFlags(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], abi.RightFdFdstatSetFlags)
	if errno != 0 {
		return errno
	}
	flags := uint32(a[1])
	if flags&^uint32(allFlags) != 0 {
		return abi.EINVAL
	}
	// Clearing a sync flag is ignored, as Linux does: programs clear all flags.
	if flags&^uint32(settableFlags|d.flags) != 0 {
		return abi.ENOTSUP
	}
	d.flags = d.flags&^settableFlags | uint16(flags)
	return 0
}

// fdFdstatSetRights drops rights. ENOTCAPABLE if it would add any.
func fdFdstatSetRights(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], 0)
	if errno != 0 {
		return errno
	}
	if a[1]&^d.base != 0 || a[2]&^d.inheriting != 0 {
		return abi.ENOTCAPABLE
	}
	d.ceiling &^= d.inheriting &^ a[2]
	d.base, d.inheriting = a[1], a[2]
	return 0
}

// fdPrestatGet writes what a descriptor was opened as before the guest began:
// tag u8 = 0 (directory), pad, length of its name u32. EBADF if it was not;
// guests ask from 3 up until then.
func fdPrestatGet(c *call, a []uint64) abi.Errno {
	name, errno := c.preopen(a[0])
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], abi.SizePrestat)
	if errno != 0 {
		return errno
	}
	clear(p)
	le.PutUint32(p[4:], uint32(len(name)))
	return 0
}

// fdPrestatDirName writes the name of a mount, without a NUL. ENAMETOOLONG if
// the buffer is too small.
func fdPrestatDirName(c *call, a []uint64) abi.Errno {
	name, errno := c.preopen(a[0])
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], a[2])
	if errno != 0 {
		return errno
	}
	if len(p) < len(name) {
		return abi.ENAMETOOLONG
	}
	copy(p, name)
	return 0
}

func (c *call) preopen(fd uint64) (string, abi.Errno) {
	d, errno := c.fds.get(fd, 0)
	if errno == 0 && d.preopen == "" {
		errno = abi.EBADF
	}
	if errno != 0 {
		return "", errno
	}
	return d.preopen, 0
}

// fdAdvise takes advice on use of a file and does nothing with it. EINVAL for
// advice that does not exist, ESPIPE for a stream.
func fdAdvise(c *call, a []uint64) abi.Errno {
	if _, errno := c.fds.file(a[0], abi.RightFdAdvise); errno != 0 {
		return errno
	}
	const last = 5 // noreuse
	if uint32(a[3]) > last || a[1] > math.MaxInt64 || a[2] > math.MaxInt64 {
		return abi.EINVAL
	}
	return 0
}

// fdAllocate makes a file at least offset+length long, with disk space for it.
// EINVAL for no length, EFBIG, ENOSPC, ENOTSUP if the leader's system cannot.
func fdAllocate(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.file(a[0], abi.RightFdAllocate)
	switch {
	case errno != 0:
		return errno
	case a[2] == 0:
		return abi.EINVAL
	case a[1] > math.MaxInt64 || a[2] > math.MaxInt64-a[1]:
		return abi.EFBIG
	}
	_, errno = c.file(&engine.FileRequest{Op: engine.FileAllocate, Handle: d.handle, Offset: a[1], Size: a[2]})
	return errno
}

// fdSync writes a file's data and metadata to its disk. EINVAL for a stream.
func fdSync(c *call, a []uint64) abi.Errno {
	return c.sync(a[0], engine.FileSync, abi.RightFdSync)
}

// fdDatasync writes a file's data to its disk. EINVAL for a stream.
func fdDatasync(c *call, a []uint64) abi.Errno {
	return c.sync(a[0], engine.FileDatasync, abi.RightFdDatasync)
}

func (c *call) sync(fd uint64, op engine.FileOp, right uint64) abi.Errno {
	d, errno := c.fds.get(fd, right)
	if d != nil && d.isStream() {
		return abi.EINVAL
	}
	if errno == 0 {
		_, errno = c.file(&engine.FileRequest{Op: op, Handle: d.handle})
	}
	return errno
}

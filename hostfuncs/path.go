package hostfuncs

import (
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Paths are relative to a directory descriptor and never leave it: an absolute
// one, or one that ".." or a symbolic link takes out, is EPERM; the empty one
// ENOENT; one that goes on behind a slash where no directory is, ENOTDIR. The
// leader's file server sees to that. Here a path that holds a NUL is EINVAL and
// one above 4096 bytes ENAMETOOLONG; a descriptor that is no directory ENOTDIR.

// pathRequest returns a request with a directory and a path.
func (c *call) pathRequest(op engine.FileOp, right, fd, ptr, n uint64) (*engine.FileRequest, abi.Errno) {
	d, errno := c.fds.dir(fd, right)
	if errno != 0 {
		return nil, errno
	}
	path, errno := c.mem.path(ptr, n)
	if errno != 0 {
		return nil, errno
	}
	return &engine.FileRequest{Op: op, Handle: d.handle, Path: path}, 0
}

// lookup turns lookupflags into those of a request.
func lookup(flags uint64) (uint32, abi.Errno) {
	switch uint32(flags) {
	case 0:
		return 0, 0
	case abi.LookupFollow:
		return engine.Follow, 0
	}
	return 0, abi.EINVAL
}

// simple carries out a request of nothing but a directory and a path.
func (c *call) simple(op engine.FileOp, right uint64, a []uint64) abi.Errno {
	req, errno := c.pathRequest(op, right, a[0], a[1], a[2])
	if errno == 0 {
		_, errno = c.file(req)
	}
	return errno
}

// pathCreateDirectory makes a directory. EEXIST.
func pathCreateDirectory(c *call, a []uint64) abi.Errno {
	return c.simple(engine.FileMkdir, abi.RightPathCreateDirectory, a)
}

// pathRemoveDirectory removes an empty directory. ENOTDIR, ENOTEMPTY.
func pathRemoveDirectory(c *call, a []uint64) abi.Errno {
	return c.simple(engine.FileRmdir, abi.RightPathRemoveDirectory, a)
}

// pathUnlinkFile removes what is not a directory. EISDIR.
func pathUnlinkFile(c *call, a []uint64) abi.Errno {
	return c.simple(engine.FileUnlink, abi.RightPathUnlinkFile, a)
}

// pathOpen opens a file or directory and writes the new descriptor, u32, the
// lowest free. Of the rights asked for it gets those that make sense on its
// type and were not dropped from the directory's; the right to write is what
// makes the leader open it for writing. ELOOP for a symbolic link at the end
// that is not followed, EISDIR to write a directory, EMFILE, EINVAL for unknown
// flags or to create a directory. FIFOs, sockets and devices are EPERM.
func pathOpen(c *call, a []uint64) abi.Errno {
	oflags, base, inheriting, fdflags := uint32(a[4]), a[5], a[6], uint32(a[7])
	right := abi.RightPathOpen
	if oflags&abi.OpenCreate != 0 {
		right |= abi.RightPathCreateFile
	}
	if oflags&abi.OpenTruncate != 0 {
		right |= abi.RightPathFilestatSetSize
	}
	req, errno := c.pathRequest(engine.FileOpen, right, a[0], a[2], a[3])
	if errno != 0 {
		return errno
	}
	follow, errno := lookup(a[1])
	if errno != 0 {
		return errno
	}
	const all = abi.OpenCreate | abi.OpenDirectory | abi.OpenExclusive | abi.OpenTruncate
	if oflags&^all != 0 || fdflags&^uint32(allFlags) != 0 {
		return abi.EINVAL
	}
	out, errno := c.mem.bytes(a[8], 4)
	if errno != 0 {
		return errno
	}
	fd, errno := c.fds.free()
	if errno != 0 {
		return errno
	}
	parent, _ := c.fds.get(a[0], 0)
	base &= parent.ceiling
	req.Flags = follow | openFlags(oflags, base, fdflags)
	r, errno := c.file(req)
	if errno != 0 {
		return errno
	}
	d := &descriptor{
		kind: kindFile, filetype: r.Stat.Type, flags: uint16(fdflags), handle: r.Handle,
		base: base & fileRights, inheriting: inheriting & parent.ceiling, ceiling: parent.ceiling,
	}
	if d.filetype == abi.FiletypeDirectory {
		d.kind, d.base = kindDir, base&dirRights
	}
	c.fds.fds[fd] = d
	le.PutUint32(out, uint32(fd))
	return 0
}

// openFlags returns the flags of a FileOpen. The request's first four are
// numbered as oflags are.
func openFlags(oflags uint32, base uint64, fdflags uint32) uint32 {
	f := oflags
	if base&abi.RightFdRead != 0 {
		f |= engine.OpenRead
	}
	// Not the right to set the size: Go asks for it to read, too.
	if base&(abi.RightFdWrite|abi.RightFdAllocate) != 0 {
		f |= engine.OpenWrite
	}
	if fdflags&uint32(abi.FdSync|abi.FdDsync) != 0 {
		f |= engine.OpenSync
	}
	return f
}

// pathRename renames. What the new path names is replaced: a file by a file,
// an empty directory by a directory.
func pathRename(c *call, a []uint64) abi.Errno {
	req, errno := c.pathRequest(engine.FileRename, abi.RightPathRenameSource, a[0], a[1], a[2])
	if errno != 0 {
		return errno
	}
	to, errno := c.pathRequest(engine.FileRename, abi.RightPathRenameTarget, a[3], a[4], a[5])
	if errno != 0 {
		return errno
	}
	req.Handle2, req.Path2 = to.Handle, to.Path
	_, errno = c.file(req)
	return errno
}

// pathLink makes a second name for a file, or for a symbolic link itself.
// EEXIST; EPERM for a directory; EINVAL with the flag that would follow a link.
func pathLink(c *call, a []uint64) abi.Errno {
	if uint32(a[1]) != 0 {
		return abi.EINVAL
	}
	req, errno := c.pathRequest(engine.FileLink, abi.RightPathLinkSource, a[0], a[2], a[3])
	if errno != 0 {
		return errno
	}
	to, errno := c.pathRequest(engine.FileLink, abi.RightPathLinkTarget, a[4], a[5], a[6])
	if errno != 0 {
		return errno
	}
	req.Handle2, req.Path2 = to.Handle, to.Path
	_, errno = c.file(req)
	return errno
}

// pathSymlink makes a symbolic link. EEXIST; EPERM for a target that is
// absolute or not inside the directory.
func pathSymlink(c *call, a []uint64) abi.Errno {
	target, errno := c.mem.path(a[0], a[1])
	if errno != 0 {
		return errno
	}
	req, errno := c.pathRequest(engine.FileSymlink, abi.RightPathSymlink, a[2], a[3], a[4])
	if errno != 0 {
		return errno
	}
	req.Path2 = target
	_, errno = c.file(req)
	return errno
}

// pathReadlink writes the target of a symbolic link, cut to the buffer, without
// a NUL, and how many bytes it wrote, u32. EINVAL for what is not a link.
func pathReadlink(c *call, a []uint64) abi.Errno {
	req, errno := c.pathRequest(engine.FileReadlink, abi.RightPathReadlink, a[0], a[1], a[2])
	if errno != 0 {
		return errno
	}
	buf, errno := c.mem.bytes(a[3], a[4])
	if errno != 0 {
		return errno
	}
	used, errno := c.mem.bytes(a[5], 4)
	if errno != 0 {
		return errno
	}
	r, errno := c.file(req)
	if errno == 0 {
		le.PutUint32(used, uint32(copy(buf, r.Data)))
	}
	return errno
}

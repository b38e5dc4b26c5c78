package hostfuncs

import (
	"math"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// putFilestat writes a filestat: dev u64, ino u64, filetype u8, pad, nlink u64,
// size u64, atim u64, mtim u64, ctim u64.
func putFilestat(p []byte, s engine.FileAttr) {
	clear(p)
	le.PutUint64(p[0:], s.Dev)
	le.PutUint64(p[8:], s.Ino)
	p[16] = s.Type
	le.PutUint64(p[24:], s.Nlink)
	le.PutUint64(p[32:], s.Size)
	le.PutUint64(p[40:], s.Atime)
	le.PutUint64(p[48:], s.Mtime)
	le.PutUint64(p[56:], s.Ctime)
}

// fdFilestatGet writes the filestat of an open file. That of a stream has a
// type and nothing else.
func fdFilestatGet(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], abi.RightFdFilestatGet)
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], abi.SizeFilestat)
	if errno != 0 {
		return errno
	}
	if d.isStream() {
		putFilestat(p, engine.FileAttr{Type: d.filetype, Nlink: 1})
		return 0
	}
	r, errno := c.file(&engine.FileRequest{Op: engine.FileStat, Handle: d.handle})
	if errno == 0 {
		putFilestat(p, r.Stat)
	}
	return errno
}

// fdFilestatSetSize cuts or extends a file, with zeros. EINVAL above 1<<63-1.
func fdFilestatSetSize(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], abi.RightFdFilestatSetSize)
	switch {
	case errno != 0:
		return errno
	case d.kind != kindFile || a[1] > math.MaxInt64:
		return abi.EINVAL
	}
	_, errno = c.file(&engine.FileRequest{Op: engine.FileSetSize, Handle: d.handle, Size: a[1]})
	return errno
}

// times returns the flags of a request for fstflags. EINVAL if a time is to be
// both the given one and now, or above 1<<63-1, or for unknown flags.
func times(atime, mtime, fst uint64) (uint32, abi.Errno) {
	f := uint32(fst)
	const all = abi.TimeAtime | abi.TimeAtimeNow | abi.TimeMtime | abi.TimeMtimeNow
	if f&^all != 0 ||
		f&(abi.TimeAtime|abi.TimeAtimeNow) == abi.TimeAtime|abi.TimeAtimeNow ||
		f&(abi.TimeMtime|abi.TimeMtimeNow) == abi.TimeMtime|abi.TimeMtimeNow ||
		f&abi.TimeAtime != 0 && atime > math.MaxInt64 || f&abi.TimeMtime != 0 && mtime > math.MaxInt64 {
		return 0, abi.EINVAL
	}
	var out uint32
	for _, m := range [][2]uint32{
		{abi.TimeAtime, engine.SetAtime}, {abi.TimeAtimeNow, engine.SetAtimeNow},
		{abi.TimeMtime, engine.SetMtime}, {abi.TimeMtimeNow, engine.SetMtimeNow},
	} {
		if f&m[0] != 0 {
			out |= m[1]
		}
	}
	return out, 0
}

// fdFilestatSetTimes sets access and modification time, each to a given one or
// to now, as its flags say. EINVAL as of times; EBADF for a stream.
func fdFilestatSetTimes(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.get(a[0], abi.RightFdFilestatSetTimes)
	if d != nil && d.isStream() {
		return abi.EBADF
	}
	if errno != 0 {
		return errno
	}
	flags, errno := times(a[1], a[2], a[3])
	if errno != 0 {
		return errno
	}
	_, errno = c.file(&engine.FileRequest{
		Op: engine.FileSetTimes, Handle: d.handle, Flags: flags, Atime: int64(a[1]), Mtime: int64(a[2]),
	})
	return errno
}

// pathFilestatGet writes the filestat of what a path names. Flag 1 follows a
// symbolic link at its end.
func pathFilestatGet(c *call, a []uint64) abi.Errno {
	req, errno := c.pathRequest(engine.FilePathStat, abi.RightPathFilestatGet, a[0], a[2], a[3])
	if errno != 0 {
		return errno
	}
	if req.Flags, errno = lookup(a[1]); errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[4], abi.SizeFilestat)
	if errno != 0 {
		return errno
	}
	r, errno := c.file(req)
	if errno == 0 {
		putFilestat(p, r.Stat)
	}
	return errno
}

// pathFilestatSetTimes is fd_filestat_set_times for what a path names; for the
// link itself at its end, unless flag 1 follows it.
func pathFilestatSetTimes(c *call, a []uint64) abi.Errno {
	req, errno := c.pathRequest(engine.FilePathSetTimes, abi.RightPathFilestatSetTimes, a[0], a[2], a[3])
	if errno != 0 {
		return errno
	}
	follow, errno := lookup(a[1])
	if errno != 0 {
		return errno
	}
	flags, errno := times(a[4], a[5], a[6])
	if errno != 0 {
		return errno
	}
	req.Flags, req.Atime, req.Mtime = follow|flags, int64(a[4]), int64(a[5])
	_, errno = c.file(req)
	return errno
}

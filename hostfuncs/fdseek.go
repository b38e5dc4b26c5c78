package hostfuncs

import (
	"math"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// fdSeek moves a file's offset and writes the new one, u64. It may be behind
// the end. EINVAL for one below zero or a whence that does not exist, ESPIPE
// for a stream. The right to tell is enough to ask where it is.
func fdSeek(c *call, a []uint64) abi.Errno {
	right, whence := abi.RightFdSeek, uint32(a[2])
	if a[1] == 0 && whence == abi.SeekCur {
		right = 0
	}
	d, errno := c.fds.file(a[0], right)
	if errno == 0 && right == 0 && d.base&(abi.RightFdSeek|abi.RightFdTell) == 0 {
		errno = abi.ENOTCAPABLE
	}
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[3], 8)
	if errno != 0 {
		return errno
	}
	var from uint64
	switch whence {
	case abi.SeekSet:
	case abi.SeekCur:
		from = d.offset
	case abi.SeekEnd:
		r, errno := c.file(&engine.FileRequest{Op: engine.FileStat, Handle: d.handle})
		if errno != 0 {
			return errno
		}
		from = min(r.Stat.Size, math.MaxInt64)
	default:
		return abi.EINVAL
	}
	// from is not negative and the distance is signed, so a sum below zero or
	// too large has the top bit set.
	to := from + a[1]
	if to > math.MaxInt64 {
		return abi.EINVAL
	}
	d.offset = to
	le.PutUint64(p, to)
	return 0
}

// fdTell writes a file's offset, u64. ESPIPE for a stream.
func fdTell(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.file(a[0], abi.RightFdTell)
	if errno != 0 {
		return errno
	}
	p, errno := c.mem.bytes(a[1], 8)
	if errno == 0 {
		le.PutUint64(p, d.offset)
	}
	return errno
}

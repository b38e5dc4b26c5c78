package hostfuncs

import (
	"errors"
	"io"
	"math"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

const (
	// batch is how many requests for file data are under way at once.
	batch = engine.OutputCredit / engine.MaxChunk
	// joined is up to how many bytes the buffers of one write to a stream leave
	// as one signal. Above it copying costs more than signals do.
	joined = 4 << 10
)

// fdRead reads into iovecs from a file at its offset, or from stdin, and writes
// how many bytes it read, u32; 0 is end of file. From stdin it blocks until
// something is there, or gives EAGAIN if the descriptor has nonblock. EISDIR,
// EBADF if it is not open for reading, EINVAL for more than 1024 iovecs or 2 GiB.
func fdRead(c *call, a []uint64) abi.Errno {
	d, v, n, errno := c.transfer(a[0], abi.RightFdRead, a[1], a[2], a[3])
	if errno != 0 {
		return errno
	}
	var done int
	if d.kind == kindStdin {
		done, errno = c.readStdin(v, d.flags&abi.FdNonblock == 0)
	} else {
		done, errno = c.readFile(d, v, d.offset)
		d.offset += uint64(done)
	}
	le.PutUint32(n, uint32(done))
	return errno
}

// fdPread reads from a file at an offset given, and leaves the file's own
// alone. ESPIPE for a stream, else as fd_read.
func fdPread(c *call, a []uint64) abi.Errno {
	d, v, n, errno := c.transfer(a[0], abi.RightFdRead, a[1], a[2], a[4])
	if errno = positional(d, a[3], errno); errno != 0 {
		return errno
	}
	done, errno := c.readFile(d, v, a[3])
	le.PutUint32(n, uint32(done))
	return errno
}

// fdWrite writes iovecs to a file at its offset, or at its end if it has
// append, or to stdout or stderr, and writes how many bytes it wrote, u32. To a
// stream it blocks while the leader grants no credit. EPIPE if the leader is
// gone, else errors as of fd_read.
func fdWrite(c *call, a []uint64) abi.Errno {
	d, v, n, errno := c.transfer(a[0], abi.RightFdWrite, a[1], a[2], a[3])
	if errno != 0 {
		return errno
	}
	var done int
	switch {
	case d.isStream():
		done, errno = c.writeStream(d, v)
	case d.flags&abi.FdAppend != 0:
		done, errno = c.writeFile(d, v, 0, engine.OpenAppend)
	default:
		done, errno = c.writeFile(d, v, d.offset, 0)
		d.offset += uint64(done)
	}
	le.PutUint32(n, uint32(done))
	return errno
}

// fdPwrite writes to a file at an offset given, even if the file has append,
// and leaves the file's own offset alone. ESPIPE for a stream, else as fd_write.
func fdPwrite(c *call, a []uint64) abi.Errno {
	d, v, n, errno := c.transfer(a[0], abi.RightFdWrite, a[1], a[2], a[4])
	if errno = positional(d, a[3], errno); errno != 0 {
		return errno
	}
	done, errno := c.writeFile(d, v, a[3], 0)
	le.PutUint32(n, uint32(done))
	return errno
}

func positional(d *descriptor, offset uint64, errno abi.Errno) abi.Errno {
	switch {
	case errno != 0:
		return errno
	case d.isStream():
		return abi.ESPIPE
	case offset > math.MaxInt64:
		return abi.EINVAL
	}
	return 0
}

// transfer checks the arguments of a read or write: the descriptor, the
// buffers, and where the count goes.
func (c *call) transfer(fd, right, iovs, count, result uint64) (d *descriptor, v iovecs, n []byte, errno abi.Errno) {
	d, errno = c.fds.get(fd, right)
	switch {
	case d != nil && d.kind == kindDir:
		errno = abi.EISDIR
	case errno == abi.ENOTCAPABLE:
		errno = abi.EBADF // what POSIX programs know
	}
	if errno != 0 {
		return
	}
	if n, errno = c.mem.bytes(result, 4); errno != 0 {
		return
	}
	v, errno = c.mem.iovecs(iovs, count)
	return
}

func (c *call) readStdin(v iovecs, block bool) (done int, errno abi.Errno) {
	for len(v.list) > 0 {
		n, err := c.p.Read(v.list[0], block && done == 0)
		done += n
		short := n < len(v.list[0])
		v.skip(n)
		if err == nil && !short {
			continue
		}
		c.live()
		switch {
		case err == nil, done > 0, errors.Is(err, io.EOF):
			return done, 0
		case errors.Is(err, engine.ErrWouldBlock):
			return 0, abi.EAGAIN
		}
		return 0, abi.EIO
	}
	return done, 0
}

func (c *call) writeStream(d *descriptor, v iovecs) (done int, errno abi.Errno) {
	stream := engine.Stdout
	if d.kind == kindStderr {
		stream = engine.Stderr
	}
	for len(v.list) > 0 {
		b := v.list[0]
		if len(v.list) > 1 && v.total <= joined {
			c.scratch = v.take(c.scratch[:0], v.total)
			b = c.scratch
		} else {
			v.skip(len(b))
		}
		n, err := c.p.Write(stream, b)
		done += n
		if err != nil {
			c.live()
			return orDone(done, abi.EPIPE)
		}
	}
	return done, 0
}

// orDone returns the result of a transfer that an error ended: what was done
// before counts as success, and the next call meets the error again.
func orDone(done int, errno abi.Errno) (int, abi.Errno) {
	if done > 0 {
		errno = 0
	}
	return done, errno
}

// readFile reads into the buffers until they are full or the file ends, several
// requests under way at once.
func (c *call) readFile(d *descriptor, v iovecs, offset uint64) (done int, errno abi.Errno) {
	left := int(min(uint64(v.total), math.MaxInt64-offset))
	for left > 0 {
		var reqs []*engine.FileRequest
		for size := 0; size < left && len(reqs) < batch; size += engine.MaxChunk {
			reqs = append(reqs, &engine.FileRequest{
				Op: engine.FileRead, Handle: d.handle,
				Offset: offset + uint64(done+size), Size: uint64(min(left-size, engine.MaxChunk)),
			})
		}
		replies, errno := c.files(reqs...)
		if errno != 0 {
			return orDone(done, errno)
		}
		for i, r := range replies {
			if r.Errno != 0 {
				return orDone(done, abi.Errno(r.Errno))
			}
			want := int(reqs[i].Size)
			n := v.put(r.Data[:min(len(r.Data), want)])
			done += n
			left -= n
			if n < want {
				return done, 0
			}
		}
	}
	return done, 0
}

// writeFile writes the buffers, several requests under way at once. With
// OpenAppend they go to the end, and the file's offset ends up behind them.
// Where an error ends it, requests that were under way behind the one that
// failed may have been carried out.
func (c *call) writeFile(d *descriptor, v iovecs, offset uint64, flags uint32) (done int, errno abi.Errno) {
	if uint64(v.total) > math.MaxInt64-offset {
		return 0, abi.EFBIG
	}
	for v.total > 0 {
		var reqs []*engine.FileRequest
		var sizes []int
		for size := 0; v.total > 0 && len(sizes) < batch; {
			b := v.take(make([]byte, 0, min(v.total, engine.MaxChunk)), engine.MaxChunk)
			reqs = append(reqs, &engine.FileRequest{
				Op: engine.FileWrite, Handle: d.handle, Flags: flags, Offset: offset + uint64(done+size), Data: b,
			})
			sizes = append(sizes, len(b))
			size += len(b)
		}
		if flags&engine.OpenAppend != 0 {
			// The leader works in order: this size is that behind the writes.
			reqs = append(reqs, &engine.FileRequest{Op: engine.FileStat, Handle: d.handle})
		}
		replies, errno := c.files(reqs...)
		if errno != 0 {
			return orDone(done, errno)
		}
		if flags&engine.OpenAppend != 0 {
			if last := replies[len(replies)-1]; last.Errno == 0 {
				d.offset = min(last.Stat.Size, math.MaxInt64)
			}
		}
		for i, want := range sizes {
			r := replies[i]
			if r.Errno != 0 {
				return orDone(done, abi.Errno(r.Errno))
			}
			n := int(min(r.Size, uint64(want)))
			done += n
			if n < want {
				return done, 0
			}
		}
	}
	return done, 0
}

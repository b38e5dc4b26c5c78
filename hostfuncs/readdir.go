package hostfuncs

import (
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// dirPiece is the last piece of a directory that the leader sent: entries as
// fd_readdir lays them out. A guest's buffer holds less than a piece, and it
// comes back for the rest. A guest has one: were it one for each descriptor, a
// thousand open directories would cost the node much more than the guest.
type dirPiece struct {
	of     *descriptor
	cookie uint64 // of its first entry
	data   []byte
}

// dirent returns the first entry of data as it is laid out, and the cookie of
// the next. ok is false if data does not begin with a whole entry.
//
//	next cookie u64, inode u64, length of name u32, filetype u8, pad, name
func dirent(data []byte) (entry []byte, next uint64, ok bool) {
	if len(data) < abi.SizeDirent {
		return nil, 0, false
	}
	size := uint64(abi.SizeDirent) + uint64(le.Uint32(data[16:]))
	if size > uint64(len(data)) {
		return nil, 0, false
	}
	return data[:size], le.Uint64(data), true
}

// at returns the entries of a directory from a cookie on, nil if they are not
// in the piece.
func (p *dirPiece) at(d *descriptor, cookie uint64) []byte {
	if p.of != d {
		return nil
	}
	next := p.cookie
	for data := p.data; len(data) > 0; {
		if next == cookie {
			return data
		}
		entry, n, ok := dirent(data)
		if !ok {
			return nil
		}
		data, next = data[len(entry):], n
	}
	return nil
}

// fdReaddir writes entries of a directory from a cookie on, until the buffer is
// full, the last one possibly cut, and how many bytes it wrote, u32: less than
// the buffer has is the end. Cookie 0 reads the directory anew; others are those
// that entries carried. "." and ".." are entries, ENOTDIR for a file.
func fdReaddir(c *call, a []uint64) abi.Errno {
	d, errno := c.fds.dir(a[0], abi.RightFdReaddir)
	if errno != 0 {
		return errno
	}
	buf, errno := c.mem.bytes(a[1], a[2])
	if errno != 0 {
		return errno
	}
	used, errno := c.mem.bytes(a[4], 4)
	if errno != 0 {
		return errno
	}
	cookie, done := a[3], 0
	if cookie == 0 {
		c.dir = dirPiece{}
	}
	for done < len(buf) {
		data := c.dir.at(d, cookie)
		if data == nil {
			r, errno := c.file(&engine.FileRequest{Op: engine.FileReadDir, Handle: d.handle, Offset: cookie, Size: engine.MaxChunk})
			if errno != 0 {
				return errno
			}
			if len(r.Data) == 0 {
				break
			}
			c.dir = dirPiece{d, cookie, r.Data}
			data = r.Data
		}
		for len(data) > 0 && done < len(buf) {
			entry, next, ok := dirent(data)
			if !ok {
				return abi.EIO
			}
			done += copy(buf[done:], entry)
			data, cookie = data[len(entry):], next
		}
	}
	le.PutUint32(used, uint32(done))
	return 0
}

package origin

import (
	"encoding/binary"
	"io"

	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine"
)

// maxListed is how many directory entries the handles of one process hold at
// once; ENOMEM above it.
const maxListed = 1 << 20

// listing is a directory as it was when it was read from cookie 0. A cookie is
// an index into it, so it stays good while the handle is open.
type listing struct{ names []string }

// drop forgets a handle's listing.
func (t *fileTable) drop(h *handle) {
	if h.listing != nil {
		t.listed -= len(h.listing.names)
		h.listing = nil
	}
}

// list reads the directory anew.
func (t *fileTable) list(h *handle) engine.Errno {
	t.drop(h)
	dir, err := h.root.Open(".") // of its own: h.file has an offset, and a mount's is shared
	if err != nil {
		return errnoOf(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxListed - t.listed + 1)
	if err != nil && len(names) == 0 && err != io.EOF {
		return errnoOf(err)
	}
	if t.listed+len(names) > maxListed {
		return errnoNoMemory
	}
	h.listing = &listing{names}
	t.listed += len(names)
	return 0
}

// doReadDir returns whole entries from a cookie on, as many as fit; none is the
// end. Cookies 0 and 1 are "." and "..".
//
//	next cookie u64, inode u64, length of name u32, filetype u8, pad, name
//
// Source: WASI snapshot_preview1, type dirent.
func doReadDir(t *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	if req.Size > engine.MaxChunk {
		return errnoInvalid
	}
	if req.Offset == 0 || h.listing == nil {
		if errno := t.list(h); errno != 0 {
			return errno
		}
	}
	var self unix.Stat_t
	if err := unix.Fstat(int(h.file.Fd()), &self); err != nil {
		return errnoOf(err)
	}
	names := h.listing.names
	for i := req.Offset; i < uint64(len(names))+2; i++ {
		// The parent of a directory is none of the guest's business: both are self.
		name, st := []string{".", ".."}[min(i, 1)], self
		if i >= 2 {
			name = names[i-2]
			if unix.Fstatat(int(h.file.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue // gone since
			}
		}
		if len(reply.Data)+24+len(name) > int(req.Size) {
			if len(reply.Data) == 0 {
				return errnoInvalid // room for not even one
			}
			break
		}
		b := binary.LittleEndian.AppendUint64(reply.Data, i+1)
		b = binary.LittleEndian.AppendUint64(b, st.Ino)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
		b = append(b, filetype(uint32(st.Mode)), 0, 0, 0)
		reply.Data = append(b, name...)
	}
	return 0
}

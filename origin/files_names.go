package origin

import (
	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine"
)

// newName resolves a path to a name to be made, other than a directory's.
// EEXIST for one that is there, whatever a trailing slash says of it.
func (h *handle) newName(path string) (*place, engine.Errno) {
	p, errno := h.locate(path)
	if errno != 0 {
		return nil, errno
	}
	if p.name == "" {
		errno = errnoExists
	} else if p.slash {
		var st *unix.Stat_t
		if st, errno = p.stat(); errno == 0 {
			if errno = errnoExists; st == nil {
				errno = errnoNoEntry
			}
		}
	}
	if errno != 0 {
		p.close()
		return nil, errno
	}
	return p, 0
}

func doMkdir(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	p, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer p.close()
	if p.name == "" {
		return errnoExists
	}
	return errnoOf(unix.Mkdirat(p.fd(), p.name, dirMode))
}

func doRmdir(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	p, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer p.close()
	if p.name == "" {
		return errnoInvalid
	}
	return errnoOf(unix.Unlinkat(p.fd(), p.name, unix.AT_REMOVEDIR))
}

func doUnlink(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	p, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer p.close()
	st, errno := p.existing()
	switch {
	case errno != 0:
		return errno
	case isDir(st):
		return errnoIsDirectory
	case p.slash:
		return errnoNotDirectory
	}
	return errnoOf(unix.Unlinkat(p.fd(), p.name, 0))
}

// other returns the directory of a request's second handle.
func (t *fileTable) other(req *engine.FileRequest) (*handle, engine.Errno) {
	h := t.handles[req.Handle2]
	switch {
	case h == nil:
		return nil, errnoBadFile
	case h.root == nil:
		return nil, errnoNotDirectory
	case h.mount.ReadOnly:
		return nil, errnoReadOnly
	}
	return h, 0
}

func doRename(t *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	h2, errno := t.other(req)
	if errno != 0 {
		return errno
	}
	from, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer from.close()
	to, errno := h2.locate(req.Path2)
	if errno != 0 {
		return errno
	}
	defer to.close()
	if from.name == "" || to.name == "" {
		return errnoOf(unix.EBUSY)
	}
	st, errno := from.existing()
	switch {
	case errno != 0:
		return errno
	case (from.slash || to.slash) && !isDir(st):
		return errnoNotDirectory
	}
	if errno = h2.checkLink(from, st, to); errno != 0 {
		return errno
	}
	return errnoOf(unix.Renameat(from.fd(), from.name, to.fd(), to.name))
}

// checkLink sees to it that a symbolic link which moves still points inside.
func (h *handle) checkLink(from *place, st *unix.Stat_t, to *place) engine.Errno {
	if !isLink(st) {
		return 0
	}
	target, errno := from.readlink()
	if errno != 0 {
		return errno
	}
	return h.checkTarget(to, target)
}

func doLink(t *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	if req.Flags&engine.Follow != 0 {
		return errnoInvalid
	}
	h2, errno := t.other(req)
	if errno != 0 {
		return errno
	}
	from, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer from.close()
	to, errno := h2.newName(req.Path2)
	if errno != 0 {
		return errno
	}
	defer to.close()
	st, errno := from.existing()
	switch {
	case errno != 0:
		return errno
	case isDir(st):
		return errnoNotPermitted
	case from.slash:
		return errnoNotDirectory
	}
	if errno = h2.checkLink(from, st, to); errno != 0 {
		return errno
	}
	return errnoOf(unix.Linkat(from.fd(), from.name, to.fd(), to.name, 0))
}

func doSymlink(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	p, errno := h.newName(req.Path)
	if errno != 0 {
		return errno
	}
	defer p.close()
	if errno = h.checkTarget(p, req.Path2); errno != 0 {
		return errno
	}
	return errnoOf(unix.Symlinkat(req.Path2, p.fd(), p.name))
}

func doReadlink(_ *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	p, errno := h.locate(req.Path)
	if errno != 0 {
		return errno
	}
	defer p.close()
	if p.name == "" || p.slash {
		return errnoInvalid
	}
	target, errno := p.readlink()
	reply.Data = []byte(target)
	return errno
}

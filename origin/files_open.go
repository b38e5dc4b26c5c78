package origin

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine"
)

// Modes of what processes make, before the umask.
const (
	fileMode = 0o666
	dirMode  = 0o777
)

// doOpen opens a file or a directory.
func doOpen(t *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	if len(t.handles) >= maxHandles {
		return errnoTooManyFiles
	}
	create, exclusive := req.Flags&engine.OpenCreate != 0, req.Flags&engine.OpenExclusive != 0
	wantDir := req.Flags&engine.OpenDirectory != 0
	if create && wantDir {
		return errnoInvalid
	}
	p, st, errno := h.find(req.Path, req.Flags&engine.Follow != 0 && !(create && exclusive))
	if errno != 0 {
		return errno
	}
	defer p.close()
	writes := req.Flags&(engine.OpenWrite|engine.OpenTruncate) != 0
	switch {
	case st == nil && !create:
		return errnoNoEntry
	case st == nil && p.slash:
		return errnoIsDirectory // as Linux answers open("new/", O_CREAT)
	case h.mount.ReadOnly && (writes || st == nil):
		return errnoReadOnly
	case st == nil:
		return t.openFile(h, p, req, reply)
	case create && exclusive:
		return errnoExists
	case isLink(st):
		return errnoLoop
	case isDir(st):
		if writes || create {
			return errnoIsDirectory
		}
		return t.openDir(h, p, reply)
	case wantDir:
		return errnoNotDirectory
	case !isFile(st):
		return errnoNotPermitted
	}
	return t.openFile(h, p, req, reply)
}

// openFile opens or creates the regular file at p.
func (t *fileTable) openFile(h *handle, p *place, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	// O_NONBLOCK: what became a FIFO since the stat must not make us wait.
	flags := unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	read, write := req.Flags&engine.OpenRead != 0, req.Flags&(engine.OpenWrite|engine.OpenTruncate) != 0
	switch {
	case read && write:
		flags |= unix.O_RDWR
	case write:
		flags |= unix.O_WRONLY
	default:
		flags |= unix.O_RDONLY
	}
	for _, m := range [][2]uint32{
		{engine.OpenCreate, unix.O_CREAT}, {engine.OpenExclusive, unix.O_EXCL},
		{engine.OpenTruncate, unix.O_TRUNC}, {engine.OpenSync, unix.O_SYNC},
	} {
		if req.Flags&m[0] != 0 && !(h.mount.ReadOnly && m[0] != engine.OpenSync) {
			flags |= int(m[1])
		}
	}
	fd, err := openat(p.fd(), p.name, flags, fileMode)
	if err != nil {
		return errnoOf(err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && !isFile(&st) {
		err = unix.EPERM // another thing than a moment ago
	}
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return errnoOf(err)
	}
	reply.Handle = t.add(&handle{mount: h.mount, file: os.NewFile(uintptr(fd), p.name)})
	reply.Stat = attr(&st)
	return 0
}

// openat is unix.Openat, again if a signal got in its way.
func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openDir opens the directory at p: as the root of what is opened through it,
// and as a file. Should both not be the same, someone swaps directories.
func (t *fileTable) openDir(h *handle, p *place, reply *engine.FileReply) engine.Errno {
	dir := p.dir
	if p.name != "" {
		fd, err := openat(p.fd(), p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return errnoOf(err)
		}
		dir = os.NewFile(uintptr(fd), p.name)
		defer dir.Close()
	}
	root, err := h.root.OpenRoot(p.full())
	if err != nil {
		return errnoOf(err)
	}
	file, err := root.Open(".")
	if err != nil {
		root.Close()
		return errnoOf(err)
	}
	var a, b unix.Stat_t
	if err = unix.Fstat(int(dir.Fd()), &a); err == nil {
		err = unix.Fstat(int(file.Fd()), &b)
	}
	if err == nil && (a.Dev != b.Dev || a.Ino != b.Ino) {
		err = unix.ESTALE
	}
	if err != nil {
		root.Close()
		file.Close()
		return errnoOf(err)
	}
	reply.Handle = t.add(&handle{mount: h.mount, root: root, file: file})
	reply.Stat = attr(&b)
	return 0
}

// doClose closes a handle; one of a mount is then no longer usable either.
func doClose(t *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	delete(t.handles, req.Handle)
	t.drop(h)
	return errnoOf(h.close())
}

// attr turns a stat into a filestat.
func attr(st *unix.Stat_t) engine.FileAttr {
	return engine.FileAttr{
		Dev: uint64(st.Dev), Ino: st.Ino, Type: filetype(uint32(st.Mode)),
		Nlink: uint64(st.Nlink), Size: uint64(st.Size),
		Atime: nano(st.Atim), Mtime: nano(st.Mtim), Ctime: nano(st.Ctim),
	}
}

// nano returns nanoseconds since 1970, 0 for earlier times: a filestat has no sign.
func nano(ts unix.Timespec) uint64 { return uint64(max(ts.Nano(), 0)) }

// filetype returns the WASI filetype of a mode.
// Source: WASI snapshot_preview1, type filetype.
func filetype(mode uint32) uint8 {
	switch mode & unix.S_IFMT {
	case unix.S_IFBLK:
		return 1
	case unix.S_IFCHR:
		return 2
	case unix.S_IFDIR:
		return 3
	case unix.S_IFREG:
		return 4
	case unix.S_IFSOCK:
		return 6
	case unix.S_IFLNK:
		return 7
	}
	return 0 // a FIFO has none
}

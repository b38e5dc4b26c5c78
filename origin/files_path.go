package origin

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine"
)

// A path is resolved in two steps. os.Root opens the directory that the last
// part is in, which keeps everything before it inside. The last part is then
// one name without a slash, and every system call on it is told not to follow
// a symbolic link there. Where a link is to be followed its target is read and
// resolved from the start. So a directory that is swapped for a link at the
// wrong moment leads nowhere.

const (
	maxPath  = 4096 // bytes; ENAMETOOLONG
	maxLinks = 40   // followed at the end of one path; ELOOP, as on Linux
	maxDepth = 255  // of directories in which symbolic links can be made
)

// place is where a path leads: a name in an open directory.
type place struct {
	dir   *os.File
	own   bool   // dir is to be closed
	name  string // one part; "" is dir itself, named as ".", ".." or with nothing else
	slash bool   // the path says that it is a directory
	path  string // from the handle's directory to dir, as it was resolved
}

func (p *place) fd() int { return int(p.dir.Fd()) }

func (p *place) close() {
	if p.own {
		p.dir.Close()
	}
}

// full returns the path from the handle's directory.
func (p *place) full() string { return p.path + "/" + p.name }

// split divides a path into the directory and the name in it.
func split(path string) (p place, errno engine.Errno) {
	switch {
	case path == "":
		return p, errnoNoEntry
	case path[0] == '/':
		return p, errnoNotPermitted
	case len(path) > maxPath:
		return p, errnoNameTooLong
	case strings.IndexByte(path, 0) >= 0:
		return p, errnoInvalid
	}
	parts := []string{"."}
	for _, s := range strings.Split(path, "/") {
		if s != "" && s != "." {
			parts = append(parts, s)
		}
	}
	last := parts[len(parts)-1]
	if last == "." || last == ".." {
		p.slash = true
	} else {
		p.name = last
		parts = parts[:len(parts)-1]
		p.slash = strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.")
	}
	p.path = strings.Join(parts, "/")
	return p, 0
}

// locate resolves a path from h's directory up to its last part. The caller
// closes the place.
func (h *handle) locate(path string) (*place, engine.Errno) {
	p, errno := split(path)
	if errno != 0 {
		return nil, errno
	}
	if p.path == "." {
		p.dir = h.file
		return &p, 0
	}
	dir, err := h.root.OpenFile(p.path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, errnoOf(err)
	}
	p.dir, p.own = dir, true
	return &p, 0
}

// find resolves a path to what it names, following a symbolic link there if
// follow or if the path ends in a slash. The stat is nil if nothing has that
// name; else it is no link, unless it was not to be followed.
func (h *handle) find(path string, follow bool) (*place, *unix.Stat_t, engine.Errno) {
	for range maxLinks {
		p, errno := h.locate(path)
		if errno != 0 {
			return nil, nil, errno
		}
		st, errno := p.stat()
		if errno == 0 && st != nil && isLink(st) && (follow || p.slash) {
			var target string
			if target, errno = p.readlink(); errno == 0 {
				path = p.path + "/" + target
				if p.slash {
					path += "/"
				}
				if strings.HasPrefix(target, "/") {
					errno = errnoNotPermitted
				}
			}
			p.close()
			if errno != 0 {
				return nil, nil, errno
			}
			continue
		}
		if errno == 0 && st != nil && p.slash && !isDir(st) {
			errno = errnoNotDirectory
		}
		if errno != 0 {
			p.close()
			return nil, nil, errno
		}
		return p, st, 0
	}
	return nil, nil, errnoLoop
}

// stat returns the stat of what has the name, a link itself, or nil if nothing has.
func (p *place) stat() (*unix.Stat_t, engine.Errno) {
	var st unix.Stat_t
	var err error
	if p.name == "" {
		err = unix.Fstat(p.fd(), &st)
	} else if err = unix.Fstatat(p.fd(), p.name, &st, unix.AT_SYMLINK_NOFOLLOW); err == unix.ENOENT {
		return nil, 0
	}
	if err != nil {
		return nil, errnoOf(err)
	}
	return &st, 0
}

// existing is stat where nothing is ENOENT.
func (p *place) existing() (*unix.Stat_t, engine.Errno) {
	st, errno := p.stat()
	if errno == 0 && st == nil {
		errno = errnoNoEntry
	}
	return st, errno
}

func (p *place) readlink() (string, engine.Errno) {
	buf := make([]byte, maxPath)
	n, err := unix.Readlinkat(p.fd(), p.name, buf)
	return string(buf[:max(n, 0)]), errnoOf(err)
}

func isLink(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFLNK }
func isDir(st *unix.Stat_t) bool  { return st.Mode&unix.S_IFMT == unix.S_IFDIR }
func isFile(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }

// checkTarget says whether a symbolic link in p's directory may have a target:
// relative, and ".." only at its front and not above the mount. The kernel
// takes ".." from where the link really is, so its depth is counted there; a
// ".." further on could follow another link and climb from there.
func (h *handle) checkTarget(p *place, target string) engine.Errno {
	if target == "" {
		return errnoNoEntry
	}
	if target[0] == '/' {
		return errnoNotPermitted
	}
	if len(target) > maxPath {
		return errnoNameTooLong
	}
	if strings.IndexByte(target, 0) >= 0 {
		return errnoInvalid
	}
	up, down := 0, false
	for _, s := range strings.Split(target, "/") {
		switch {
		case s == "" || s == ".":
		case s != "..":
			down = true
		case down:
			return errnoNotPermitted
		default:
			up++
		}
	}
	if up == 0 {
		return 0
	}
	depth, errno := depthOf(p.dir, h.mount.file)
	if errno == 0 && up > depth {
		errno = errnoNotPermitted
	}
	return errno
}

// depthOf counts the directories from dir up to top. EPERM if it is not below.
func depthOf(dir, top *os.File) (int, engine.Errno) {
	var want unix.Stat_t
	if err := unix.Fstat(int(top.Fd()), &want); err != nil {
		return 0, errnoOf(err)
	}
	fd := int(dir.Fd())
	for depth := 0; ; depth++ {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		var up int
		found := err == nil && st.Dev == want.Dev && st.Ino == want.Ino
		if err == nil && !found && depth < maxDepth {
			up, err = unix.Openat(fd, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
		if depth > 0 {
			unix.Close(fd)
		}
		switch {
		case err != nil:
			return 0, errnoOf(err)
		case found:
			return depth, 0
		case depth == maxDepth:
			return 0, errnoNotPermitted
		}
		fd = up
	}
}

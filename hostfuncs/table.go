package hostfuncs

import (
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Rights that make sense on each kind of descriptor.
const (
	fileRights = abi.RightFdDatasync | abi.RightFdRead | abi.RightFdSeek | abi.RightFdFdstatSetFlags |
		abi.RightFdSync | abi.RightFdTell | abi.RightFdWrite | abi.RightFdAdvise | abi.RightFdAllocate |
		abi.RightFdFilestatGet | abi.RightFdFilestatSetSize | abi.RightFdFilestatSetTimes | abi.RightPollFdReadwrite
	dirRights = abi.RightFdFdstatSetFlags | abi.RightFdSync | abi.RightFdDatasync | abi.RightFdReaddir |
		abi.RightPathCreateDirectory | abi.RightPathCreateFile | abi.RightPathLinkSource | abi.RightPathLinkTarget |
		abi.RightPathOpen | abi.RightPathReadlink | abi.RightPathRenameSource | abi.RightPathRenameTarget |
		abi.RightPathFilestatGet | abi.RightPathFilestatSetSize | abi.RightPathFilestatSetTimes |
		abi.RightFdFilestatGet | abi.RightFdFilestatSetTimes | abi.RightPathSymlink |
		abi.RightPathRemoveDirectory | abi.RightPathUnlinkFile
	// wasi-libc takes a character device that can neither seek nor tell for a terminal.
	streamRights = abi.RightFdFdstatSetFlags | abi.RightFdFilestatGet | abi.RightPollFdReadwrite
)

// descriptor is an open descriptor.
type descriptor struct {
	kind     kind
	filetype uint8
	flags    uint16 // of abi.Fd*

	base, inheriting uint64 // rights as the guest sees them
	// ceiling holds the rights that what is opened through this descriptor can
	// have. WASI says inheriting; but guests open directories with too few of
	// them and other runtimes do not look, so only rights that were dropped with
	// fd_fdstat_set_rights are withheld.
	ceiling uint64

	handle  uint32 // at the leader; of files and directories
	offset  uint64 // of files, ≤ 1<<63 - 1
	preopen string // the guest's name of a mount, "" for others
}

type kind uint8

const (
	kindStdin kind = iota
	kindStdout
	kindStderr
	kindFile
	kindDir
	kindMailbox
)

func (d *descriptor) isStream() bool { return d.kind <= kindStderr }

// table holds the descriptors of a guest by number.
type table struct {
	fds  []*descriptor
	most int // open at once

	// Where those are that every guest has.
	streams [3]descriptor
	first   [4]*descriptor
}

func (t *table) init(s *engine.Spec) {
	t.fds, t.most = t.first[:0], abi.MaxDescriptors
	if limit := s.Limits.Files; limit > 0 {
		t.most = int(min(limit, abi.MaxDescriptors))
	}
	for i, tty := range [...]bool{s.Terminal.Stdin, s.Terminal.Stdout, s.Terminal.Stderr} {
		d := &t.streams[i]
		*d = descriptor{kind: kind(i), filetype: abi.FiletypeUnknown, base: streamRights | abi.RightFdWrite}
		if d.kind == kindStdin {
			d.base = streamRights | abi.RightFdRead
		}
		if tty {
			d.filetype = abi.FiletypeCharacterDevice
		}
		t.fds = append(t.fds, d)
	}
	for i, m := range s.Mounts {
		t.fds = append(t.fds, &descriptor{
			kind: kindDir, filetype: abi.FiletypeDirectory,
			base: dirRights, inheriting: dirRights | fileRights, ceiling: ^uint64(0),
			handle: uint32(i) + 1, preopen: m.Guest,
		})
	}
}

// get returns an open descriptor that has all the rights.
func (t *table) get(fd uint64, rights uint64) (*descriptor, abi.Errno) {
	n := uint32(fd)
	if uint64(n) >= uint64(len(t.fds)) || t.fds[n] == nil {
		return nil, abi.EBADF
	}
	if d := t.fds[n]; d.base&rights != rights {
		return d, abi.ENOTCAPABLE
	}
	return t.fds[n], 0
}

// dir returns an open directory that has all the rights.
func (t *table) dir(fd uint64, rights uint64) (*descriptor, abi.Errno) {
	d, errno := t.get(fd, rights)
	if d != nil && d.kind != kindDir {
		return nil, abi.ENOTDIR
	}
	return d, errno
}

// file returns an open regular file that has all the rights. Streams are
// ESPIPE and directories EBADF, as of the POSIX functions that need a file.
func (t *table) file(fd uint64, rights uint64) (*descriptor, abi.Errno) {
	d, errno := t.get(fd, rights)
	switch {
	case d == nil:
		return nil, errno
	case d.isStream():
		return nil, abi.ESPIPE
	case d.kind == kindDir:
		return nil, abi.EBADF
	}
	return d, errno
}

// free returns the lowest number that is free, as POSIX has it. EMFILE.
func (t *table) free() (int, abi.Errno) {
	open, lowest := 0, -1
	for i, d := range t.fds {
		if d != nil {
			open++
		} else if lowest < 0 {
			lowest = i
		}
	}
	switch {
	case open >= t.most:
		return 0, abi.EMFILE
	case lowest >= 0:
		return lowest, 0
	}
	t.fds = append(t.fds, nil)
	return len(t.fds) - 1, 0
}

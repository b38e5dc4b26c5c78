package origin

import (
	"fmt"
	"math"
	"os"
	"path"
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// Dir is a directory of this machine that processes see, one --dir.
type Dir struct {
	Host     string // path here; what it names when Files opens, stays served if it is renamed
	Guest    string // absolute path that the guest sees
	ReadOnly bool   // every request that would change something is EROFS
}

// maxHandles is how many files and directories one process can have open. One
// more is EMFILE.
const maxHandles = 1024

// Files serves directories of this machine to processes on any node. Each is
// an os.Root: nothing that a process asks for, and nothing that happens to the
// directory meanwhile, makes it reach a file outside. It is safe for concurrent
// use.
//
// What processes cannot do: open FIFOs, sockets and devices (EPERM, so that no
// request waits for another program), make symbolic links that are absolute or
// lead outside (EPERM), follow links with a hard link (EINVAL), change owners
// and modes. A process's handles are its own: others cannot name them.
//
// What is not prevented: a directory that moves takes its symbolic links along,
// and one of them may then lead outside. No process gets there, but another
// program of this machine that follows it does.
type Files struct {
	mounts []*mount

	mu     sync.Mutex
	procs  map[engine.PID]*fileTable
	closed bool
}

// mount is a directory being served.
type mount struct {
	Dir
	root *os.Root
	file *os.File // the directory itself
}

// OpenDirs opens the directories. The error names the one that cannot be
// served and says why.
func OpenDirs(dirs []Dir) (*Files, error) {
	f := &Files{procs: map[engine.PID]*fileTable{}}
	seen := map[string]bool{}
	for _, d := range dirs {
		m, err := openMount(d)
		if err == nil && seen[path.Clean(d.Guest)] {
			err = fmt.Errorf("two directories at %q of the guest", d.Guest)
			m.close()
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		seen[path.Clean(d.Guest)] = true
		f.mounts = append(f.mounts, m)
	}
	return f, nil
}

func openMount(d Dir) (*mount, error) {
	if !path.IsAbs(d.Guest) {
		return nil, fmt.Errorf("directory %q: the guest's path %q is not absolute", d.Host, d.Guest)
	}
	root, err := os.OpenRoot(d.Host)
	if err != nil {
		return nil, fmt.Errorf("directory %q: %w", d.Host, err)
	}
	file, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("directory %q: %w", d.Host, err)
	}
	return &mount{Dir: d, root: root, file: file}, nil
}

func (m *mount) close() {
	m.root.Close()
	m.file.Close()
}

// Mounts returns the directories as a Spec lists them.
func (f *Files) Mounts() []engine.Mount {
	var ms []engine.Mount
	for _, m := range f.mounts {
		ms = append(ms, engine.Mount{Guest: m.Guest, ReadOnly: m.ReadOnly})
	}
	return ms
}

// Serve carries out a request of process p and returns the reply. Requests of one process are to come from
// one goroutine at a time; different processes are served in parallel. It
// blocks for as long as the disk does. The reply's data is the caller's.
func (f *Files) Serve(p engine.PID, req *engine.FileRequest) *engine.FileReply {
	reply := &engine.FileReply{}
	t := f.table(p)
	if t == nil {
		reply.Errno = errnoBadFile
	} else {
		t.mu.Lock()
		defer t.mu.Unlock()
		if reply.Errno = t.serve(req, reply); reply.Errno != 0 {
			*reply = engine.FileReply{Errno: reply.Errno}
		}
	}
	reply.ID = req.ID
	return reply
}

// table returns the handles of a process, made on its first request.
func (f *Files) table(p engine.PID) *fileTable {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	t := f.procs[p]
	if t == nil {
		t = &fileTable{handles: map[uint32]*handle{}}
		for _, m := range f.mounts {
			t.add(&handle{mount: m, root: m.root, file: m.file, shared: true})
		}
		f.procs[p] = t
	}
	return t
}

// Release closes what p holds. No request of p may follow.
func (f *Files) Release(p engine.PID) {
	f.mu.Lock()
	t := f.procs[p]
	delete(f.procs, p)
	f.mu.Unlock()
	if t != nil {
		t.close()
	}
}

// Close closes everything. Requests from now on are EBADF.
func (f *Files) Close() {
	f.mu.Lock()
	procs := f.procs
	f.procs, f.closed = nil, true
	f.mu.Unlock()
	for _, t := range procs {
		t.close()
	}
	for _, m := range f.mounts {
		m.close()
	}
}

// fileTable holds what one process has open.
type fileTable struct {
	mu      sync.Mutex // held while a request is carried out
	handles map[uint32]*handle
	last    uint32 // number of the handle made last; numbers are not used again
	listed  int    // directory entries held by handles
	closed  bool
}

// handle is an open file or directory.
type handle struct {
	mount   *mount
	root    *os.Root // of directories
	file    *os.File
	shared  bool // root and file are the mount's
	listing *listing
}

func (h *handle) close() (err error) {
	if h.shared {
		return nil
	}
	if h.root != nil {
		h.root.Close()
	}
	return h.file.Close()
}

func (t *fileTable) add(h *handle) uint32 {
	t.last++
	t.handles[t.last] = h
	return t.last
}

func (t *fileTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, h := range t.handles {
		h.close()
	}
	t.handles = nil
}

// operation is how a FileOp is carried out: what its Handle must be, whether it
// changes something, and the function.
type operation struct {
	dir, file bool // Handle is a directory, a file; both: either
	write     bool
	do        func(*fileTable, *handle, *engine.FileRequest, *engine.FileReply) engine.Errno
}

func operationOf(op engine.FileOp) operation {
	switch op {
	case engine.FileOpen:
		return operation{dir: true, do: doOpen} // looks itself whether it writes
	case engine.FileClose:
		return operation{dir: true, file: true, do: doClose}
	case engine.FileRead:
		return operation{file: true, do: doRead}
	case engine.FileWrite:
		return operation{file: true, write: true, do: doWrite}
	case engine.FileStat:
		return operation{dir: true, file: true, do: doStat}
	case engine.FilePathStat:
		return operation{dir: true, do: doPathStat}
	case engine.FileSetSize:
		return operation{file: true, write: true, do: doSetSize}
	case engine.FileSetTimes:
		return operation{dir: true, file: true, write: true, do: doSetTimes}
	case engine.FilePathSetTimes:
		return operation{dir: true, write: true, do: doPathSetTimes}
	case engine.FileSync:
		return operation{dir: true, file: true, do: doSync}
	case engine.FileDatasync:
		return operation{dir: true, file: true, do: doDatasync}
	case engine.FileAllocate:
		return operation{file: true, write: true, do: doAllocate}
	case engine.FileReadDir:
		return operation{dir: true, do: doReadDir}
	case engine.FileMkdir:
		return operation{dir: true, write: true, do: doMkdir}
	case engine.FileRmdir:
		return operation{dir: true, write: true, do: doRmdir}
	case engine.FileUnlink:
		return operation{dir: true, write: true, do: doUnlink}
	case engine.FileRename:
		return operation{dir: true, write: true, do: doRename}
	case engine.FileLink:
		return operation{dir: true, write: true, do: doLink}
	case engine.FileSymlink:
		return operation{dir: true, write: true, do: doSymlink}
	case engine.FileReadlink:
		return operation{dir: true, do: doReadlink}
	}
	return operation{}
}

// serve checks what all requests have in common and carries one out.
func (t *fileTable) serve(req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	op := operationOf(req.Op)
	h := t.handles[req.Handle]
	switch {
	case op.do == nil:
		return errnoNotSupported
	case t.closed || h == nil:
		return errnoBadFile
	case h.root != nil && !op.dir:
		return errnoIsDirectory
	case h.root == nil && !op.file:
		return errnoNotDirectory
	case op.write && h.mount.ReadOnly:
		return errnoReadOnly
	case req.Offset > math.MaxInt64, req.Op == engine.FileSetSize && req.Size > math.MaxInt64,
		len(req.Data) > engine.MaxChunk:
		return errnoInvalid
	}
	return op.do(t, h, req, reply)
}

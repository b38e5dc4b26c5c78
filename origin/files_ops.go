package origin

import (
	"io"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine"
)

func doRead(_ *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	if req.Size > engine.MaxChunk {
		return errnoInvalid
	}
	buf := make([]byte, min(req.Size, math.MaxInt64-req.Offset))
	n, err := h.file.ReadAt(buf, int64(req.Offset))
	if err == io.EOF || n > 0 {
		err = nil
	}
	reply.Data = buf[:n]
	return errnoOf(err)
}

// doWrite writes all or says how much it wrote.
func doWrite(_ *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	var n int
	var err error
	switch {
	case req.Flags&engine.OpenAppend != 0:
		n, err = appendTo(h.file, req.Data)
	case req.Offset > math.MaxInt64-uint64(len(req.Data)):
		err = unix.EFBIG
	default:
		n, err = h.file.WriteAt(req.Data, int64(req.Offset))
	}
	if n > 0 {
		err = nil
	}
	reply.Size = uint64(max(n, 0))
	return errnoOf(err)
}

func doStat(_ *fileTable, h *handle, _ *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	var st unix.Stat_t
	err := unix.Fstat(int(h.file.Fd()), &st)
	reply.Stat = attr(&st)
	return errnoOf(err)
}

func doPathStat(_ *fileTable, h *handle, req *engine.FileRequest, reply *engine.FileReply) engine.Errno {
	p, st, errno := h.find(req.Path, req.Flags&engine.Follow != 0)
	if errno != 0 {
		return errno
	}
	defer p.close()
	if st == nil {
		return errnoNoEntry
	}
	reply.Stat = attr(st)
	return 0
}

func doSetSize(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	return errnoOf(h.file.Truncate(int64(req.Size)))
}

// timeOf returns one of the two times of a request, nil to leave it alone.
func timeOf(flags, set, setNow uint32, ns int64) *unix.Timespec {
	switch {
	case flags&setNow != 0:
		ns = time.Now().UnixNano()
	case flags&set == 0:
		return nil
	}
	ts := unix.NsecToTimespec(ns)
	return &ts
}

func timesOf(req *engine.FileRequest) (atime, mtime *unix.Timespec) {
	return timeOf(req.Flags, engine.SetAtime, engine.SetAtimeNow, req.Atime),
		timeOf(req.Flags, engine.SetMtime, engine.SetMtimeNow, req.Mtime)
}

func doSetTimes(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	a, m := timesOf(req)
	return errnoOf(setTimes(int(h.file.Fd()), a, m))
}

func doPathSetTimes(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	p, st, errno := h.find(req.Path, req.Flags&engine.Follow != 0)
	if errno != 0 {
		return errno
	}
	defer p.close()
	a, m := timesOf(req)
	switch {
	case st == nil:
		return errnoNoEntry
	case p.name == "":
		return errnoOf(setTimes(p.fd(), a, m))
	}
	return errnoOf(setTimesAt(p.fd(), p.name, a, m))
}

func doSync(_ *fileTable, h *handle, _ *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	return errnoOf(h.file.Sync())
}

func doDatasync(_ *fileTable, h *handle, _ *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	return errnoOf(datasync(h.file))
}

func doAllocate(_ *fileTable, h *handle, req *engine.FileRequest, _ *engine.FileReply) engine.Errno {
	switch {
	case req.Size == 0:
		return errnoInvalid
	case req.Size > math.MaxInt64-req.Offset:
		return errnoOf(unix.EFBIG)
	}
	return errnoOf(allocate(h.file, int64(req.Offset), int64(req.Size)))
}

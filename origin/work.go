package origin

import (
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// maxFileQueue bounds the file requests of one process that wait here. A
// process keeps less than that under way; one that does not is to be killed.
const maxFileQueue = 64

// FileServer carries out file requests of processes: those of one process in their
// order, of several in parallel. A process costs a goroutine only while one of its
// requests is carried out.
type FileServer struct {
	files *Files // nil: all requests are EBADF

	mu      sync.Mutex
	stopped bool
	queues  map[engine.PID]*fileQueue
	wg      sync.WaitGroup
}

// fileQueue is what one process has asked for.
type fileQueue struct {
	waiting []fileWork
	busy    bool // a goroutine works on it
	gone    bool // the process has ended
}

type fileWork struct {
	req    *engine.FileRequest
	answer func(*engine.FileReply)
}

// NewFileServer returns a server of directories; nil: there are none.
func NewFileServer(f *Files) *FileServer {
	return &FileServer{files: f, queues: map[engine.PID]*fileQueue{}}
}

// Ask queues a request and calls answer on another goroutine when it was carried out,
// unless the server is closed before. It never blocks. It is false, and nothing was
// queued, if the process has too many under way.
func (s *FileServer) Ask(from engine.PID, req *engine.FileRequest, answer func(*engine.FileReply)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return true
	}
	q := s.queues[from]
	if q == nil {
		q = &fileQueue{}
		s.queues[from] = q
	}
	if len(q.waiting) >= maxFileQueue {
		return false
	}
	q.waiting = append(q.waiting, fileWork{req, answer})
	if !q.busy {
		q.busy = true
		s.wg.Go(func() { s.serve(from, q) })
	}
	return true
}

// serve carries out what a process has asked for, until there is nothing left.
func (s *FileServer) serve(pid engine.PID, q *fileQueue) {
	for {
		s.mu.Lock()
		if len(q.waiting) == 0 || s.stopped {
			q.busy = false
			gone := q.gone
			s.mu.Unlock()
			if gone {
				s.release(pid)
			}
			return
		}
		w := q.waiting[0]
		q.waiting = q.waiting[1:]
		s.mu.Unlock()
		reply := &engine.FileReply{ID: w.req.ID, Errno: errnoBadFile}
		if s.files != nil {
			reply = s.files.Serve(pid, w.req)
		}
		w.answer(reply)
	}
}

// Forget closes what a process that ended has open.
func (s *FileServer) Forget(pid engine.PID) {
	s.mu.Lock()
	q := s.queues[pid]
	delete(s.queues, pid)
	busy := q != nil && q.busy
	if busy {
		q.gone = true
	}
	s.mu.Unlock()
	if q != nil && !busy {
		s.release(pid)
	}
}

func (s *FileServer) release(pid engine.PID) {
	if s.files != nil {
		s.files.Release(pid)
	}
}

// Close waits for the requests that are being carried out, and closes what processes
// have open; requests that wait are not answered. The directories are the caller's to
// close.
func (s *FileServer) Close() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.wg.Wait()
	for pid := range s.queues {
		s.release(pid)
	}
}

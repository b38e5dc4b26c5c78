package origin

import (
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// maxFileQueue bounds the file requests of one process that wait here. A
// process keeps less than that under way; one that does not is killed.
const maxFileQueue = 64

// fileWorkers carries out file requests: those of one process in their order,
// of several in parallel.
type fileWorkers struct {
	l *Leader

	mu      sync.Mutex
	stopped bool
	queues  map[engine.PID]chan *engine.FileRequest
}

func (w *fileWorkers) init(l *Leader) {
	w.l = l
	w.queues = map[engine.PID]chan *engine.FileRequest{}
}

func (w *fileWorkers) ask(sig *engine.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	q := w.queues[sig.From]
	if q == nil {
		q = make(chan *engine.FileRequest, maxFileQueue)
		w.queues[sig.From] = q
		w.l.wg.Go(func() { w.serve(sig.From, q) })
	}
	select {
	case q <- sig.File:
	default:
		w.l.Kill(sig.From, "too many file requests at once")
	}
}

func (w *fileWorkers) serve(pid engine.PID, q <-chan *engine.FileRequest) {
	for req := range q {
		reply := &engine.FileReply{ID: req.ID, Errno: errnoBadFile}
		if f := w.l.cfg.Files; f != nil {
			reply = f.Serve(pid, req)
		}
		w.l.proc.Send(pid, &engine.Signal{Kind: engine.KindFileReply, FileReply: reply})
	}
	if f := w.l.cfg.Files; f != nil {
		f.Release(pid)
	}
}

// forget closes what a process that ended had open.
func (w *fileWorkers) forget(pid engine.PID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if q := w.queues[pid]; q != nil {
		delete(w.queues, pid)
		close(q)
	}
}

func (w *fileWorkers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for pid, q := range w.queues {
		delete(w.queues, pid)
		close(q)
	}
}

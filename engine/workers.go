package engine

import "sync"

// maxIdleWorkers is how many goroutines wait for the next process.
const maxIdleWorkers = 64

// workers run processes on goroutines that are kept for a while: starting one
// is cheap, but growing its stack to what a guest's calls into the host take
// costs as much as the rest of a short process.
type workers struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	closed bool
	idle   []chan *Process // those last used at the end
}

// run has a goroutine do what there is to do for p.
func (w *workers) run(p *Process) {
	w.mu.Lock()
	if last := len(w.idle) - 1; last >= 0 {
		next := w.idle[last]
		w.idle = w.idle[:last]
		w.mu.Unlock()
		next <- p
		return
	}
	w.mu.Unlock()
	w.wg.Go(func() { w.work(p) })
}

func (w *workers) work(p *Process) {
	next := make(chan *Process, 1)
	for p != nil {
		p.run()
		p = nil // it must not live as long as this goroutine is idle
		w.mu.Lock()
		keep := !w.closed && len(w.idle) < maxIdleWorkers
		if keep {
			w.idle = append(w.idle, next)
		}
		w.mu.Unlock()
		if keep {
			p = <-next
		}
	}
}

// close ends the goroutines. No process runs any more, nor will.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
	w.mu.Unlock()
	w.wg.Wait()
}

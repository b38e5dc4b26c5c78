package batch

import (
	"context"
	"sync"
)

// emitter hands results to Emit on a goroutine of its own, so that one that blocks
// holds up nothing but the reading of tasks.
type emitter struct {
	emit  func([]*Result) error
	wake  chan struct{} // has one element when there is something to emit
	wrote chan struct{} // has one element when something was

	mu           sync.Mutex
	queue        []*Result
	busy         bool
	n            int // emitted and not counted
	good, failed int
	err          error
}

func (e *emitter) init(emit func([]*Result) error) {
	e.emit, e.wake, e.wrote = emit, make(chan struct{}, 1), make(chan struct{}, 1)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (e *emitter) add(r *Result) {
	e.mu.Lock()
	e.queue = append(e.queue, r)
	e.mu.Unlock()
	notify(e.wake)
}

// idle reports whether all there was is emitted and counted.
func (e *emitter) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue) == 0 && !e.busy && e.n == 0
}

// count returns how many results were emitted since the last time, and the error of
// one that was not.
func (e *emitter) count() (n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, e.n = e.n, 0
	return n, e.err
}

// serve emits until the context is done, and once it is, nothing more.
func (e *emitter) serve(ctx context.Context) {
	for {
		select {
		case <-e.wake:
		case <-ctx.Done():
			return
		}
		e.mu.Lock()
		batch := e.queue
		e.queue, e.busy = nil, true
		failed := e.err != nil
		e.mu.Unlock()
		var err error
		if len(batch) > 0 && !failed {
			err = e.emit(batch)
		}
		e.mu.Lock()
		for _, r := range batch {
			r.Output.discard()
			switch {
			case failed || err != nil:
			case r.Code == 0:
				e.good++
			default:
				e.failed++
			}
		}
		if e.err == nil {
			e.err = err
		}
		e.n += len(batch)
		e.busy = false
		e.mu.Unlock()
		notify(e.wrote)
	}
}

// discard gives back what is left. serve has ended.
func (e *emitter) discard() {
	for _, r := range e.queue {
		r.Output.discard()
	}
	e.queue = nil
}

package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// life is the context of a process: done when it is to end. Unlike one of package
// context it makes nothing before somebody waits for that, as most processes end
// before. Its error, and so its context.Cause, is the Reason.
type life struct {
	over atomic.Bool
	why  Reason // written once, before over is set

	mu    sync.Mutex
	done  chan struct{}        // nil until someone waits
	after map[*func()]struct{} // called when it is over
}

var _ context.Context = (*life)(nil)

// end has it be over. Only the first reason counts.
func (l *life) end(why Reason) {
	l.mu.Lock()
	if l.over.Load() {
		l.mu.Unlock()
		return
	}
	l.why = why
	l.over.Store(true)
	if l.done != nil {
		close(l.done)
	}
	after := l.after
	l.after = nil
	l.mu.Unlock()
	for f := range after {
		(*f)()
	}
}

// AfterFunc is what package context looks for in a parent: with it a child is done as
// soon as this one is, not when a goroutine that it needs otherwise has seen it.
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Load() {
		go f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = map[*func()]struct{}{}
	}
	l.after[&f] = struct{}{}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, waits := l.after[&f]
		delete(l.after, &f)
		return waits
	}
}

// Done implements context.Context.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.done != nil:
	case l.over.Load():
		return closedChan
	default:
		l.done = make(chan struct{})
	}
	return l.done
}

// Err implements context.Context.
func (l *life) Err() error {
	if l.over.Load() {
		return l.why
	}
	return nil
}

// Deadline implements context.Context: there is none, as the time limit kills.
func (l *life) Deadline() (none time.Time, ok bool) { return none, false }

// Value implements context.Context.
func (l *life) Value(any) any { return nil }

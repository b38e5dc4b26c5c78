package guest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Bounds of what is kept for the next process. Beyond them the instance that was
// idle longest is given up.
const (
	maxIdleInstances = 1024
	maxIdleBytes     = 64 << 20
	// maxIdleTime is how long an instance is kept at least, and half of how long
	// at most.
	maxIdleTime = 30 * time.Second
)

// pool keeps instances that are as new, by module. It is safe for concurrent use.
type pool struct {
	mu             sync.Mutex
	closed         bool
	oldest, newest *instance // ends of the chain of all that is idle
	count          int
	bytes          uint64
	timer          *time.Timer // calls expire; nil while nothing is idle
	age            uint64      // calls of expire
}

// get returns an instance for a process: an idle one, or a new one. ctx is that
// of the run.
func (t *runtime) get(ctx context.Context, e *entry, p *engine.Process, limit uint64) (*instance, error) {
	if i := t.pool.take(e); i != nil {
		i.mem.owner, i.mem.limit = p, limit
		if p != nil && !p.UseMemory(i.mem.size) {
			t.put(i, true)
			return nil, context.Cause(p.Context())
		}
		return i, nil
	}
	return t.newInstance(ctx, e, p, limit)
}

// put takes an instance back. ended says that its run came to its own end:
// whatever was stopped is never used again.
func (t *runtime) put(i *instance, ended bool) {
	if !ended || !i.reset(t.pool.roomy()) {
		i.close()
		return
	}
	for _, old := range t.pool.add(i) {
		old.close()
	}
}

// take returns an idle instance of the module, the one that is warmest, or nil.
func (p *pool) take(e *entry) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(e.idle) - 1
	if last < 0 {
		return nil
	}
	i := e.idle[last]
	e.idle[last] = nil
	e.idle = e.idle[:last]
	p.unlink(i)
	return i
}

// add keeps an instance and returns those to close instead.
func (p *pool) add(i *instance) (drop []*instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return []*instance{i}
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(maxIdleTime, p.expire)
	}
	i.since = p.age
	i.older, i.newer = p.newest, nil
	if p.newest != nil {
		p.newest.newer = i
	} else {
		p.oldest = i
	}
	p.newest = i
	p.count++
	p.bytes += i.kept
	i.of.idle = append(i.of.idle, i)
	for p.count > maxIdleInstances || p.bytes > maxIdleBytes && p.count > 1 {
		drop = append(drop, p.remove(p.oldest))
	}
	return drop
}

// roomy reports that there is room for instances that keep their pages.
func (p *pool) roomy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes < maxIdleBytes/2
}

// remove takes an idle instance, the oldest of its module, out. p.mu is held.
func (p *pool) remove(i *instance) *instance {
	i.of.idle = slices.Delete(i.of.idle, 0, 1)
	p.unlink(i)
	return i
}

// unlink takes an instance out of the chain. p.mu is held.
func (p *pool) unlink(i *instance) {
	if i.older != nil {
		i.older.newer = i.newer
	} else {
		p.oldest = i.newer
	}
	if i.newer != nil {
		i.newer.older = i.older
	} else {
		p.newest = i.older
	}
	i.older, i.newer = nil, nil
	p.count--
	p.bytes -= i.kept
}

// drop closes what is idle of a module.
func (p *pool) drop(e *entry) {
	p.mu.Lock()
	idle := e.idle
	e.idle = nil
	for _, i := range idle {
		p.unlink(i)
	}
	p.mu.Unlock()
	for _, i := range idle {
		i.close()
	}
}

// drain closes all that is idle.
func (p *pool) drain() {
	p.closeOldest(func(*instance) bool { return true })
}

// expire closes what has been idle since before the last call.
func (p *pool) expire() {
	p.mu.Lock()
	p.age++
	now := p.age
	p.mu.Unlock()
	p.closeOldest(func(i *instance) bool { return i.since+1 < now })
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
	case p.count == 0:
		p.timer = nil
	default:
		p.timer.Reset(maxIdleTime)
	}
}

// closeOldest closes what is idle, the oldest first, as long as old says so.
func (p *pool) closeOldest(old func(*instance) bool) {
	var idle []*instance
	p.mu.Lock()
	for p.oldest != nil && old(p.oldest) {
		idle = append(idle, p.remove(p.oldest))
	}
	p.mu.Unlock()
	for _, i := range idle {
		i.close()
	}
}

// close closes all that is idle and keeps nothing any more.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	p.drain()
}

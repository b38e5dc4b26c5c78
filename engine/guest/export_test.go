package guest

import "time"

// Idle returns how many instances are kept for the next process, and the
// largest stack that one of their functions holds, in bytes.
func (r *Runner) Idle() (instances, stack int) {
	t, err := r.start()
	if err != nil {
		return 0, 0
	}
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	for i := t.pool.oldest; i != nil; i = i.newer {
		size, known := i.stackSize()
		if !known {
			size = 1 << 30
		}
		stack = max(stack, size)
	}
	return t.pool.count, stack
}

// Snapshots returns how many there are.
func (r *Runner) Snapshots() int {
	t, err := r.start()
	if err != nil {
		return 0
	}
	t.snaps.mu.Lock()
	defer t.snaps.mu.Unlock()
	return t.snaps.order.Len()
}

// CompileFor lets compilations take longer than maxCompile: the race detector
// makes them many times slower. It is called before the first process.
func (r *Runner) CompileFor(d time.Duration) error {
	t, err := r.start()
	if err == nil {
		t.modules.limit = d
	}
	return err
}

// Awake returns how many servers are idle and have an instance.
func (r *Runner) Awake() int {
	t, err := r.start()
	if err != nil {
		return 0
	}
	t.awake.mu.Lock()
	defer t.awake.mu.Unlock()
	return t.awake.count
}

// SleepAll puts all servers to sleep that are idle, and returns how many.
func (r *Runner) SleepAll() (n int) {
	t, err := r.start()
	if err != nil {
		return 0
	}
	a := &t.awake
	a.mu.Lock()
	var all []*server
	for a.oldest != nil {
		all = append(all, a.oldest)
		a.unlink(a.oldest)
	}
	a.mu.Unlock()
	for _, s := range all {
		if s.sleep(); s.state != nil {
			n++
		}
	}
	return n
}

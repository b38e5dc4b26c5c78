package guest

// Idle returns how many instances are kept for the next process.
func (r *Runner) Idle() int {
	t, err := r.start()
	if err != nil {
		return 0
	}
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	return t.pool.count
}

package engine

// Turn is a process's place among those that share the cores, as its Runner
// keeps it. It is used on the goroutine that runs the guest.
type Turn interface {
	// Yield lets others go first if it is time to.
	Yield()
	// Pause gives up the core, because the goroutine is about to wait.
	Pause()
	// Resume waits for a core after Pause. When the process is to end it returns
	// without.
	Resume()
}

// SetTurn is called by a Runner before the guest begins.
func (p *Process) SetTurn(t Turn) { p.turn = t }

// Yield is called by host functions, on the guest's goroutine, once in a
// millisecond of work: another guest may have to go first. The process may be
// about to end when it returns.
func (p *Process) Yield() {
	if p.turn != nil {
		p.turn.Yield()
	}
}

// Pause is called by host functions, on the guest's goroutine, when they must
// wait, and Resume behind it. Between them other guests run.
func (p *Process) Pause() {
	if p.turn != nil {
		p.turn.Pause()
	}
}

// Resume is called after Pause. The process may be about to end by then.
func (p *Process) Resume() {
	if p.turn != nil {
		p.turn.Resume()
	}
}

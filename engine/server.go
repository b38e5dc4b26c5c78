package engine

// Server is what a Runner leaves of a module whose functions are called for one
// message at a time. Between the calls there is no guest stack, and no goroutine.
// Its methods are called on a goroutine that is the process's for so long, one at a
// time.
type Server interface {
	// Handle handles a message. It returns how the process ends, the zero Reason
	// if it goes on. It returns soon after the process's context is done.
	Handle(*Message) Reason
	// End is called once, last, with why the process ends, and returns that. It may
	// be another reason, or take as long as the process's context is not done.
	End(Reason) Reason
}

// Serve is called by a Runner, in Run, to have the process live on with a server
// when Run returns.
func (p *Process) Serve(s Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = s
}

// serve handles messages until there are none, and ends the process if it is to
// end. What it returns is not looked at.
func (p *Process) serve() (none Reason) {
	b := &p.mailbox
	for {
		if p.life.Err() != nil {
			p.exit(p.server.End(p.life.why))
			return none
		}
		var after *Message
		m := b.find(&Match{}, &after, false)
		if m == nil {
			if b.rest() && (p.life.Err() == nil || !b.unrest()) {
				return none
			}
			continue
		}
		p.Take(m)
		if r := p.server.Handle(m); r.Word != "" {
			p.exit(p.server.End(r))
			return none
		}
	}
}

// unrest takes a process back that was left to rest; false if it is being run.
func (b *mailbox) unrest() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.rests
	b.rests = false
	return was
}

package engine

import "time"

// maxTimers bounds the timers of one process. What they will send is bounded by
// maxBeyond, counted as messages are.
const maxTimers = 1 << 16

// timer is one that was started and whose message is not sent.
type timer struct {
	*time.Timer
	due  time.Time
	cost int
}

// StartTimer has a message sent after a time, and returns its reference. Without
// another receiver the process itself gets a MessageTimeout, else the other one a
// MessageData; both carry the tag and data. Timers end with the process that
// started them, which differs from OTP. SystemLimit for too many.
func (p *Process) StartTimer(to PID, after time.Duration, tag uint64, data []byte) (Ref, error) {
	ref := p.eng.MakeRef()
	cost := messageCost + len(data)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone:
		return ref, nil
	case len(data) > MaxMessage:
		return Ref{}, Reasonf(BadArg, "a message of %d bytes, the limit is %d", len(data), MaxMessage)
	case len(p.timers) >= maxTimers || p.timerBytes+cost > maxBeyond:
		return Ref{}, Reasonf(SystemLimit, "%d timers with %d kB", len(p.timers), p.timerBytes>>10)
	}
	if p.timers == nil {
		p.timers = map[Ref]timer{}
	}
	p.timerBytes += cost
	p.timers[ref] = timer{
		due: time.Now().Add(after), cost: cost,
		Timer: time.AfterFunc(after, func() { p.due(ref, to, tag, data) }),
	}
	return ref, nil
}

// due sends what a timer was started for. Until that is done, which takes as long
// as the receiver's mailbox is full, it is one of the process's timers.
func (p *Process) due(ref Ref, to PID, tag uint64, data []byte) {
	p.mu.Lock()
	_, ok := p.timers[ref]
	p.mu.Unlock()
	switch {
	case !ok:
		return
	case to.IsZero() || to == p.pid:
		p.mailbox.add(&Message{Kind: MessageTimeout, From: p.pid, Tag: tag, Ref: ref, Data: data, prepaid: true}, nil, p)
	default:
		sig := &Signal{Kind: KindMessage, From: p.pid, To: to, Message: &Message{Kind: MessageData, From: p.pid, Tag: tag, Data: data}}
		if t, ok := p.eng.end(to).(*Process); ok {
			p.sendLocal(t, sig.Message, false)
		} else if s := p.eng.Session(to.Node); s != nil {
			p.sendOver(s, sig, false)
		} else {
			p.eng.send(sig)
		}
	}
	p.mu.Lock()
	p.dropTimer(ref)
	p.mu.Unlock()
}

// dropTimer takes a timer out of the books. p.mu is held.
func (p *Process) dropTimer(ref Ref) {
	p.timerBytes -= p.timers[ref].cost
	delete(p.timers, ref)
}

// CancelTimer stops a timer. It reports how long it had to go, false if it was due
// or there is none: its message may then be in the mailbox, or be about to come.
func (p *Process) CancelTimer(ref Ref) (left time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.timers[ref]
	if !ok || !t.Stop() {
		return 0, false
	}
	p.dropTimer(ref)
	return max(0, time.Until(t.due)), true
}

// ReadTimer is as CancelTimer, and lets it run.
func (p *Process) ReadTimer(ref Ref) (left time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.timers[ref]
	if left = time.Until(t.due); !ok || left <= 0 {
		return 0, false
	}
	return left, true
}

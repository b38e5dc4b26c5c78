package batch

import (
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// creditStep is how much output is taken before its credit is given back: a process
// then always has some.
const creditStep = engine.OutputCredit / 4

// inbox takes signals on the goroutines of their senders and keeps them for the loop.
// Each process of the map has a token of its own, which its children inherit: so it
// is known whose output theirs is, and nobody else is heard.
type inbox struct {
	wake chan struct{} // has one element when queue is not empty

	mu     sync.Mutex
	queue  []*engine.Signal
	tokens map[[16]byte]*proc
	files  map[engine.PID]struct{} // processes that have made file requests
}

// account is what the output of one process has cost of its credit, in bytes.
type account struct {
	unpaid int // came, and was not given back
	owed   int // of these, taken
}

func (b *inbox) init() {
	b.wake = make(chan struct{}, 1)
	b.tokens = map[[16]byte]*proc{}
	b.files = map[engine.PID]struct{}{}
}

// opens notes that a process makes file requests, and reports whether that is new.
func (b *inbox) opens(pid engine.PID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.files[pid]
	b.files[pid] = struct{}{}
	return !known
}

// closed forgets a process that made file requests.
func (b *inbox) closed(pid engine.PID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.files, pid)
}

func (b *inbox) admit(p *proc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens[p.token] = p
}

func (b *inbox) dismiss(p *proc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.tokens, p.token)
}

// of returns whose a signal is, nil for nobody's.
func (b *inbox) of(sig *engine.Signal) *proc {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens[sig.Token]
}

// add queues a signal. It reports whether the sender keeps to its credit.
func (b *inbox) add(sig *engine.Signal) bool {
	b.mu.Lock()
	if sig.Kind == engine.KindOutput {
		p := b.tokens[sig.Token]
		if p == nil {
			b.mu.Unlock()
			return true // it learns nothing
		}
		a := p.accounts[sig.From]
		if a == nil {
			a = &account{}
			if p.accounts == nil {
				p.accounts = map[engine.PID]*account{}
			}
			p.accounts[sig.From] = a
		}
		if a.unpaid += len(sig.Data); a.unpaid > engine.OutputCredit || len(sig.Data) > engine.MaxChunk {
			b.mu.Unlock()
			return false
		}
	}
	b.queue = append(b.queue, sig)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what was queued; into is used for what comes.
func (b *inbox) take(into []*engine.Signal) []*engine.Signal {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.queue
	b.queue = into[:0]
	return got
}

// pay counts output as taken, and returns how much credit to give back for it.
func (b *inbox) pay(p *proc, sig *engine.Signal) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := p.accounts[sig.From]
	if a == nil {
		return 0
	}
	a.owed += len(sig.Data)
	if a.owed < creditStep {
		return 0
	}
	n := a.owed
	a.unpaid -= n
	a.owed = 0
	return n
}

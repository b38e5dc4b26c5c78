package engine

import (
	"errors"
	"io"
	"math"
	"sync"
)

// ErrWouldBlock is returned by Process.Read when nothing is there yet.
var ErrWouldBlock = errors.New("would block")

// ErrLeaderGone is returned by input and output when the group leader ended or
// its node is down.
var ErrLeaderGone = Reason{Word: LeaderGone, Detail: "the group leader is gone"}

// maxFilesInFlight bounds the file requests a process has under way: with
// MaxChunk bytes each, the leader holds at most OutputCredit bytes of them.
const maxFilesInFlight = OutputCredit / MaxChunk

// leaderIO is a process's side of the protocol with its group leader.
type leaderIO struct {
	mu     sync.Mutex
	leader Leader
	gone   chan struct{} // closed when the leader is gone; nil until someone waits

	credit int
	output uint64        // bytes that may still be written, of Limits.Output
	more   chan struct{} // has one element when credit was added; nil until someone waits

	buf    []byte // input not read yet
	isGone bool
	eof    bool
	asked  bool
	open   bool          // ready is not closed
	ready  chan struct{} // closed while Read would not block; nil until someone asks; see setReady

	nextID     uint64
	files      map[uint64]chan *FileReply // nil until the first
	rows, cols uint16
}

// init makes no channels yet: most processes never wait.
func (l *leaderIO) init(s *Spec) {
	l.leader = s.Leader
	l.credit, l.output = OutputCredit, uint64(math.MaxUint64)
	if limit := s.Limits.Output; limit > 0 {
		l.output = limit
	}
	l.rows, l.cols = s.Terminal.Rows, s.Terminal.Cols
	l.eof = s.NoInput
}

// setReady brings the channel in line with the buffer.
func (l *leaderIO) setReady() {
	readable := len(l.buf) > 0 || l.eof || l.isGone
	if readable && l.open {
		close(l.ready)
		l.open = false
	} else if !readable && l.ready != nil && !l.open {
		l.ready, l.open = make(chan struct{}), true
	}
}

// readyChan returns a channel that is closed while Read would not block. l.mu
// is held.
func (l *leaderIO) readyChan() <-chan struct{} {
	if l.ready == nil {
		l.ready, l.open = make(chan struct{}), true
		l.setReady()
	}
	return l.ready
}

// goneChan returns a channel that is closed when the leader is gone.
func (l *leaderIO) goneChan() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone == nil {
		l.gone = make(chan struct{})
		if l.isGone {
			close(l.gone)
		}
	}
	return l.gone
}

// Leader returns the group leader.
func (p *Process) Leader() Leader {
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	return p.io.leader
}

// leaderGone is called when the leader it has is gone. A detached process then has
// its node's again.
func (p *Process) leaderGone(l Leader) {
	p.eng.mu.Lock()
	detached := p.eng.detached
	p.eng.mu.Unlock()
	if !detached.PID.IsZero() && p.spec.Leader == detached && l != detached {
		p.setLeader(detached)
		return
	}
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	p.io.markGone()
}

// setLeader changes the group leader; the zero Leader is the one that it was spawned
// with. What waits for the old one goes on with the new one; file requests that wait
// fail.
func (p *Process) setLeader(to Leader) {
	if to.PID.IsZero() {
		to = p.spec.Leader
	}
	l := &p.io
	l.mu.Lock()
	if l.gone != nil {
		if !l.isGone {
			close(l.gone)
		}
		l.gone = nil
	}
	l.leader, l.isGone = to, false
	l.credit, l.asked, l.eof = OutputCredit, false, false
	// Who waits for input or credit of the old one looks again, and asks this one.
	if l.open {
		close(l.ready)
		l.ready, l.open = nil, false
	}
	select {
	case l.more <- struct{}{}:
	default:
	}
	l.setReady()
	l.mu.Unlock()
	p.bindTo(to.PID.Node)
}

// toLeader sends a signal to the group leader, with the token.
func (p *Process) toLeader(sig *Signal) {
	to := p.Leader()
	sig.From, sig.To, sig.Token = p.pid, to.PID, to.Token
	p.bound(sig) // its node may not have been connected when the process began
}

// Write sends bytes of a standard stream to the group leader, and returns when
// they are queued in order behind all earlier ones. It blocks while the leader
// grants no credit or the connection is busy. It copies b. The error is the
// process's Reason if it is to end, or ErrLeaderGone; n says how much was sent.
// More than Limits.Output ends the process, when all up to it was sent.
func (p *Process) Write(s Stream, b []byte) (n int, err error) {
	for n < len(b) {
		if n > 0 {
			p.Yield()
		}
		if err := p.waitLink(); err != nil {
			return n, err
		}
		size, err := p.takeCredit(min(len(b)-n, MaxChunk))
		if err != nil {
			return n, err
		}
		data := make([]byte, size)
		copy(data, b[n:])
		p.toLeader(&Signal{Kind: KindOutput, Stream: s, Data: data})
		n += size
	}
	return n, nil
}

// waitLink waits until the connection to the leader takes user data.
func (p *Process) waitLink() error {
	for {
		var busy <-chan struct{}
		if to := p.Leader().PID; to.Node != p.eng.node {
			if s := p.eng.Session(to.Node); s != nil {
				busy = s.link.Busy(&Signal{Kind: KindOutput, From: p.pid, To: to})
			}
		}
		if busy == nil {
			return p.check()
		}
		if err := p.await(busy); err != nil {
			return err
		}
		select {
		case <-p.io.goneChan():
			return ErrLeaderGone
		default:
		}
	}
}

// await returns when c has something or the leader is gone. Other guests run
// meanwhile. The error is why the process must not go on.
func (p *Process) await(c <-chan struct{}) error {
	p.Pause()
	select {
	case <-c:
	case <-p.io.goneChan():
	case <-p.life.Done():
	}
	p.Resume()
	return p.check()
}

// check returns why the process must not go on, or nil.
func (p *Process) check() error {
	return p.life.Err()
}

// takeCredit waits for credit and takes up to n bytes of it, within the output
// limit.
func (p *Process) takeCredit(n int) (int, error) {
	l := &p.io
	for {
		l.mu.Lock()
		if l.isGone {
			l.mu.Unlock()
			return 0, ErrLeaderGone
		}
		if l.output == 0 {
			l.mu.Unlock()
			p.Kill(Limit(Output, "%s", SizeText(p.spec.Limits.Output)))
			return 0, p.check()
		}
		if l.credit > 0 {
			n = int(min(uint64(n), uint64(l.credit), l.output))
			l.credit -= n
			l.output -= uint64(n)
			l.mu.Unlock()
			return n, nil
		}
		if l.more == nil {
			l.more = make(chan struct{}, 1)
		}
		l.mu.Unlock()
		if err := p.await(l.more); err != nil {
			return 0, err
		}
	}
}

// Read reads stdin. When nothing is there it asks the leader, and waits if
// block, else returns ErrWouldBlock. End of file is io.EOF, and stays. Other
// errors as for Write.
func (p *Process) Read(b []byte, block bool) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	l := &p.io
	for {
		ready := p.Readable()
		l.mu.Lock()
		if len(l.buf) > 0 {
			n := copy(b, l.buf)
			l.buf = l.buf[n:]
			if len(l.buf) == 0 {
				l.buf = nil
			}
			l.setReady()
			l.mu.Unlock()
			return n, nil
		}
		eof, gone := l.eof, l.isGone
		l.mu.Unlock()
		switch {
		case eof:
			return 0, io.EOF
		case gone:
			return 0, ErrLeaderGone
		case !block:
			return 0, ErrWouldBlock
		}
		if err := p.await(ready); err != nil {
			return 0, err
		}
	}
}

// Readable returns a channel that is closed when Read would not block. If
// nothing is there it asks the leader for input: what the leader then reads
// from its terminal is this process's.
func (p *Process) Readable() <-chan struct{} {
	l := &p.io
	l.mu.Lock()
	ask := len(l.buf) == 0 && !l.eof && !l.asked && !l.isGone
	if ask {
		l.asked = true
	}
	ready := l.readyChan()
	l.mu.Unlock()
	if ask {
		p.toLeader(&Signal{Kind: KindInput, N: MaxInput})
	}
	return ready
}

// Window returns the size of the leader's terminal, 0 0 if it has none.
func (p *Process) Window() (rows, cols int) {
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	return int(p.io.rows), int(p.io.cols)
}

// File has the leader carry out requests on its files, in order, several under
// way at once, and returns their replies in that order. It sets their IDs. The
// requests are the engine's from here on, their Data too. Errors as for Write;
// what had been sent may then have been done or not.
func (p *Process) File(reqs ...*FileRequest) ([]*FileReply, error) {
	replies := make([]*FileReply, 0, len(reqs))
	waits := make([]chan *FileReply, 0, len(reqs))
	wait := func() error {
		select {
		case r := <-waits[len(replies)]:
			replies = append(replies, r)
			return nil
		default:
		}
		p.Pause()
		defer p.Resume()
		select {
		case r := <-waits[len(replies)]:
			replies = append(replies, r)
			return nil
		case <-p.io.goneChan():
			return ErrLeaderGone
		case <-p.life.Done():
			return p.check()
		}
	}
	defer func() {
		p.io.mu.Lock()
		defer p.io.mu.Unlock()
		for _, r := range reqs {
			delete(p.io.files, r.ID)
		}
	}()
	for i, r := range reqs {
		if err := p.waitLink(); err != nil {
			return nil, err
		}
		for i-len(replies) >= maxFilesInFlight {
			if err := wait(); err != nil {
				return nil, err
			}
		}
		c := make(chan *FileReply, 1)
		p.io.mu.Lock()
		p.io.nextID++
		r.ID = p.io.nextID
		if p.io.files == nil {
			p.io.files = map[uint64]chan *FileReply{}
		}
		p.io.files[r.ID] = c
		p.io.mu.Unlock()
		waits = append(waits, c)
		p.toLeader(&Signal{Kind: KindFile, File: r})
	}
	for len(replies) < len(reqs) {
		if err := wait(); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// signal handles what the leader sends; it never blocks.
func (l *leaderIO) signal(sig *Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sig.From != l.leader.PID {
		return
	}
	switch sig.Kind {
	case KindCredit:
		// A leader that grants without end only fills its own node.
		l.credit = int(min(uint64(l.credit)+sig.N, 1<<30))
		select {
		case l.more <- struct{}{}:
		default:
		}
	case KindInputData:
		if !l.asked || len(l.buf)+len(sig.Data) > MaxInput {
			return // nobody asked: a confused leader must not fill this node
		}
		l.buf = append(l.buf, sig.Data...)
		if !sig.More {
			l.asked = false
			l.eof = l.eof || len(sig.Data) == 0
		}
		l.setReady()
	case KindFileReply:
		if c := l.files[sig.FileReply.ID]; c != nil {
			delete(l.files, sig.FileReply.ID)
			c <- sig.FileReply
		}
	case KindWindow:
		l.rows, l.cols = uint16(sig.N>>16), uint16(sig.N)
	}
}

func (l *leaderIO) markGone() {
	if !l.isGone {
		l.isGone = true
		if l.gone != nil {
			close(l.gone)
		}
		l.setReady()
	}
}

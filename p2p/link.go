package p2p

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

const (
	// heartbeat is how often a node that has nothing to say gives a sign of life,
	// and silence how long the other may owe one.
	heartbeat = 500 * time.Millisecond
	silence   = 4 * time.Second
	// commandSilence is silence for a command that is connected over QUIC: its
	// death, which over TCP is known at once, must end what it ran within 2 s.
	commandSilence = 1500 * time.Millisecond
	// busyBytes is how much may wait to be written before user data must wait.
	busyBytes = 1 << 20
	// maxQueue is how much may wait at all. Only signals that ask nobody reach
	// it, and only at a peer that has stopped to read.
	maxQueue = 64 << 20
	// goodbyeTime is how long the last words of a session may take.
	goodbyeTime = 2 * time.Second
)

// link is a session's stream. Senders append encoded signals to a buffer and a
// writer takes all of it at once, so that a burst costs one write.
type link struct {
	stream network.Stream
	r      *bufio.Reader
	heard  *ear
	limit  time.Duration // silence of the peer that ends the session
	said   atomic.Int64  // when the writer last wrote, in Unix nanoseconds

	in receiver

	mu     sync.Mutex
	out    []byte
	large  sender
	wake   chan struct{} // has one element when the writer has something to do
	free   chan struct{} // closed when not busy any more; nil while not busy
	why    error         // why the session ends; nil while it lives
	bye    bool          // by this side, in peace
	ending chan struct{} // closed with why
}

var _ engine.Link = (*link)(nil)

func newLink(s network.Stream, r *bufio.Reader, heard *ear) *link {
	return &link{stream: s, r: r, heard: heard, limit: silence, wake: make(chan struct{}, 1), ending: make(chan struct{})}
}

// ear notes when bytes came: a large frame on a slow line is a sign of life too.
type ear struct {
	io.Reader
	last atomic.Int64 // Unix nanoseconds
}

func (e *ear) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	e.last.Store(time.Now().UnixNano())
	return n, err
}

// listen returns a stream's reader.
func listen(s network.Stream) (*bufio.Reader, *ear) {
	e := &ear{Reader: s}
	return bufio.NewReaderSize(e, 64<<10), e
}

// Send implements engine.Link.
func (l *link) Send(s *engine.Signal) {
	l.append(func(b []byte) ([]byte, error) {
		l.large.signals++
		return l.encode(b, queued{s, l.large.signals})
	})
}

// encode appends a signal, or has it follow in parts or behind another. l.mu is held.
func (l *link) encode(b []byte, s queued) ([]byte, error) {
	if before := l.large.behind(s.Signal, s.sent); before != nil {
		if s.Kind == engine.KindMessage {
			copied := *s.Signal
			s.Signal = &copied
		}
		l.large.wait(before, s)
		return b, nil
	}
	if wire.IsLarge(s.Signal) {
		return l.large.begin(b, s.Signal), nil
	}
	return wire.AppendSignal(b, s.Signal)
}

func (l *link) append(encode func([]byte) ([]byte, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil {
		return
	}
	out, err := encode(l.out)
	if err != nil {
		l.end(fmt.Errorf("cannot be sent: %w", err), false)
		return
	}
	l.out = out
	if len(l.out) > busyBytes && l.free == nil {
		l.free = make(chan struct{})
	}
	if n := len(l.out) + l.large.waiting; n > maxQueue {
		l.end(fmt.Errorf("the node does not read: %d bytes wait", n), false)
		return
	}
	l.signalWriter()
}

func (l *link) signalWriter() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Busy implements engine.Link.
func (l *link) Busy(s *engine.Signal) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.large.busy(s); c != nil {
		return c
	}
	if l.free == nil { // not a nil channel in an interface: the caller compares
		return nil
	}
	return l.free
}

// Close implements engine.Link. What was sent before still leaves, if the peer
// takes it soon.
func (l *link) Close(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.out = wire.AppendGoodbye(l.out, why.Error())
		l.end(why, true)
	}
}

// fail ends the session at once.
func (l *link) fail(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(why, false)
}

// end ends the session; only the first reason counts. l.mu is held.
func (l *link) end(why error, bye bool) {
	if l.why != nil {
		return
	}
	l.why, l.bye = why, bye
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
	l.large.stop()
	close(l.ending)
	l.signalWriter()
	if !bye {
		l.stream.Reset()
	}
}

// reason returns why the session ended.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// take returns all that waits, and whether the session goes on.
func (l *link) take(spare []byte) (out []byte, more, bye bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out, l.out = l.out, spare[:0]
	if l.why == nil {
		var later []queued
		out, later = l.large.parts(out)
		for _, s := range later {
			var err error
			if l.out, err = l.encode(l.out, s); err != nil {
				l.end(fmt.Errorf("cannot be sent: %w", err), false)
				break
			}
		}
		if len(l.out) > 0 || l.large.wants() {
			l.signalWriter()
		}
	}
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
	return out, l.why == nil, l.bye
}

// burst is how soon after a write the next one lets other goroutines go first: a write
// costs more than encoding a hundred signals.
const burst = 100 * time.Microsecond

// keepBuffer is the largest buffer that the writer keeps when there is little to do.
const keepBuffer = 256 << 10

// write is the writer's goroutine. It returns when the session has ended and,
// in peace, the last words are out.
func (l *link) write() {
	var spare []byte
	var wrote time.Time
	for range l.wake {
		if time.Since(wrote) < burst {
			runtime.Gosched() // those that are about to send too do it now
		}
		out, more, bye := l.take(spare)
		if !more {
			if bye {
				l.lastWords(out)
			}
			return
		}
		if len(out) == 0 { // woken for what an earlier round has taken along
			spare = out
			continue
		}
		if _, err := l.stream.Write(out); err != nil {
			l.fail(fmt.Errorf("connection lost: %s", lastPart(err.Error())))
			return
		}
		wrote = time.Now()
		l.said.Store(wrote.UnixNano())
		if spare = out; cap(spare) > keepBuffer && len(out) < cap(out)/4 {
			spare = nil
		}
	}
}

// lastWords writes what is left and waits until the peer has taken it: it then
// closes the stream from its side.
func (l *link) lastWords(out []byte) {
	err := l.stream.SetDeadline(time.Now().Add(goodbyeTime))
	if err == nil {
		_, err = l.stream.Write(out)
	}
	if err == nil {
		err = l.stream.CloseWrite()
	}
	if err != nil {
		l.stream.Reset()
	}
}

// beat gives signs of life, and gives the peer up that owes one too long. It
// returns when the session ends.
func (l *link) beat() {
	t := time.NewTicker(heartbeat / 2)
	defer t.Stop()
	for {
		select {
		case <-l.ending:
			return
		case <-t.C:
		}
		now := time.Now()
		if quiet := now.Sub(time.Unix(0, l.heard.last.Load())); quiet > l.limit {
			l.fail(fmt.Errorf("silent for %v", quiet.Round(100*time.Millisecond)))
			return
		}
		if now.Sub(time.Unix(0, l.said.Load())) >= heartbeat {
			l.append(func(b []byte) ([]byte, error) { return wire.AppendFrame(b, wire.KindPing, nil), nil })
		}
	}
}

// read delivers what the peer sends until the session ends, and says why.
func (l *link) read(from, to wire.Endpoint, deliver func(*engine.Signal) error) error {
	var message engine.Signal
	for {
		kind, n, err := wire.ReadHeader(l.r, wire.MaxFrame)
		if err != nil {
			return l.ended(err)
		}
		var body []byte
		if kind == wire.KindPart {
			kind, body, err = l.readPart(n)
		} else {
			body = make([]byte, n)
			err = wire.ReadBody(l.r, body)
		}
		if err != nil {
			return l.ended(err)
		}
		switch kind {
		case wire.KindPart: // and more to come
			continue
		case wire.KindLarge:
			h, err := wire.DecodeLarge(body)
			if err == nil {
				err = l.in.begin(h)
			}
			if err != nil {
				return l.ended(err)
			}
			continue
		case wire.KindAck:
			if err := l.acked(body); err != nil {
				return l.ended(err)
			}
			continue
		case wire.KindPing:
			continue
		case wire.KindGoodbye:
			text, err := wire.DecodeGoodbye(body)
			if err != nil {
				return l.ended(err)
			}
			return l.ended(errors.New(text))
		case wire.KindHello, wire.KindConfirm, wire.KindRefusal:
			return l.ended(fmt.Errorf("%w: frame %#x in the midst of a session", wire.ErrMalformed, kind))
		}
		s := &message
		if message = (engine.Signal{}); engine.Kind(kind) != engine.KindMessage {
			s = &engine.Signal{} // the session keeps it
		}
		known, err := wire.DecodeInto(s, kind, body, from, to)
		if err == nil && known {
			if err = deliver(s); err != nil {
				err = fmt.Errorf("%w: %w", wire.ErrMalformed, err)
			}
		}
		if err != nil {
			return l.ended(err)
		}
	}
}

// readPart reads n bytes of a part. The kind and body are those of the signal if it
// is complete, else the kind is KindPart.
func (l *link) readPart(n int) (kind uint8, body []byte, err error) {
	var head [wire.PartHeader]byte
	if n < len(head) || n > len(head)+wire.MaxPart {
		return 0, nil, fmt.Errorf("%w: a part of %d bytes", wire.ErrMalformed, n)
	}
	if err := wire.ReadBody(l.r, head[:]); err != nil {
		return 0, nil, err
	}
	id, err := wire.DecodePartHeader(head[:])
	if err != nil {
		return 0, nil, err
	}
	in, room, err := l.in.room(id, n-len(head))
	if err != nil {
		return 0, nil, err
	}
	if err := wire.ReadBody(l.r, room); err != nil {
		return 0, nil, err
	}
	ended := l.in.ended(id, in)
	if n := l.in.due(ended); n > 0 {
		l.append(func(b []byte) ([]byte, error) { return wire.AppendAck(b, n), nil })
	}
	if !ended {
		return wire.KindPart, nil, nil
	}
	return in.kind, in.body, nil
}

// acked takes an acknowledgement of parts.
func (l *link) acked(body []byte) error {
	n, err := wire.DecodeAck(body)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil {
		return nil
	}
	if err := l.large.ack(n); err != nil {
		return err
	}
	if l.large.wants() {
		l.signalWriter()
	}
	return nil
}

// ended ends the session because of what was read, and returns the reason that
// counts: the first one.
func (l *link) ended(err error) error {
	switch {
	case errors.Is(err, wire.ErrMalformed):
		err = fmt.Errorf("%w: %w", ErrProtocol, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("connection closed")
	case l.reason() == nil:
		var refused *network.StreamError
		if errors.As(err, &refused) {
			err = errors.New("connection reset")
		}
	}
	l.fail(err)
	return l.reason()
}

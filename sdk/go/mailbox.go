//go:build wasip1

package wnode

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// mailbox is what the program knows of its messages, which are the host's until
// they are taken. One goroutine waits for new ones in the runtime's poller, looks
// at the head of each, and takes those that somebody waits for. So what nobody
// wants stays where the node counts it, and nobody is woken in vain.
type mailbox struct {
	mu      sync.Mutex
	buf     []byte // that messages are read into
	waiters []*waiter
	cursor  uint64 // the last message that was looked at
	conn    syscall.RawConn
}

var box mailbox

// waiter is a Receive that waits.
type waiter struct {
	match Match
	got   chan *Message // has room for one
}

// Receive takes the first message that matches, and waits for one, other
// goroutines run meanwhile: for ever if timeout is below 0. ErrTimeout when none
// came in time.
func Receive(m Match, timeout time.Duration) (*Message, error) {
	w, got, err := box.receive(m, timeout != 0)
	if w == nil {
		return got, err
	}
	var due <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		due = t.C
	}
	select {
	case got := <-w.got:
		return got, nil
	case <-due:
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	select {
	case got := <-w.got: // at the last moment
		return got, nil
	default:
	}
	box.waiters = slices.DeleteFunc(box.waiters, func(x *waiter) bool { return x == w })
	return nil, ErrTimeout
}

// receive returns the first message that matches, or if there is none and wait, a
// waiter for it.
func (b *mailbox) receive(m Match, wait bool) (*waiter, *Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	match := unsafe.Pointer(m.bytes())
	got, err := b.read(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		return hostReceive(match, buf, capacity, 0, n)
	})
	if err != ErrTimeout || !wait {
		return nil, got, err
	}
	if err := b.open(); err != nil {
		return nil, nil, err
	}
	w := &waiter{match: m, got: make(chan *Message, 1)}
	b.waiters = append(b.waiters, w)
	return w, nil, nil
}

// open begins to wait for messages, if that has not been done. b.mu is held.
func (b *mailbox) open() error {
	if b.conn != nil {
		return nil
	}
	fd, err := MailboxFd()
	if err != nil {
		return err
	}
	f := os.NewFile(fd, "mailbox")
	if b.conn, err = f.SyscallConn(); err != nil {
		return err
	}
	go func() {
		// It returns only if the poller fails, and then nobody would be woken.
		panic(b.conn.Read(func(uintptr) bool { b.look(); return false }))
	}()
	return nil
}

// look gives the messages that are new to those who wait for them.
func (b *mailbox) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		var first [headSize]byte
		var n uint32
		status := Status(hostPeek(nil, unsafe.Pointer(&b.cursor), unsafe.Pointer(&first), headSize, unsafe.Pointer(&n)))
		if status != 0 && status != ErrTooBig {
			return
		}
		m, _ := head(first[:])
		for i, w := range b.waiters {
			if !w.match.matches(&m) {
				continue
			}
			if got, err := b.take(b.cursor); err == nil { // else another Receive has taken it
				w.got <- got
				b.waiters = slices.Delete(b.waiters, i, i+1)
			}
			break
		}
	}
}

func (b *mailbox) take(number uint64) (*Message, error) {
	return b.read(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		return hostTake(number, buf, capacity, n)
	})
}

// Limits of the buffer that is kept.
const (
	minBuffer = 4 << 10
	maxBuffer = 64 << 10
)

// read reads a message with f, in a buffer that grows as needed. b.mu is held.
func (b *mailbox) read(f func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32) (*Message, error) {
	if b.buf == nil || len(b.buf) > maxBuffer {
		b.buf = make([]byte, minBuffer)
	}
	for {
		var n uint32
		p, capacity := block(b.buf)
		status := f(p, capacity, unsafe.Pointer(&n))
		if Status(status) == ErrTooBig && int(n) > len(b.buf) {
			b.buf = make([]byte, n)
			continue
		}
		if status != 0 {
			return nil, Status(status)
		}
		return parse(b.buf[:n]), nil
	}
}

// Peek looks at the first message that matches behind the one with a number, 0 for
// the first of all: it stays in the mailbox, and its own number is returned too.
// ErrNotFound if there is none. It does not wait.
func Peek(m Match, after uint64) (got *Message, number uint64, err error) {
	box.mu.Lock()
	defer box.mu.Unlock()
	match := unsafe.Pointer(m.bytes())
	got, err = box.read(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		number = after
		return hostPeek(match, unsafe.Pointer(&number), buf, capacity, n)
	})
	return got, number, err
}

// Take takes the message with a number, as Peek gave it. ErrNotFound if it is not
// there any more.
func Take(number uint64) (*Message, error) {
	box.mu.Lock()
	defer box.mu.Unlock()
	return box.take(number)
}

// Current returns the message that a server handles. ErrInvalid elsewhere.
func Current() (*Message, error) {
	box.mu.Lock()
	defer box.mu.Unlock()
	return box.read(hostMessage)
}

// MailboxFd returns the descriptor that poll_oneoff reports readable when there is
// a message. Receive uses it; a program needs it only to poll by itself.
func MailboxFd() (uintptr, error) {
	var fd uint32
	err := failed(hostMailboxFd(unsafe.Pointer(&fd)))
	return uintptr(fd), err
}

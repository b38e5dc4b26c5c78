package p2p

import (
	"bufio"
	"context"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
)

// batchRead is how much of a connection is read at once, and batchWrite above which
// size a write is sent at once: a frame of the multiplexer, of 64 KiB, with what its
// encryption adds. Smaller ones are one record.
const (
	batchRead  = 64 << 10
	batchWrite = 16 << 10
)

// batched is a security transport below which the system is called once for each
// write, and reads as much as there is: TLS itself writes and reads each record of 16
// KiB alone, and on a virtual machine a call costs as much as encrypting one.
type batched struct{ sec.SecureTransport }

// SecureInbound implements sec.SecureTransport.
func (b batched) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return secure(ctx, c, p, b.SecureTransport.SecureInbound)
}

// SecureOutbound implements sec.SecureTransport.
func (b batched) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return secure(ctx, c, p, b.SecureTransport.SecureOutbound)
}

func secure(ctx context.Context, c net.Conn, p peer.ID, f func(context.Context, net.Conn, peer.ID) (sec.SecureConn, error)) (sec.SecureConn, error) {
	below := &batch{Conn: c}
	s, err := f(ctx, below, p)
	if err != nil {
		return nil, err
	}
	below.r = bufio.NewReaderSize(c, batchRead) // not before the peer is known
	return &batchedConn{SecureConn: s, below: below}, nil
}

// batchedConn is a secured connection. One goroutine writes at a time.
type batchedConn struct {
	sec.SecureConn
	below *batch
}

// Write implements net.Conn.
func (c *batchedConn) Write(b []byte) (int, error) {
	if len(b) <= batchWrite {
		return c.SecureConn.Write(b)
	}
	c.below.hold()
	n, err := c.SecureConn.Write(b)
	if flushed := c.below.flush(); err == nil && flushed != nil {
		return 0, flushed
	}
	return n, err
}

// batch is the connection below. Its writes may come from several goroutines, as an
// alert of TLS does.
type batch struct {
	net.Conn
	r *bufio.Reader // nil during the handshake

	mu   sync.Mutex
	held bool
	out  []byte // written while held
}

// Read implements net.Conn.
func (b *batch) Read(p []byte) (int, error) {
	if b.r == nil {
		return b.Conn.Read(p)
	}
	return b.r.Read(p)
}

// Write implements net.Conn. What is held is sent by flush, which has the error.
func (b *batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		b.out = append(b.out, p...)
		return len(p), nil
	}
	return b.Conn.Write(p)
}

func (b *batch) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

func (b *batch) flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	_, err := b.Conn.Write(b.out)
	b.out = b.out[:0]
	return err
}

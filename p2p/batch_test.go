package p2p

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// counted is a connection that counts its writes, and fails when it is told to.
type counted struct {
	net.Conn
	writes atomic.Int32
	broken atomic.Bool
}

var errBroken = errors.New("broken")

func (c *counted) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, errBroken
	}
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// A write of many records is one of the connection below, what comes out is what went
// in, and an error below is one of the write.
func TestBatched(t *testing.T) {
	var ends [2]sec.SecureTransport
	var ids [2]peer.ID
	for i := range ends {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if ids[i], err = peer.IDFromPrivateKey(key); err != nil {
			t.Fatal(err)
		}
		if ends[i], err = newTLS(libp2ptls.ID, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, b := net.Pipe()
	below := &counted{Conn: a}
	accepted := make(chan sec.SecureConn, 1)
	go func() {
		defer close(accepted)
		if c, err := ends[1].SecureInbound(context.Background(), b, ids[0]); err == nil {
			accepted <- c
		}
	}()
	out, err := ends[0].SecureOutbound(context.Background(), below, ids[1])
	if err != nil {
		t.Fatal(err)
	}
	in := <-accepted
	if in == nil {
		t.Fatal("no connection")
	}
	t.Cleanup(func() { out.Close(); in.Close() })
	for _, size := range []int{1, batchWrite, batchWrite + 1, 64 << 10, 1 << 20} {
		data := make([]byte, size)
		rand.Read(data)
		wrote := make(chan error, 1)
		before := below.writes.Load()
		go func() {
			_, err := out.Write(data)
			wrote <- err
		}()
		got := make([]byte, size)
		if _, err := io.ReadFull(in, got); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %v, or they are others", size, err)
		}
		if n := below.writes.Load() - before; size > batchWrite && n != 1 {
			t.Errorf("%d bytes: %d writes", size, n)
		}
	}
	below.broken.Store(true)
	if _, err := out.Write(make([]byte, 64<<10)); !errors.Is(err, errBroken) {
		t.Errorf("a write to a broken connection: %v", err)
	}
}

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// echoEnv makes the test binary an echo client: the address, and the time
// between two round trips.
const echoEnv = "WNODE_BENCH_ECHO"

func TestMain(m *testing.M) {
	if args := os.Getenv(echoEnv); args != "" {
		if err := echoClient(args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// echoClient makes round trips of 64 bytes for a phase whenever it reads a byte
// of stdin, and writes how many they were and their times in nanoseconds.
func echoClient(args string) error {
	var addr string
	var gap time.Duration
	if _, err := fmt.Sscan(args, &addr, (*int64)(&gap)); err != nil {
		return err
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var b [64]byte
	for {
		if _, err := os.Stdin.Read(b[:1]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		out := make([]byte, 8)
		for begin := time.Now(); time.Since(begin) < phase; {
			sent := time.Now()
			if _, err := c.Write(b[:]); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, b[:]); err != nil {
				return err
			}
			out = binary.LittleEndian.AppendUint64(out, uint64(time.Since(sent)))
			if gap > 0 {
				time.Sleep(gap)
			}
		}
		binary.LittleEndian.PutUint64(out, uint64(len(out)/8-1))
		if _, err := os.Stdout.Write(out); err != nil {
			return err
		}
	}
}

// newEcho starts an echo server in this process and a client in another one,
// and returns what makes the client measure for a phase.
func newEcho(b *testing.B, gap time.Duration) func() []time.Duration {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			// Through Go's read and write, not the kernel's splice.
			_, err = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 64))
			err = errors.Join(err, c.Close())
		}
		served <- err
	}()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", echoEnv, l.Addr(), gap))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
		l.Close() // ends the server if nobody came
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return func() []time.Duration {
		if _, err := in.Write([]byte{1}); err != nil {
			b.Fatal(err)
		}
		var n uint64
		if err := binary.Read(out, binary.LittleEndian, &n); err != nil {
			b.Fatal(err)
		}
		took := make([]time.Duration, n)
		if err := binary.Read(out, binary.LittleEndian, took); err != nil {
			b.Fatal(err)
		}
		return took
	}
}

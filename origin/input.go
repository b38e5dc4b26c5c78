package origin

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/wnode-project/wnode/engine"
)

// input reads stdin for processes that ask, one at a time, in the order they
// asked. It reads nothing before: what nobody asked for stays in the terminal.
type input struct {
	l    *Leader
	wake chan struct{} // has one element when asks is not empty

	mu   sync.Mutex
	asks []ask
}

type ask struct {
	from engine.PID
	n    int
}

func (in *input) init(l *Leader) {
	in.l = l
	in.wake = make(chan struct{}, 1)
}

// ask queues a request. A process has at most one under way.
func (in *input) ask(from engine.PID, n int) {
	in.mu.Lock()
	for _, a := range in.asks {
		if a.from == from {
			in.mu.Unlock()
			return
		}
	}
	in.asks = append(in.asks, ask{from, n})
	in.mu.Unlock()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// forget drops the requests of a process that ended.
func (in *input) forget(from engine.PID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, a := range in.asks {
		if a.from == from {
			in.asks = append(in.asks[:i], in.asks[i+1:]...)
			return
		}
	}
}

// next waits for a request and leaves it queued, so that forget finds it.
func (in *input) next(ctx context.Context) bool {
	for {
		in.mu.Lock()
		if len(in.asks) > 0 {
			in.mu.Unlock()
			return true
		}
		in.mu.Unlock()
		select {
		case <-in.wake:
		case <-ctx.Done():
			return false
		}
	}
}

func (in *input) serve(ctx context.Context) {
	buf := make([]byte, engine.MaxInput)
	var left []byte // read, and its process ended before it got it
	eof := in.l.cfg.Stdin == nil
	for {
		if !in.next(ctx) {
			return
		}
		if len(left) == 0 && !eof {
			n, err := in.l.cfg.Stdin.Read(buf)
			left = buf[:n]
			// A terminal that fails is at its end: the guest must not spin.
			eof = err != nil && (n == 0 || errors.Is(err, io.EOF))
			if n == 0 && !eof {
				continue
			}
		}
		in.mu.Lock()
		if len(in.asks) == 0 {
			in.mu.Unlock()
			continue
		}
		a := in.asks[0]
		in.asks = in.asks[1:]
		in.mu.Unlock()
		data := left[:min(len(left), a.n)]
		left = left[len(data):]
		in.send(a.from, data)
	}
}

// send sends one read's data in chunks; no data is the end of file.
func (in *input) send(to engine.PID, data []byte) {
	for {
		chunk := data[:min(len(data), engine.MaxChunk)]
		data = data[len(chunk):]
		in.l.proc.Send(to, &engine.Signal{
			Kind: engine.KindInputData, More: len(data) > 0,
			Data: append([]byte(nil), chunk...),
		})
		if len(data) == 0 {
			return
		}
	}
}

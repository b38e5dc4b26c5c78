package origin

import (
	"context"
	"io"
	"sync"

	"github.com/wnode-project/wnode/engine"
)

const (
	creditStep = engine.OutputCredit / 4 // credit is given back in steps of this, and when nothing is left to write
	writeSize  = 64 << 10                // small chunks of one stream are joined up to this before a write
)

// output writes what processes write, in the order it came.
type output struct {
	l    *Leader
	wake chan struct{} // has one element when queue is not empty

	mu      sync.Mutex
	queue   []*engine.Signal                 // Output, and Down of processes
	runs    map[*engine.Signal]struct{}      // of these, those that Wait waits for
	flushes map[*engine.Signal]chan struct{} // marks in the queue that flush waits for
	unpaid  map[engine.PID]int               // bytes taken and not yet given back as credit

	// Of the writing goroutine alone.
	written map[engine.PID]int // of the unpaid bytes, those that are written
	failed  error
}

func (o *output) init(l *Leader) {
	o.l = l
	o.wake = make(chan struct{}, 1)
	o.unpaid = map[engine.PID]int{}
	o.written = map[engine.PID]int{}
	o.runs = map[*engine.Signal]struct{}{}
	o.flushes = map[*engine.Signal]chan struct{}{}
}

// add queues output. A process that writes beyond its credit is killed: its
// node does not keep the protocol, and the leader's memory must not pay for it.
func (o *output) add(sig *engine.Signal) {
	o.mu.Lock()
	over := o.unpaid[sig.From]+len(sig.Data) > engine.OutputCredit || len(sig.Data) > engine.MaxChunk
	if !over {
		o.unpaid[sig.From] += len(sig.Data)
		o.queue = append(o.queue, sig)
	}
	o.mu.Unlock()
	if over {
		o.l.Kill(sig.From, "output beyond its credit")
		return
	}
	o.notify()
}

// end queues the end of a process behind all its output; run says that Wait waits
// for it.
func (o *output) end(sig *engine.Signal, run bool) {
	o.mu.Lock()
	if run {
		o.runs[sig] = struct{}{}
	}
	o.queue = append(o.queue, sig)
	o.mu.Unlock()
	o.notify()
}

// flush returns when all that has come is written, or the context is done.
func (o *output) flush(ctx context.Context) {
	mark := &engine.Signal{Kind: engine.KindDown}
	done := make(chan struct{})
	o.mu.Lock()
	o.flushes[mark] = done
	o.queue = append(o.queue, mark)
	o.mu.Unlock()
	o.notify()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (o *output) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *output) serve(ctx context.Context) {
	buf := make([]byte, 0, writeSize)
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
		o.mu.Lock()
		batch := o.queue
		o.queue = nil
		o.mu.Unlock()
		for len(batch) > 0 {
			if batch[0].Kind == engine.KindDown {
				o.finish(ctx, batch[0])
				batch = batch[1:]
				continue
			}
			var data []byte
			first := batch[0]
			data, batch = join(buf, batch)
			o.write(first, data)
			o.pay(first.From, len(data), len(batch) == 0)
		}
	}
}

// join takes the chunks at the head of the batch that are of one process and
// stream, up to writeSize bytes in buf.
func join(buf []byte, batch []*engine.Signal) ([]byte, []*engine.Signal) {
	first := batch[0]
	batch = batch[1:]
	more := func() bool {
		return len(batch) > 0 && batch[0].Kind == first.Kind && batch[0].From == first.From && batch[0].Stream == first.Stream
	}
	if !more() {
		return first.Data, batch
	}
	buf = append(buf[:0], first.Data...)
	for more() && len(buf)+len(batch[0].Data) <= cap(buf) {
		buf = append(buf, batch[0].Data...)
		batch = batch[1:]
	}
	return buf, batch
}

// write writes to the stream. After a failure it only counts, and the process
// is ended: nobody would read what it says.
func (o *output) write(sig *engine.Signal, data []byte) {
	if o.failed != nil {
		return
	}
	w := o.l.cfg.Stdout
	if sig.Stream == engine.Stderr {
		w = o.l.cfg.Stderr
	}
	n, err := w.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		o.failed = err
		o.l.Kill(sig.From, "its output cannot be written")
	}
}

// pay gives credit back for n more bytes written, once enough have come
// together or nothing is left to write: else a process could wait for ever.
func (o *output) pay(to engine.PID, n int, last bool) {
	owed := o.written[to] + n
	o.mu.Lock()
	if owed < creditStep && !(last && len(o.queue) == 0) {
		o.mu.Unlock()
		o.written[to] = owed
		return
	}
	o.unpaid[to] -= owed
	o.mu.Unlock()
	delete(o.written, to)
	o.l.proc.Send(to, &engine.Signal{Kind: engine.KindCredit, N: uint64(owed)})
}

// finish forgets a process, and hands over how the run ended if it was that, unless
// the leader ends before someone waits for it.
func (o *output) finish(ctx context.Context, sig *engine.Signal) {
	o.mu.Lock()
	if done := o.flushes[sig]; done != nil {
		delete(o.flushes, sig)
		close(done)
	}
	delete(o.unpaid, sig.From)
	_, run := o.runs[sig]
	delete(o.runs, sig)
	o.mu.Unlock()
	delete(o.written, sig.From)
	if !run {
		return
	}
	x := Exit{PID: sig.From, Reason: sig.Reason, Output: o.failed}
	if sig.Report != nil {
		x.Report = *sig.Report
	}
	select {
	case o.l.exit <- x:
	case <-ctx.Done():
	}
}

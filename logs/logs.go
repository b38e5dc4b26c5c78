package logs

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wnode-project/wnode/engine"
)

const (
	// maxFile is how large each of the two files of a process becomes.
	maxFile = 512 << 10
	// maxProcesses is of how many processes there are logs; those that wrote last
	// longest ago are removed.
	maxProcesses = 1000
	// maxRead bounds one answer of Read, in bytes of records.
	maxRead = 256 << 10
)

// ErrNone is the error of a process that has no log here.
var ErrNone = errors.New("there is no log of that process: it wrote nothing, or it was not detached")

// Logs is the log of a node's detached processes. It is safe for concurrent use.
type Logs struct {
	dir   string
	eng   *engine.Engine
	proc  *engine.Native
	token [16]byte

	mu     sync.Mutex
	closed bool
	files  map[engine.PID]*ring
	queue  []*engine.Signal
	wake   chan struct{} // has one element when queue is not empty
	done   chan struct{}
}

// ring is the log of one process.
type ring struct {
	origin  engine.Origin
	begin   int64         // offset of the older file in all that was written
	middle  int64         // of the newer one
	end     int64         // of what follows
	changed chan struct{} // closed at the next record; nil while nobody waits
	ended   bool
	last    time.Time
	failed  error
}

// Record is a piece of output.
type Record struct {
	Time   time.Time     `json:"time"`
	Stream engine.Stream `json:"stream"`
	Data   []byte        `json:"data"`
}

// header begins each file.
type header struct {
	PID    string        `json:"pid"`
	Origin engine.Origin `json:"origin"`
	Offset int64         `json:"offset"` // of the first record, in all that was written
}

// New makes the leader of an engine's detached processes, which keeps their output
// in a directory that it makes. What earlier lives of the node left there can be
// read as before.
func New(e *engine.Engine, dir string) (*Logs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &Logs{dir: dir, eng: e, files: map[engine.PID]*ring{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	rand.Read(l.token[:])
	if err := l.load(); err != nil {
		return nil, err
	}
	l.proc = e.Native(l.handle)
	e.Detached(engine.Leader{PID: l.proc.PID(), Token: l.token})
	go l.write()
	return l, nil
}

// handle takes a signal of a process. It never blocks.
func (l *Logs) handle(sig *engine.Signal) {
	if sig.Kind != engine.KindDown && subtle.ConstantTimeCompare(sig.Token[:], l.token[:]) != 1 {
		return
	}
	switch sig.Kind {
	case engine.KindOutput, engine.KindDown:
		l.mu.Lock()
		fresh := sig.Kind == engine.KindOutput && l.files[sig.From] == nil
		if fresh {
			origin := l.eng.Owner()
			if p := l.eng.Process(sig.From); p != nil {
				origin = p.Spec().Origin
			} // else a child that a detached process has on another node
			l.files[sig.From] = &ring{origin: origin, last: time.Now()}
			l.trim()
		}
		l.queue = append(l.queue, sig)
		l.mu.Unlock()
		if fresh {
			l.proc.Monitor(sig.From) // its Down comes behind all its output
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	case engine.KindInput:
		l.proc.Send(sig.From, &engine.Signal{Kind: engine.KindInputData})
	case engine.KindFile:
		const badFile = 8 // of WASI
		l.proc.Send(sig.From, &engine.Signal{Kind: engine.KindFileReply, FileReply: &engine.FileReply{ID: sig.File.ID, Errno: badFile}})
	}
}

// write writes what comes, and gives credit for it.
func (l *Logs) write() {
	defer close(l.done)
	for range l.wake {
		l.mu.Lock()
		batch, closed := l.queue, l.closed
		l.queue = nil
		for _, sig := range batch {
			l.take(sig)
		}
		l.mu.Unlock()
		for _, sig := range batch {
			if sig.Kind == engine.KindOutput {
				l.proc.Send(sig.From, &engine.Signal{Kind: engine.KindCredit, N: uint64(len(sig.Data))})
			}
		}
		if closed {
			return
		}
	}
}

// take writes one signal's data. l.mu is held.
func (l *Logs) take(sig *engine.Signal) {
	r := l.files[sig.From]
	if sig.Kind == engine.KindDown {
		if r != nil {
			r.ended = true
			r.tell()
		}
		return
	}
	if r == nil {
		return // there are too many
	}
	if err := l.append(sig.From, r, Record{Time: time.Now(), Stream: sig.Stream, Data: sig.Data}); err != nil {
		r.failed = err
	}
	r.tell()
}

// tell wakes who waits for more.
func (r *ring) tell() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// trim removes logs that were written to last longest ago. l.mu is held.
func (l *Logs) trim() {
	for len(l.files) > maxProcesses {
		var oldest engine.PID
		for pid, r := range l.files {
			if o := l.files[oldest]; o == nil || r.last.Before(o.last) {
				oldest = pid
			}
		}
		delete(l.files, oldest)
		for _, path := range []string{l.path(oldest), l.path(oldest) + ".old"} {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return
			}
		}
	}
}

// path returns the newer file of a process. The older one has ".old" behind it.
func (l *Logs) path(pid engine.PID) string {
	return filepath.Join(l.dir, pid.Text(pid.Node.String()))
}

// append adds a record. l.mu is held.
func (l *Logs) append(pid engine.PID, r *ring, rec Record) (err error) {
	r.last = rec.Time
	b := appendRecord(nil, rec)
	path := l.path(pid)
	if r.end > r.middle && r.end-r.middle+int64(len(b)) > maxFile {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
		r.begin, r.middle = r.middle, r.end
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if r.end == r.middle {
		line, err := json.Marshal(header{PID: l.eng.PIDText(pid), Origin: r.origin, Offset: r.end})
		if err != nil {
			return err
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	n, err := f.Write(b)
	r.end += int64(n)
	return err
}

// Origin returns whose process a log is of.
func (l *Logs) Origin(pid engine.PID) (engine.Origin, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.files[pid]
	if r == nil {
		return engine.Origin{}, ErrNone
	}
	return r.origin, nil
}

// Read returns records of a process from an offset on, where a read ended before or
// 0, and the offset behind them; and whether more can follow. What the ring has lost
// is skipped. If there is nothing yet it waits until there is, or the context is
// done; then it returns nothing.
func (l *Logs) Read(ctx context.Context, pid engine.PID, from int64) (recs []Record, next int64, more bool, err error) {
	for {
		l.mu.Lock()
		r := l.files[pid]
		if r == nil {
			l.mu.Unlock()
			return nil, from, false, ErrNone
		}
		from = max(from, r.begin)
		if from < r.end {
			recs, next, err := l.read(pid, r, from)
			l.mu.Unlock()
			return recs, next, true, err
		}
		if r.ended || r.failed != nil || ctx.Err() != nil {
			err, more := r.failed, !r.ended
			l.mu.Unlock()
			return nil, from, more, err
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// read reads records that are there. l.mu is held.
func (l *Logs) read(pid engine.PID, r *ring, from int64) (recs []Record, next int64, err error) {
	path, offset, end := l.path(pid), r.middle, r.end
	if from < r.middle {
		path, offset, end = path+".old", r.begin, r.middle
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, from, err
	}
	_, b, ok := cutLine(b)
	if !ok || end-offset > int64(len(b)) {
		return nil, from, fmt.Errorf("%s is damaged", path)
	}
	b = b[from-offset : end-offset]
	for len(b) > 0 && next < maxRead {
		rec, n, ok := parseRecord(b)
		if !ok {
			return nil, from, fmt.Errorf("%s is damaged", path)
		}
		recs, b, next = append(recs, rec), b[n:], next+int64(n)
	}
	return recs, from + next, nil
}

// load finds the logs of earlier lives of the node. One that cannot be read is left
// alone.
func (l *Logs) load() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, old := strings.CutSuffix(e.Name(), ".old")
		node, pid, err := engine.ParsePID(name)
		if err != nil {
			continue
		}
		if n, err := hex.DecodeString(node); err != nil || copy(pid.Node[:], n) != len(pid.Node) {
			continue
		}
		path := filepath.Join(l.dir, e.Name())
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		line, b, ok := cutLine(b)
		var h header
		if !ok || json.Unmarshal(line, &h) != nil {
			continue
		}
		whole := 0
		for n := 0; ; whole += n {
			if _, n, ok = parseRecord(b[whole:]); !ok {
				break // the rest of a write that was cut short
			}
		}
		r := l.files[pid]
		if r == nil {
			r = &ring{origin: h.Origin, begin: h.Offset, ended: true}
			l.files[pid] = r
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(r.last) {
			r.last = info.ModTime()
		}
		r.begin = min(r.begin, h.Offset)
		if !old {
			r.middle, r.end = h.Offset, h.Offset+int64(whole)
		}
	}
	for pid, r := range l.files {
		if r.end == 0 { // only the older file is there
			delete(l.files, pid)
		}
	}
	l.trim()
	return nil
}

// Processes returns the processes there are logs of, in the order of their pids.
func (l *Logs) Processes() []engine.PID {
	l.mu.Lock()
	defer l.mu.Unlock()
	pids := make([]engine.PID, 0, len(l.files))
	for pid := range l.files {
		pids = append(pids, pid)
	}
	slices.SortFunc(pids, engine.PID.Compare)
	return pids
}

// Close writes what has come and ends the leader.
func (l *Logs) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-l.done
	l.proc.Close(engine.Reason{Word: engine.Shutdown})
}

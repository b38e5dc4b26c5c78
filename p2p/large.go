package p2p

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

const (
	// part is how many bytes of one large signal are sent at a time, and round
	// how many of all before small ones that came meanwhile.
	part  = 32 << 10
	round = 64 << 10
	// A side has minWindow to maxWindow bytes of parts on their way that are not
	// acknowledged: more as long as that does not make acks take longer, since what
	// waits on the way delays small signals behind it.
	minWindow = 128 << 10
	maxWindow = 32 << 20
	// ackEvery is how many bytes of parts are acknowledged at once.
	ackEvery = 32 << 10
	// largeBytes is how much of large signals, and of what may not overtake them,
	// may wait before more of it must wait itself.
	largeBytes = 16 << 20
)

// large is a signal that is being sent in parts.
type large struct {
	id       uint32
	from, to engine.PID
	named    bool   // to a name: it may be any process there
	head     []byte // what is left of the body before the data
	data     []byte
	later    []queued // that must not overtake it
	name     uint64   // of the first of these to a name, when it was sent: nothing of from may overtake that
}

// queued is a signal that waits for the end of a large one.
type queued struct {
	*engine.Signal
	sent uint64 // how many signals had been sent on the link, with this one
}

// sender is what a link sends in parts, under the link's lock.
type sender struct {
	under   []*large // way, in turn
	next    uint32   // id
	signals uint64   // sent
	waiting int      // bytes, with those that may not overtake
	free    chan struct{}

	window, flying int
	sent, acked    uint64 // bytes of parts in all
	marks          []mark
	fastest        time.Duration // an ack that nothing waited before, lately
	since          time.Time     // of fastest
	shrunk         uint64        // sent, when the window last became smaller
}

// mark is when a part was sent.
type mark struct {
	upto uint64
	at   time.Time
}

// behind returns the last large signal under way that s must not overtake; sent is as
// of queued.
func (l *sender) behind(s *engine.Signal, sent uint64) *large {
	if len(l.under) == 0 || s.Kind == engine.KindSpawn { // nothing was sent yet to what it makes
		return nil
	}
	var last *large
	named := toName(s)
	for _, b := range l.under {
		if b.from == s.From && (b.to == s.To || b.named || named || b.name != 0 && b.name < sent) && (last == nil || b.id > last.id) {
			last = b
		}
	}
	return last
}

// toName reports whether a signal is to who has a name: it may be any process.
func toName(s *engine.Signal) bool {
	return s.Name != "" && s.To.Counter == 0 && s.Kind != engine.KindGlobal && s.Kind != engine.KindGroup
}

// wait has a signal wait for the end of one that it must not overtake.
func (l *sender) wait(before *large, s queued) {
	before.later = append(before.later, s)
	if toName(s.Signal) && (before.name == 0 || s.sent < before.name) {
		before.name = s.sent
	}
	l.waiting += size(s.Signal)
}

// size is what a signal that waits counts.
func size(s *engine.Signal) int {
	n := 256 + len(s.Data)
	if s.Message != nil {
		n += len(s.Message.Data)
	}
	return n
}

// begin begins to send a signal in parts, and appends its announcement.
func (l *sender) begin(out []byte, s *engine.Signal) []byte {
	l.next++
	b := &large{id: l.next, from: s.From, to: s.To, named: s.Name != "", head: wire.AppendHead(nil, s), data: s.Message.Data}
	l.under = append(l.under, b)
	l.waiting += len(b.head) + len(b.data)
	return wire.Large{ID: b.id, Kind: uint8(s.Kind), Total: uint32(len(b.head) + len(b.data))}.Append(out)
}

// busy returns a channel that is closed when a signal may be sent, or nil.
func (l *sender) busy(s *engine.Signal) <-chan struct{} {
	if l.waiting < largeBytes || !wire.IsLarge(s) && l.behind(s, l.signals+1) == nil {
		return nil
	}
	if l.free == nil {
		l.free = make(chan struct{})
	}
	return l.free
}

// parts appends as many parts as may be sent now, and returns the signals that may
// be sent behind those that are complete, in the order in which they were sent.
func (l *sender) parts(out []byte) (_ []byte, later []queued) {
	if l.window == 0 {
		l.window = minWindow
	}
	sent := 0
	for len(l.under) > 0 && sent < round && l.flying < l.window {
		b := l.under[0]
		n := min(part, len(b.head)+len(b.data))
		out = wire.AppendPartHeader(out, b.id, n)
		h := min(n, len(b.head))
		out = append(out, b.head[:h]...)
		out = append(out, b.data[:n-h]...)
		b.head, b.data = b.head[h:], b.data[n-h:]
		l.under = l.under[1:]
		sent += n
		l.flying += n
		l.waiting -= n
		l.sent += uint64(n)
		if len(b.head)+len(b.data) > 0 {
			l.under = append(l.under, b)
			continue
		}
		for _, s := range b.later {
			l.waiting -= size(s.Signal)
		}
		later = append(later, b.later...)
	}
	slices.SortFunc(later, func(a, b queued) int { return cmp.Compare(a.sent, b.sent) })
	if sent > 0 {
		l.marks = append(l.marks, mark{l.sent, time.Now()})
	}
	if l.free != nil && l.waiting < largeBytes {
		close(l.free)
		l.free = nil
	}
	return out, later
}

// wants reports whether there are parts that may be sent.
func (l *sender) wants() bool { return len(l.under) > 0 && l.flying < l.window }

// ack takes an acknowledgement, and finds the window from how long it took.
func (l *sender) ack(n int) error {
	if n <= 0 || n > l.flying {
		return fmt.Errorf("%w: %d bytes are acknowledged, %d are under way", wire.ErrMalformed, n, l.flying)
	}
	full := l.flying+part > l.window
	l.flying -= n
	l.acked += uint64(n)
	done := slices.IndexFunc(l.marks, func(m mark) bool { return m.upto > l.acked })
	if done < 0 {
		done = len(l.marks)
	}
	if done == 0 {
		return nil
	}
	now := time.Now()
	took := now.Sub(l.marks[done-1].at)
	l.marks = slices.Delete(l.marks, 0, done)
	if l.fastest == 0 || took < l.fastest || now.Sub(l.since) > 10*time.Second {
		l.fastest, l.since = took, now
	}
	switch {
	case took > 3*l.fastest && l.acked > l.shrunk:
		l.window = max(minWindow, l.window*7/8)
		l.shrunk = l.sent // once for what is under way
	case took < 2*l.fastest && full:
		l.window = min(maxWindow, l.window+n)
	}
	return nil
}

// stop gives up all.
func (l *sender) stop() {
	l.under, l.marks = nil, nil
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
}

// receiver puts together what the peer sends in parts. The reader of the link uses
// it alone.
type receiver struct {
	under map[uint32]*incoming
	bytes int
	seen  int // bytes of parts that are not acknowledged
}

type incoming struct {
	kind uint8
	body []byte
	got  int
}

func (r *receiver) begin(h wire.Large) error {
	if r.under == nil {
		r.under = map[uint32]*incoming{}
	}
	r.bytes += int(h.Total)
	if r.under[h.ID] != nil || h.Total == 0 || len(r.under) >= wire.MaxLarges || r.bytes > wire.MaxLargeBytes {
		return fmt.Errorf("%w: signal %d in parts, of %d bytes, beside %d others", wire.ErrMalformed, h.ID, h.Total, len(r.under))
	}
	r.under[h.ID] = &incoming{kind: h.Kind, body: make([]byte, h.Total)}
	return nil
}

// room returns where the next n bytes of a signal go.
func (r *receiver) room(id uint32, n int) (*incoming, []byte, error) {
	in := r.under[id]
	if in == nil || n == 0 || n > len(in.body)-in.got {
		return nil, nil, fmt.Errorf("%w: a part of %d bytes of signal %d", wire.ErrMalformed, n, id)
	}
	b := in.body[in.got : in.got+n]
	in.got += n
	r.seen += n
	return in, b, nil
}

// ended reports whether a signal is complete.
func (r *receiver) ended(id uint32, in *incoming) bool {
	if in.got < len(in.body) {
		return false
	}
	delete(r.under, id)
	r.bytes -= len(in.body)
	return true
}

// due returns how many bytes are to be acknowledged now, 0 for none.
func (r *receiver) due(all bool) int {
	if r.seen < ackEvery && !all {
		return 0
	}
	n := r.seen
	r.seen = 0
	return n
}

package p2p

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

var (
	nodeA = wire.Endpoint{Node: engine.NodeID{1}, Incarnation: 1}
	nodeB = wire.Endpoint{Node: engine.NodeID{2}, Incarnation: 1}
)

// wireless is one direction of a session without a stream: the test decides when the
// sender's writer takes what waits, when the receiver reads, and when acks come.
type wireless struct {
	t    *rapid.T
	from *link // its sender
	to   receiver
	acks []int

	sent, got map[string][]uint64 // tags, by pair
	count     uint64
	small     map[uint64]bool // sent when nothing was to go before them, and not taken
}

// pair is what order is kept of.
func pairOf(s *engine.Signal) string { return fmt.Sprintf("%d to %d", s.From.Counter, s.To.Counter) }

// send sends a signal from one process to another, by its pid or by its name.
func (w *wireless) send(from, to uint64, named bool, n int) {
	w.count++
	s := &engine.Signal{
		Kind:    engine.KindMessage,
		From:    engine.PID{Node: nodeA.Node, Incarnation: 1, Counter: from},
		To:      engine.PID{Node: nodeB.Node, Incarnation: 1, Counter: to},
		Message: &engine.Message{Kind: engine.MessageData, Tag: w.count, Data: bytes.Repeat([]byte{byte(w.count)}, n)},
	}
	w.sent[pairOf(s)] = append(w.sent[pairOf(s)], w.count)
	if named { // the name of that process
		s.To.Counter, s.Name = 0, fmt.Sprint("p", to)
	}
	if w.from.large.behind(s, w.from.large.signals+1) == nil && !wire.IsLarge(s) {
		w.small[w.count] = true
	}
	w.from.Send(s)
}

// round has the writer take what waits, and the receiver read all of it.
func (w *wireless) round() {
	before := w.from.large.flying
	out, more, _ := w.from.take(nil)
	if !more {
		w.t.Fatal(w.from.reason())
	}
	l := &w.from.large
	// A window that shrinks takes nothing back that is under way.
	if l.flying > before && l.flying >= l.window+part {
		w.t.Fatalf("%d bytes are under way, %d before; the window has %d", l.flying, before, l.window)
	}
	if l.flying-before >= round+part {
		w.t.Fatalf("%d bytes of parts in one round", l.flying-before)
	}
	r := bufio.NewReader(bytes.NewReader(out))
	for {
		kind, body, err := wire.ReadFrame(r, wire.MaxFrame)
		if err != nil {
			break
		}
		w.read(kind, body)
	}
	if len(w.small) != 0 {
		w.t.Fatalf("small signals %v waited for more than a round", w.small)
	}
}

func (w *wireless) read(kind uint8, body []byte) {
	fail := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	switch kind {
	case wire.KindLarge:
		h, err := wire.DecodeLarge(body)
		fail(err)
		fail(w.to.begin(h))
		return
	case wire.KindPart:
		id, err := wire.DecodePartHeader(body)
		fail(err)
		in, room, err := w.to.room(id, len(body)-wire.PartHeader)
		fail(err)
		copy(room, body[wire.PartHeader:])
		ended := w.to.ended(id, in)
		if n := w.to.due(ended); n > 0 {
			w.acks = append(w.acks, n)
		}
		if !ended {
			return
		}
		kind, body = in.kind, in.body
	}
	s, err := wire.DecodeSignal(kind, body, nodeA, nodeB)
	fail(err)
	if s.Name != "" {
		if _, err := fmt.Sscanf(s.Name, "p%d", &s.To.Counter); err != nil {
			w.t.Fatal(err)
		}
	}
	tag := s.Message.Tag
	if !bytes.Equal(s.Message.Data, bytes.Repeat([]byte{byte(tag)}, len(s.Message.Data))) {
		w.t.Fatalf("message %d has other data", tag)
	}
	delete(w.small, tag)
	w.got[pairOf(s)] = append(w.got[pairOf(s)], tag)
}

// ack gives the sender one acknowledgement.
func (w *wireless) ack() {
	if len(w.acks) == 0 {
		return
	}
	if err := w.from.acked(wire.AppendAck(nil, w.acks[0])[6:]); err != nil {
		w.t.Fatal(err)
	}
	w.acks = w.acks[1:]
}

// TestParts sends signals of several pairs, small and large, by pid and by name, with
// rounds of the writer and acks at any time between: what a pair sent arrives whole
// and in its order, the window is kept, and a small signal that need not wait leaves
// with the next round.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &wireless{t: t, from: newLink(nil, nil, nil), sent: map[string][]uint64{}, got: map[string][]uint64{}, small: map[uint64]bool{}}
		process := rapid.Uint64Range(1, 3)
		t.Repeat(map[string]func(*rapid.T){
			"small": func(t *rapid.T) {
				w.send(process.Draw(t, "from"), process.Draw(t, "to"), rapid.Bool().Draw(t, "named"), rapid.IntRange(0, 100).Draw(t, "size"))
			},
			"large": func(t *rapid.T) {
				size := rapid.SampledFrom([]int{wire.LargeFrom - 1, wire.LargeFrom, part * 3, part*5 + 1, minWindow + 7, 1 << 20}).Draw(t, "size")
				w.send(process.Draw(t, "from"), process.Draw(t, "to"), rapid.Bool().Draw(t, "named"), size)
			},
			"round": func(*rapid.T) { w.round() },
			"ack":   func(*rapid.T) { w.ack() },
		})
		for n := 0; len(w.from.large.under) > 0 || len(w.from.out) > 0 || len(w.acks) > 0; n++ {
			if n > 1<<12 {
				t.Fatal("it does not come to an end")
			}
			w.round()
			w.ack()
		}
		for pair, sent := range w.sent {
			if fmt.Sprint(w.got[pair]) != fmt.Sprint(sent) {
				t.Fatalf("%s: got %v, sent %v", pair, w.got[pair], sent)
			}
		}
		if l := &w.from.large; l.flying != 0 || l.waiting != 0 || len(l.marks) != 0 || len(w.to.under) != 0 || w.to.bytes != 0 {
			t.Fatalf("left: %+v, %+v", l, w.to)
		}
	})
}

// What a peer must not do in parts is refused.
func TestWrongParts(t *testing.T) {
	begin := func(r *receiver, id, total uint32) error { return r.begin(wire.Large{ID: id, Kind: 1, Total: total}) }
	for _, c := range []struct {
		name string
		does func(r *receiver) error
	}{
		{"an unknown id", func(r *receiver) error { _, _, err := r.room(1, 1); return err }},
		{"an id twice", func(r *receiver) error { return errors.Join(begin(r, 1, 9), begin(r, 1, 9)) }},
		{"nothing at all", func(r *receiver) error { return begin(r, 1, 0) }},
		{"an empty part", func(r *receiver) error { _, _, err := r.room(1, 0); return errors.Join(begin(r, 1, 9), err) }},
		{"too many bytes", func(r *receiver) error {
			if err := begin(r, 1, 9); err != nil {
				return nil
			}
			_, _, err := r.room(1, 10)
			return err
		}},
		{"too many bytes in two parts", func(r *receiver) error {
			if err := begin(r, 1, 9); err != nil {
				return nil
			}
			if _, _, err := r.room(1, 5); err != nil {
				return nil
			}
			_, _, err := r.room(1, 5)
			return err
		}},
		{"too many at once", func(r *receiver) (err error) {
			for id := range uint32(wire.MaxLarges) {
				if err := begin(r, id, 1); err != nil {
					return nil
				}
			}
			return begin(r, wire.MaxLarges, 1)
		}},
		{"too many bytes at once", func(r *receiver) error {
			r.bytes = wire.MaxLargeBytes - 10
			return begin(r, 1, 11)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.does(&receiver{}); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
	s := sender{flying: 10}
	for _, n := range []int{0, -1, 11} {
		if err := s.ack(n); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("an ack of %d bytes of 10: %v", n, err)
		}
	}
}

package wire

import (
	"fmt"

	"github.com/wnode-project/wnode/engine"
)

// Kinds of frames that carry a signal in parts.
const (
	KindLarge = 0xf3 // Large: a signal whose body follows in parts
	KindPart  = 0xf4 // id u32, then bytes of the body, to the end of the frame
	KindAck   = 0xf5 // n u32: so many bytes of parts have been read
)

const (
	// LargeFrom is how much data a message has that is sent in parts.
	LargeFrom = 64 << 10
	// MaxPart is how many bytes of the body one part has at most.
	MaxPart = 64 << 10
	// MaxLarge bounds the body of a signal that is sent in parts, in bytes.
	MaxLarge = engine.MaxMessage + 4<<10
	// MaxLarges is how many signals a side may have begun and not ended, and
	// MaxLargeBytes how many bytes all these may have.
	MaxLarges     = 1024
	MaxLargeBytes = 128 << 20
)

// PartHeader is how many bytes of a part frame are before those of the body.
const PartHeader = 4

// Large announces a signal that comes in parts. They are sent between other
// frames, and in order.
type Large struct {
	ID    uint32 // unlike that of any other under way
	Kind  uint8  // of the signal
	Total uint32 // bytes of its body
}

// IsLarge reports whether a signal is sent in parts.
func IsLarge(s *engine.Signal) bool {
	return s.Kind == engine.KindMessage && len(s.Message.Data) >= LargeFrom
}

// AppendHead appends the body of a large signal but for its data, which is the
// rest of it.
func AppendHead(b []byte, s *engine.Signal) []byte {
	b = appendEnds(b, s)
	return appendMessageHead(b, s)
}

// Append appends the announcement.
func (l Large) Append(b []byte) []byte {
	return AppendFrame(b, KindLarge, func(b []byte) []byte {
		b = le.AppendUint32(b, l.ID)
		b = append(b, l.Kind)
		return le.AppendUint32(b, l.Total)
	})
}

// DecodeLarge reads the body of an announcement.
func DecodeLarge(body []byte) (l Large, err error) {
	d := decoder{b: body}
	l.ID, l.Kind, l.Total = d.u32(), d.u8(), d.u32()
	if d.err == nil && l.Total > MaxLarge {
		d.fail("a signal of %d bytes, the limit is %d", l.Total, MaxLarge)
	}
	return l, d.err
}

// AppendPartHeader appends what is before the n bytes of a part.
func AppendPartHeader(b []byte, id uint32, n int) []byte {
	b = le.AppendUint32(b, uint32(2+PartHeader+n))
	b = append(b, KindPart, 0)
	return le.AppendUint32(b, id)
}

// DecodePartHeader reads the ID at the begin of the body of a part.
func DecodePartHeader(b []byte) (id uint32, err error) {
	if len(b) < PartHeader {
		return 0, fmt.Errorf("%w: a part of %d bytes", ErrMalformed, len(b))
	}
	return le.Uint32(b), nil
}

// AppendAck appends an acknowledgement of n bytes.
func AppendAck(b []byte, n int) []byte {
	return AppendFrame(b, KindAck, func(b []byte) []byte { return le.AppendUint32(b, uint32(n)) })
}

// DecodeAck reads the body of an acknowledgement.
func DecodeAck(body []byte) (n int, err error) {
	d := decoder{b: body}
	return int(d.u32()), d.err
}

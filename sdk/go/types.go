//go:build wasip1

package wnode

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

var le = binary.LittleEndian

// PID names a process for ever. The zero value is no process.
type PID [32]byte

// String returns the pid in hex.
func (p PID) String() string { return hex.EncodeToString(p[:]) }

// Node returns the node that the process lives on.
func (p PID) Node() NodeID { return NodeID(p[:16]) }

// Ref names a monitor, a call or a timer. The zero value is none.
type Ref [32]byte

// String returns the reference in hex.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// NodeID identifies a node. Where a function takes one, the zero value is this
// node.
type NodeID [16]byte

// String returns the id in hex.
func (n NodeID) String() string { return hex.EncodeToString(n[:]) }

// Kind is what a message is.
type Kind uint8

// The kinds of messages.
const (
	Data     Kind = 1  // from another process
	Called   Kind = 2  // a call: to be answered with Reply
	Replied  Kind = 3  // the answer to the call Ref
	Exited   Kind = 4  // an exit signal of From, with a Reason: only if exits are trapped
	Down     Kind = 5  // From, monitored by Ref, has ended, with a Reason
	NodeUp   Kind = 6  // From's node is connected; Data is its name
	NodeDown Kind = 7  // and is not any more
	Timeout  Kind = 8  // the timer Ref is due
	Casted   Kind = 9  // as Data, for what a server handles as a cast
	NameLost Kind = 10 // From has the cluster-wide name that is Data now
)

// Kinds is a set of kinds. The zero value is all of them.
type Kinds uint32

// Of returns the set of some kinds.
func Of(kinds ...Kind) (s Kinds) {
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Match is what a message must be like. The zero value is any message.
type Match struct {
	Kinds Kinds
	Tag   uint64
	Mask  uint64 // of the tag: the bits that must be as in Tag
	Ref   Ref    // zero: any
}

// Tagged matches messages of kind Data with a tag.
func Tagged(tag uint64) Match { return Match{Kinds: Of(Data), Tag: tag, Mask: ^uint64(0)} }

// matches reports whether a message's head is what m wants.
func (m *Match) matches(h *Message) bool {
	return (m.Kinds == 0 || m.Kinds&Of(h.Kind) != 0) && h.Tag&m.Mask == m.Tag&m.Mask && (m.Ref == Ref{} || m.Ref == h.Ref)
}

// bytes returns m as the host reads it.
func (m *Match) bytes() *[56]byte {
	var b [56]byte
	le.PutUint32(b[:], uint32(m.Kinds))
	le.PutUint64(b[8:], m.Tag)
	le.PutUint64(b[16:], m.Mask)
	copy(b[24:], m.Ref[:])
	return &b
}

// Message is a message. It is its receiver's own.
type Message struct {
	Kind   Kind
	Tag    uint64
	Ref    Ref
	From   PID
	Data   []byte
	Reason Reason // of an Exited or a Down
	End    End    // of a Down
}

// headSize is the size of a message without its data.
const headSize = 80

// head reads the first 80 bytes of a message, and how much data follows.
func head(b []byte) (m Message, n int) {
	m = Message{Kind: Kind(b[0]), End: End(b[1]), Tag: le.Uint64(b[8:]), Ref: Ref(b[16:48]), From: PID(b[48:80])}
	return m, int(le.Uint32(b[4:]))
}

// parse reads a message. The result does not share b.
func parse(b []byte) *Message {
	m, n := head(b)
	data := b[headSize : headSize+n]
	if m.Kind == Exited || m.Kind == Down {
		m.Reason = parseReason(data)
	} else if n > 0 {
		m.Data = append([]byte(nil), data...)
	}
	return &m
}

// Reason is why a process ended. As an error it matches, with [errors.Is], any
// reason with the same word, and detail if the target has one.
type Reason struct {
	Word   string // normal, shutdown, killed, exited, noproc, noconnection, ..., or the program's own
	Code   uint32 // of exited
	Detail string // for people
}

// Error returns the reason as text.
func (r Reason) Error() string {
	s := r.Word
	if r.Code != 0 {
		s += " " + strconv.FormatUint(uint64(r.Code), 10)
	}
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	return s
}

// Is implements the match of errors.Is.
func (r Reason) Is(target error) bool {
	t, ok := target.(Reason)
	return ok && t.Word == r.Word && (t.Detail == "" || t.Detail == r.Detail)
}

func parseReason(b []byte) Reason {
	word, detail := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	return Reason{Code: le.Uint32(b), Word: string(b[8 : 8+word]), Detail: string(b[8+word : 8+word+detail])}
}

// bytes returns r as the host reads it. A length that does not fit is one that the
// host refuses.
func (r Reason) bytes() []byte {
	b := le.AppendUint32(nil, r.Code)
	b = le.AppendUint16(b, uint16(min(len(r.Word), 1<<16-1)))
	b = le.AppendUint16(b, uint16(min(len(r.Detail), 1<<16-1)))
	return append(append(b, r.Word...), r.Detail...)
}

package wire

import (
	"bufio"
	"fmt"
	"io"
)

// Limits of what is read from the network.
const (
	MaxFrame = 1 << 20  // bytes of a frame after its length
	MaxAuth  = 16 << 10 // of a frame before the peer has proved itself
	MaxHello = 16 << 10 // of a frame that begins a session
)

// Kinds of frames that are not signals.
const (
	KindPing    = 0xf0
	KindGoodbye = 0xf2
	KindHello   = 0xf8
	KindConfirm = 0xf9
	KindRefusal = 0xfa
)

const headerSize = 6

// AppendFrame appends a frame of a kind with what body appends.
func AppendFrame(b []byte, kind uint8, body func([]byte) []byte) []byte {
	begin := len(b)
	b = append(b, 0, 0, 0, 0, kind, 0)
	if body != nil {
		b = body(b)
	}
	le.PutUint32(b[begin:], uint32(len(b)-begin-4))
	return b
}

// ReadFrame reads a frame of at most limit bytes. The body is the caller's. An
// end of the stream between frames is io.EOF.
func ReadFrame(r *bufio.Reader, limit int) (kind uint8, body []byte, err error) {
	kind, n, err := ReadHeader(r, limit)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	return kind, body, ReadBody(r, body)
}

// ReadHeader reads the begin of a frame of at most limit bytes, and returns how many
// its body has. An end of the stream before it is io.EOF.
func ReadHeader(r *bufio.Reader, limit int) (kind uint8, body int, err error) {
	head, err := r.Peek(headerSize)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	n := le.Uint32(head)
	kind = head[4]
	if n < 2 || uint64(n) > uint64(limit) {
		return 0, 0, fmt.Errorf("%w: a frame of %d bytes, the limit is %d", ErrMalformed, n, limit)
	}
	_, err = r.Discard(headerSize)
	return kind, int(n) - 2, err
}

// ReadBody fills b with the next bytes of a frame's body.
func ReadBody(r *bufio.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Refusal says why a request, a session or a proof is not taken.
type Refusal struct {
	Code RefusalCode
	Text string // for people; of another node: quote it before printing
}

// RefusalCode is the class of a refusal. Append-only.
type RefusalCode uint16

const (
	RefusedProof     RefusalCode = 1 // the proof is wrong: another cookie or cluster
	RefusedVersion   RefusalCode = 2 // no common version of the protocol
	RefusedName      RefusalCode = 3 // another node has the name
	RefusedDuplicate RefusalCode = 4 // another session of this pair is up or wins
	RefusedBusy      RefusalCode = 5 // a limit of the node; later it may do
	RefusedNotFound  RefusalCode = 6 // the node does not have it
	RefusedRole      RefusalCode = 7 // the role does not allow it
	RefusedRequest   RefusalCode = 8 // the request is malformed
)

// maxText bounds texts for people.
const maxText = 4 << 10

// Append appends a refusal frame.
func (r Refusal) Append(b []byte) []byte {
	return AppendFrame(b, KindRefusal, func(b []byte) []byte {
		b = le.AppendUint16(b, uint16(r.Code))
		return appendBytes(b, cut(r.Text, maxText))
	})
}

// DecodeRefusal reads the body of a refusal frame.
func DecodeRefusal(body []byte) (r Refusal, err error) {
	d := decoder{b: body}
	r.Code = RefusalCode(d.u16())
	r.Text = d.string()
	return r, d.err
}

// cut shortens a text for people.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-3] + "..."
}

// AppendGoodbye appends a goodbye frame.
func AppendGoodbye(b []byte, text string) []byte {
	return AppendFrame(b, KindGoodbye, func(b []byte) []byte { return appendBytes(b, cut(text, maxText)) })
}

// DecodeGoodbye reads the body of a goodbye frame.
func DecodeGoodbye(body []byte) (text string, err error) {
	d := decoder{b: body}
	text = d.string()
	return text, d.err
}

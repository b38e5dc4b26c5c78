package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/wnode-project/wnode/engine"
)

// ErrMalformed is what every decoding error is.
var ErrMalformed = errors.New("malformed message")

var le = binary.LittleEndian

func appendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendNested appends what f appends, with its length before it.
func appendNested(b []byte, f func([]byte) []byte) []byte {
	return appendBytes(b, f(make([]byte, 0, 128)))
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendBytes(b, s)
	}
	return b
}

func appendRef(b []byte, r engine.Ref) []byte {
	b, _ = engine.PID(r).AppendBinary(b) // never fails
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder reads values off the front of b. The first failure sticks: later
// reads return zero values.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
	d.b = nil
}

// take returns the next n bytes, a part of the input.
func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail("%d bytes where %d should be", len(d.b), n)
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if v := d.take(2); v != nil {
		return le.Uint16(v)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if v := d.take(4); v != nil {
		return le.Uint32(v)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if v := d.take(8); v != nil {
		return le.Uint64(v)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("no number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes returns a length-prefixed part of the input.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail("%d bytes where %d should be", len(d.b), n)
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) list() []string {
	n := d.uvarint()
	if n > uint64(len(d.b)) { // each takes a byte at least
		d.fail("a list of %d in %d bytes", n, len(d.b))
		return nil
	}
	var list []string
	for range n {
		list = append(list, d.string())
	}
	return list
}

// nested returns a decoder of length-prefixed bytes. The caller hands its error
// back by join.
func (d *decoder) nested() *decoder { return &decoder{b: d.bytes(), err: d.err} }

func (d *decoder) join(n *decoder) {
	if d.err == nil {
		d.err = n.err
	}
}

func (d *decoder) pid() engine.PID {
	p, err := engine.PIDFromBinary(d.take(engine.PIDSize))
	if err != nil {
		d.fail("%v", err)
	}
	return p
}

func (d *decoder) ref() engine.Ref { return engine.Ref(d.pid()) }

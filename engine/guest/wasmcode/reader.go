package wasmcode

import (
	"encoding/binary"
	"fmt"
)

// Reader reads instructions, and what else sections are made of, from
// B[Pos:End]. It keeps the first error; after it, reads return zeros and Pos is
// End. A Reader is a value: a copy reads ahead.
type Reader struct {
	B        []byte // the whole file, which is never written
	Pos, End int
	Section  string // for errors

	Err *Error

	Instruction // read last
}

// Fail notes an error, unless there is one, and ends the reading.
func (r *Reader) Fail(at int, format string, args ...any) { r.fail(at, "", format, args...) }

func (r *Reader) fail(at int, remedy, format string, args ...any) {
	if r.Err == nil {
		r.Err = &Error{Offset: at, Section: r.Section, Msg: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	r.Pos = r.End
}

// short notes that what is read goes on behind the end.
func (r *Reader) short() {
	if r.End == len(r.B) {
		r.fail(r.End, "copy or build the file again", "truncated: the file ends at %d bytes, within an instruction or entry", r.End)
		return
	}
	r.Fail(r.End, "malformed: the section or function ends within an instruction or entry")
}

// More reports whether there is anything left.
func (r *Reader) More() bool { return r.Pos < r.End }

// Byte reads one.
func (r *Reader) Byte() byte {
	if r.Pos >= r.End {
		r.short()
		return 0
	}
	r.Pos++
	return r.B[r.Pos-1]
}

// U32 reads an unsigned LEB128 number.
func (r *Reader) U32() uint32 {
	if r.Pos < r.End && r.B[r.Pos] < 0x80 { // nearly all
		r.Pos++
		return uint32(r.B[r.Pos-1])
	}
	v, n := binary.Uvarint(r.B[r.Pos:min(r.End, r.Pos+5)])
	switch {
	case n == 0 && r.End-r.Pos < 5:
		r.short()
		return 0
	case n <= 0 || v > 1<<32-1:
		r.Fail(r.Pos, "malformed: no number of 32 bits")
		return 0
	}
	r.Pos += n
	return uint32(v)
}

// signed reads a signed LEB128 number of the given bits.
func (r *Reader) signed(bits int) int64 {
	if r.Pos < r.End && r.B[r.Pos] < 0x80 { // mostly
		r.Pos++
		return int64(r.B[r.Pos-1]) << 57 >> 57
	}
	var v int64
	at := r.Pos
	for shift := 0; shift < bits; shift += 7 {
		c := r.Byte()
		v |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if r.Err != nil {
			return 0
		}
		if used := shift + 7; used < 64 {
			v = v << (64 - used) >> (64 - used)
		} else if c != 0 && c != 0x7f {
			break
		}
		if v<<(64-bits)>>(64-bits) != v {
			break
		}
		return v
	}
	r.Fail(at, "malformed: no number of %d bits", bits)
	return 0
}

// ValueType reads one.
func (r *Reader) ValueType() byte {
	t := r.Byte()
	r.CheckType(t)
	return t
}

// CheckType fails if the byte read last is no value type. Those of more than a
// byte are of proposals that are not supported; wazero reads some of them all
// the same.
func (r *Reader) CheckType(t byte) {
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
	default:
		r.fail(r.Pos-1, opRemedy, "unknown value type 0x%02x, of a proposal that is not supported", t)
	}
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.Take(n) }

// Take reads n bytes. They are those of B.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > r.End-r.Pos {
		r.short()
		return nil
	}
	r.Pos += n
	return r.B[r.Pos-n : r.Pos : r.Pos]
}

// Count reads the length of a vector whose elements have at least one byte each.
func (r *Reader) Count() int {
	at := r.Pos
	n := r.U32()
	if uint64(n) > uint64(r.End-r.Pos) {
		r.Fail(at, "malformed: %d elements do not fit in %d bytes", n, r.End-r.Pos)
		return 0
	}
	return int(n)
}

// Bytes reads a vector of bytes. They are those of B.
func (r *Reader) Bytes() []byte { return r.Take(r.Count()) }

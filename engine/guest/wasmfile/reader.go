package wasmfile

import (
	"fmt"
	"unicode/utf8"
)

// reader reads a section, or the whole file, and keeps the first error: after
// it, reads return zeros.
type reader struct {
	b       []byte // the whole file
	pos     int
	end     int // of what may be read
	section string
	err     *Error
}

func (r *reader) failed() bool { return r.err != nil }

func (r *reader) fail(at int, remedy, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: at, Section: r.section, Msg: fmt.Sprintf(format, args...), Remedy: remedy}
	}
}

const truncatedRemedy = "copy or build the file again"

// truncated reports that the file or the section ends too early.
func (r *reader) truncated(at int, what string) {
	if r.end == len(r.b) {
		r.fail(at, truncatedRemedy, "truncated: the file ends at %d bytes, within %s", len(r.b), what)
	} else {
		r.fail(at, "", "malformed: the section ends within %s", what)
	}
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte(what string) byte {
	if r.failed() {
		return 0
	}
	if r.left() < 1 {
		r.truncated(r.pos, what)
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

// uint reads an unsigned LEB128 number of at most the given bits.
func (r *reader) uint(bits int, what string) uint64 {
	at := r.pos
	var v uint64
	for shift := 0; ; shift += 7 {
		c := r.byte(what)
		if r.failed() {
			return 0
		}
		if shift+7 > bits && c>>(bits-shift) != 0 {
			r.fail(at, "", "malformed: %s is no number of %d bits", what, bits)
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

func (r *reader) u32(what string) uint32 { return uint32(r.uint(32, what)) }

// count reads the length of a vector whose elements have at least size bytes
// each; one that cannot be there is refused before anything is allocated.
func (r *reader) count(size int, what string) int {
	at := r.pos
	n := r.u32("the number of " + what)
	if !r.failed() && uint64(n)*uint64(size) > uint64(r.left()) {
		if r.end == len(r.b) {
			r.truncated(at, fmt.Sprintf("%d %s", n, what))
		} else {
			r.fail(at, "", "malformed: %d %s do not fit in %d bytes", n, what, r.left())
		}
	}
	if r.failed() {
		return 0
	}
	return int(n)
}

func (r *reader) bytes(n uint64, what string) []byte {
	if r.failed() {
		return nil
	}
	if n > uint64(r.left()) {
		r.truncated(r.pos, what)
		return nil
	}
	r.pos += int(n)
	return r.b[r.pos-int(n) : r.pos]
}

func (r *reader) name(what string) string {
	at := r.pos
	s := string(r.bytes(uint64(r.u32("the length of "+what)), what))
	if !utf8.ValidString(s) {
		r.fail(at, "", "malformed: %s is not UTF-8", what)
		return ""
	}
	return s
}

const gcRemedy = "build for plain WebAssembly 2.0"

func (r *reader) valueType(what string) byte {
	at := r.pos
	t := r.byte(what)
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef, exnRef:
		return t
	case 0x63, 0x64, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73:
		r.fail(at, gcRemedy, "uses typed references (of the function references and garbage collection proposals), which are not supported")
	}
	r.fail(at, "", "malformed: %s has the unknown value type 0x%02x", what, t)
	return 0
}

func (r *reader) funcType() FuncType {
	at := r.pos
	switch form := r.byte("a type"); form {
	case 0x60:
	case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
		r.fail(at, gcRemedy, "declares struct, array or recursive types (garbage collection proposal), which are not supported")
	default:
		r.fail(at, "", "malformed: 0x%02x begins no type", form)
	}
	return FuncType{Params: r.valueTypes("parameters"), Results: r.valueTypes("results")}
}

func (r *reader) valueTypes(what string) []byte {
	n := r.count(1, what)
	if n == 0 {
		return nil
	}
	out := make([]byte, 0, n)
	for range n {
		out = append(out, r.valueType(what))
	}
	return out
}

// limits reads the size of a memory or table.
func (r *reader) limits(what string) MemoryType {
	at := r.pos
	flags := r.byte(what)
	if flags > 7 {
		r.fail(at, "", "malformed: %s has the unknown flags 0x%02x", what, flags)
	}
	m := MemoryType{HasMax: flags&1 != 0, Shared: flags&2 != 0, Is64: flags&4 != 0}
	bits := 32
	if m.Is64 {
		bits = 64
	}
	m.Min = r.uint(bits, "the minimum of "+what)
	if m.HasMax {
		m.Max = r.uint(bits, "the maximum of "+what)
	}
	return m
}

// table reads the type of a table and returns how many elements it begins with.
func (r *reader) table() uint64 {
	at := r.pos
	if r.pos < r.end && r.b[r.pos] == 0x40 {
		r.fail(at, gcRemedy, "has a table with an initial value, which is not supported")
	}
	r.valueType("a table")
	return r.limits("a table").Min
}

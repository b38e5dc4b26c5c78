package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Section ids, and other bytes of the format.
// Source: WebAssembly core specification 2.0, 5.5.
const (
	idCustom    = 0
	idImport    = 2
	idMemory    = 5
	idGlobal    = 6
	idExport    = 7
	idStart     = 8
	idCode      = 10
	idData      = 11
	idDataCount = 12

	externFunc   = 0
	externGlobal = 3

	segmentPassive = 1
	segmentIndexed = 2 // active, with the index of its memory

	wasmPage = 64 << 10
)

// module is what Split needs to know of a module.
type module struct {
	b        []byte
	sections []section

	memory      uint64 // bytes at the start
	start       bool
	exports     int
	exportBytes []byte // the entries
	globals     []Global
	globalIndex []uint32 // of each of globals
	oddGlobals  bool     // there are mutable ones of other types
	data        []data
	dataCount   int // -1: not said
	code        usage
}

type section struct {
	id         byte
	start, end int // with id and size
}

type data struct {
	passive  bool
	constant bool // offset is known
	offset   uint32
	bytes    []byte
}

// read looks at a module as far as Split needs. Whatever it does not expect is
// an error, not a guess.
func read(b []byte) (*module, error) {
	if len(b) < 8 {
		return nil, errCut
	}
	m := &module{b: b, dataCount: -1}
	last := -1
	r := reader{b: b[8:]}
	for len(r.b) > 0 {
		start := len(b) - len(r.b)
		id := r.byte()
		body := reader{b: r.bytes()}
		if r.err != nil {
			return nil, r.err
		}
		m.sections = append(m.sections, section{id, start, len(b) - len(r.b)})
		if id == idCustom {
			continue
		}
		at := strings.IndexByte(order, id)
		if at <= last {
			return nil, errors.New("its sections are out of order")
		}
		last = at
		m.section(id, &body)
		if body.err != nil {
			return nil, body.err
		}
	}
	if m.dataCount >= 0 && m.dataCount != len(m.data) {
		return nil, errors.New("it has another number of data segments than it says")
	}
	return m, nil
}

// order holds the ids of sections in theirs.
const order = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0c\x0a\x0b"

// section reads the body of a section. Those that write may leave out are read
// to their end: a module must not become valid by it.
func (m *module) section(id byte, r *reader) {
	switch id {
	default:
		return
	case idImport:
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.bytes()
			r.bytes()
			if kind := r.byte(); kind != externFunc {
				r.fail("it imports more than functions")
			}
			r.u32()
		}
	case idMemory:
		if r.u32() == 1 {
			if flags := r.byte(); flags > 1 {
				r.fail("its memory is shared or of 64 bits")
			}
			m.memory = uint64(r.u32()) * wasmPage
		}
		return
	case idGlobal:
		n := r.u32()
		for i := uint32(0); i < n && r.err == nil; i++ {
			m.global(r, i)
		}
	case idExport:
		m.exports = int(r.u32())
		m.exportBytes = r.b
		for n := m.exports; n > 0 && r.err == nil; n-- {
			if strings.HasPrefix(string(r.bytes()), Prefix) {
				r.fail("it has exports of a reserved name")
			}
			r.byte()
			r.u32()
		}
	case idStart:
		m.start = true
		r.u32()
	case idCode:
		m.code.scan(r)
	case idDataCount:
		m.dataCount = int(r.u32())
	case idData:
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			m.data = append(m.data, r.segment())
		}
	}
	if len(r.b) > 0 {
		r.fail("bytes are left over in section %d", id)
	}
}

// global reads the i-th global. None is imported, so i is its index.
func (m *module) global(r *reader, i uint32) {
	typ, mutable := r.byte(), r.byte()
	v, of := r.constant()
	if mutable == 0 {
		return
	}
	if of == 0 || of != typ {
		m.oddGlobals = true
		return
	}
	m.globals = append(m.globals, Global{Name: Prefix + strconv.Itoa(len(m.globals)), Value: v})
	m.globalIndex = append(m.globalIndex, i)
}

func (r *reader) segment() (d data) {
	switch kind := r.u32(); kind {
	case 0:
	case segmentPassive:
		d.passive = true
	case segmentIndexed:
		if r.u32() != 0 {
			r.fail("it has several memories")
		}
	default:
		r.fail("data segment of kind %d", kind)
	}
	if !d.passive {
		v, of := r.constant()
		d.offset, d.constant = uint32(v), of == typeI32
	}
	d.bytes = r.bytes()
	return d
}

// Types of numbers.
const (
	typeI32 = 0x7f
	typeI64 = 0x7e
	typeF32 = 0x7d
	typeF64 = 0x7c
)

// constant reads a constant expression. of is the type of the number that it
// is, 0 if it is anything else.
func (r *reader) constant() (v uint64, of byte) {
	for count := 0; r.err == nil; count++ {
		op := r.byte()
		switch of = 0; op {
		case 0x41:
			v, of = uint64(uint32(r.signed(32))), typeI32
		case 0x42:
			v, of = uint64(r.signed(64)), typeI64
		case 0x43:
			if b := r.take(4); b != nil {
				v, of = uint64(binary.LittleEndian.Uint32(b)), typeF32
			}
		case 0x44:
			if b := r.take(8); b != nil {
				v, of = binary.LittleEndian.Uint64(b), typeF64
			}
		case 0x23, 0xd0, 0xd2: // global.get, ref.null, ref.func
			r.u32()
		case 0xfd: // v128.const
			if r.u32() != 12 {
				r.fail("unknown constant")
			}
			r.take(16)
		case 0x0b: // end
			r.fail("empty constant")
		default:
			r.fail("unknown constant 0x%02x", op)
		}
		if len(r.b) > 0 && r.b[0] == 0x0b {
			r.byte()
			if count > 0 {
				of = 0
			}
			return v, of
		}
	}
	return 0, 0
}

// reader reads from the front of b and keeps the first error; after it, reads
// return zeros.
type reader struct {
	b   []byte
	err error
}

var errCut = errors.New("the module is cut short")

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err, r.b = fmt.Errorf(format, args...), nil
	}
}

func (r *reader) cut() {
	if r.err == nil {
		r.err, r.b = errCut, nil
	}
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.cut()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.cut()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// bytes reads a vector of bytes.
func (r *reader) bytes() []byte { return r.take(int(r.u32())) }

func (r *reader) u32() uint32 {
	v, n := binary.Uvarint(r.b[:min(len(r.b), 5)])
	if n <= 0 || v > 1<<32-1 {
		r.cut()
		return 0
	}
	r.b = r.b[n:]
	return uint32(v)
}

// signed reads a signed LEB128 number of at most the given bits.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			if unused := max(0, 64-shift-7); unused > 0 {
				v = v << unused >> unused
			}
			if v<<(64-bits)>>(64-bits) != v {
				break
			}
			return v
		}
	}
	r.cut()
	return 0
}

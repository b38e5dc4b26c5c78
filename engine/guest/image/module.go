package image

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
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
		return nil, errors.New("the module is cut short")
	}
	m := &module{b: b, dataCount: -1}
	last := -1
	r := wasmcode.Reader{B: b, Pos: 8, End: len(b)}
	for r.More() {
		start := r.Pos
		id := r.Byte()
		size := r.Count()
		if r.Err != nil {
			return nil, r.Err
		}
		body := wasmcode.Reader{B: b, Pos: r.Pos, End: r.Pos + size}
		r.Skip(size)
		m.sections = append(m.sections, section{id, start, r.Pos})
		if id == idCustom {
			continue
		}
		at := strings.IndexByte(order, id)
		if at <= last {
			return nil, errors.New("its sections are out of order")
		}
		last = at
		if m.section(id, &body); body.Err != nil {
			return nil, body.Err
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
func (m *module) section(id byte, r *wasmcode.Reader) {
	switch id {
	default:
		return
	case idImport:
		for n := r.U32(); n > 0 && r.Err == nil; n-- {
			r.Bytes()
			r.Bytes()
			if kind := r.Byte(); kind != externFunc {
				r.Fail(r.Pos, "it imports more than functions")
			}
			r.U32()
		}
	case idMemory:
		if r.U32() == 1 {
			if flags := r.Byte(); flags > 1 {
				r.Fail(r.Pos, "its memory is shared or of 64 bits")
			}
			m.memory = uint64(r.U32()) * wasmPage
		}
		return
	case idGlobal:
		n := r.U32()
		for i := uint32(0); i < n && r.Err == nil; i++ {
			m.global(r, i)
		}
	case idExport:
		m.exports = int(r.U32())
		m.exportBytes = r.B[r.Pos:r.End]
		for n := m.exports; n > 0 && r.Err == nil; n-- {
			if strings.HasPrefix(string(r.Bytes()), Prefix) {
				r.Fail(r.Pos, "it has exports of a reserved name")
			}
			r.Byte()
			r.U32()
		}
	case idStart:
		m.start = true
		r.U32()
	case idCode:
		m.code.scan(r)
	case idDataCount:
		m.dataCount = int(r.U32())
	case idData:
		for n := r.U32(); n > 0 && r.Err == nil; n-- {
			m.data = append(m.data, segment(r))
		}
	}
	if r.More() {
		r.Fail(r.Pos, "bytes are left over in section %d", id)
	}
}

// global reads the i-th global. None is imported, so i is its index.
func (m *module) global(r *wasmcode.Reader, i uint32) {
	typ, mutable := r.Byte(), r.Byte()
	v, of := constant(r)
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

func segment(r *wasmcode.Reader) (d data) {
	switch kind := r.U32(); kind {
	case 0:
	case segmentPassive:
		d.passive = true
	case segmentIndexed:
		if r.U32() != 0 {
			r.Fail(r.Pos, "it has several memories")
		}
	default:
		r.Fail(r.Pos, "data segment of kind %d", kind)
	}
	if !d.passive {
		v, of := constant(r)
		d.offset, d.constant = uint32(v), of == wasmcode.I32
	}
	d.bytes = r.Bytes()
	return d
}

// constant reads a constant expression. of is the type of the number that it
// is, 0 if it is anything else.
func constant(r *wasmcode.Reader) (v uint64, of byte) {
	for count := 0; r.Err == nil; count++ {
		r.Next()
		switch of = 0; r.Op {
		case wasmcode.I32Const:
			v, of = uint64(uint32(r.X)), wasmcode.I32
		case wasmcode.I64Const:
			v, of = uint64(r.X), wasmcode.I64
		case wasmcode.F32Const:
			if r.Err == nil {
				v, of = uint64(binary.LittleEndian.Uint32(r.B[r.Pos-4:])), wasmcode.F32
			}
		case wasmcode.F64Const:
			if r.Err == nil {
				v, of = binary.LittleEndian.Uint64(r.B[r.Pos-8:]), wasmcode.F64
			}
		case wasmcode.GlobalGet, wasmcode.RefNull, wasmcode.RefFunc, wasmcode.V128Const:
		case wasmcode.End:
			r.Fail(r.At, "empty constant")
		default:
			r.Fail(r.At, "unknown constant 0x%02x", r.Op)
		}
		if r.More() && r.B[r.Pos] == wasmcode.End {
			r.Byte()
			if count > 0 {
				of = 0
			}
			return v, of
		}
	}
	return 0, 0
}

package meter

import (
	"encoding/binary"
	"fmt"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// Opcodes that the pass looks at or writes. Those behind a prefix byte are the
// prefix in the upper byte and the number after it in the lower.
// Source: WebAssembly core specification 2.0, 5.4.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opI32Eqz       = 0x45
	opI32GtU       = 0x4b
	opI32LeU       = 0x4d
	opI32GeS       = 0x4e
	opI64Eqz       = 0x50
	opI64GtU       = 0x56
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64And       = 0x83
	opI64Or        = 0x84
	opI64Shl       = 0x86
	opI32WrapI64   = 0xa7
	opI64ExtendU   = 0xad
	opSelect       = 0x1b
	opRefFunc      = 0xd2

	prefixMisc = 0xfc
	prefixSIMD = 0xfd

	opMemoryInit = prefixMisc<<8 | 8
	opDataDrop   = prefixMisc<<8 | 9
	opMemoryCopy = prefixMisc<<8 | 10
	opMemoryFill = prefixMisc<<8 | 11
	opTableInit  = prefixMisc<<8 | 12
	opElemDrop   = prefixMisc<<8 | 13
	opTableCopy  = prefixMisc<<8 | 14
	opTableGrow  = prefixMisc<<8 | 15
	opTableSize  = prefixMisc<<8 | 16
	opTableFill  = prefixMisc<<8 | 17
)

// immediate is what follows an opcode.
type immediate byte

const (
	illegal immediate = iota
	none
	blockType  // s33
	oneLabel   // u32: br, br_if
	manyLabels // vector of u32, and one more
	index      // u32
	twoIndex   // u32 u32
	memArg     // alignment u32, offset u32
	constI32
	constI64
	const4  // bytes
	const8  // bytes
	const16 // bytes
	typeVec // vector of one value type
	refType // byte
	lane    // byte
	memLane // memArg, byte
)

// immediates by opcode of one byte. Opcodes of proposals that wazero does not
// have on by default stay illegal: exceptions, tail calls, typed references.
var immediates = func() (t [256]immediate) {
	for op := 0x45; op <= 0xc4; op++ { // numeric
		t[op] = none
	}
	for op := 0x28; op <= 0x3e; op++ { // loads and stores
		t[op] = memArg
	}
	for op, imm := range map[byte]immediate{
		0x00: none, 0x01: none, 0x02: blockType, 0x03: blockType, 0x04: blockType, 0x05: none, 0x0b: none,
		0x0c: oneLabel, 0x0d: oneLabel, 0x0e: manyLabels, 0x0f: none, 0x10: index, 0x11: twoIndex,
		0x1a: none, 0x1b: none, 0x1c: typeVec,
		0x20: index, 0x21: index, 0x22: index, 0x23: index, 0x24: index, 0x25: index, 0x26: index,
		0x3f: index, 0x40: index, 0x41: constI32, 0x42: constI64, 0x43: const4, 0x44: const8,
		0xd0: refType, 0xd1: none, 0xd2: index,
	} {
		t[op] = imm
	}
	return t
}()

// immediatesMisc are those behind the prefix 0xfc.
var immediatesMisc = [...]immediate{
	none, none, none, none, none, none, none, none, // saturating conversions
	twoIndex, index, twoIndex, index, // memory.init, data.drop, memory.copy, memory.fill
	twoIndex, index, twoIndex, index, index, index, // table.init, elem.drop, table.copy, .grow, .size, .fill
}

// immediateSIMD returns that of a number behind the prefix 0xfd.
func immediateSIMD(n uint32) immediate {
	switch {
	case n <= 11, n == 92, n == 93:
		return memArg
	case n == 12, n == 13:
		return const16
	case n >= 21 && n <= 34:
		return lane
	case n >= 84 && n <= 91:
		return memLane
	case n <= 255:
		return none
	}
	return illegal
}

// decoder reads instructions, and what else sections are made of, from b[pos:end].
// It keeps the first error; after it, reads return zeros.
type decoder struct {
	b   []byte // the whole module
	pos int
	end int

	section string
	err     *wasmfile.Error

	// The instruction read last. x and y are its immediates as they come:
	// indices, or the type of a block, or the value of a constant.
	op    int
	at    int // its offset
	x, y  int64
	targs []uint32 // of br_table, the default last; reused by the next
}

func (d *decoder) fail(at int, format string, args ...any) {
	if d.err == nil {
		d.err = &wasmfile.Error{Offset: at, Section: d.section, Msg: fmt.Sprintf(format, args...)}
	}
	d.pos = d.end
}

func (d *decoder) more() bool { return d.pos < d.end }

func (d *decoder) byte() byte {
	if d.pos >= d.end {
		d.fail(d.end, "malformed: the section or function ends within an instruction")
		return 0
	}
	d.pos++
	return d.b[d.pos-1]
}

func (d *decoder) u32() uint32 {
	if d.pos < d.end && d.b[d.pos] < 0x80 {
		d.pos++
		return uint32(d.b[d.pos-1])
	}
	v, n := binary.Uvarint(d.b[d.pos:min(d.end, d.pos+5)])
	if n <= 0 || v > 1<<32-1 {
		d.fail(d.pos, "malformed: no number of 32 bits")
		return 0
	}
	d.pos += n
	return uint32(v)
}

// signed reads a signed LEB128 number of at most the given bits.
func (d *decoder) signed(bits int) int64 {
	if d.pos < d.end && d.b[d.pos] < 0x80 { // mostly
		d.pos++
		return int64(d.b[d.pos-1]) << 57 >> 57
	}
	var v int64
	at := d.pos
	for shift := 0; ; shift += 7 {
		c := d.byte()
		if d.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			if shift+7 < 64 {
				v = v << (64 - shift - 7) >> (64 - shift - 7)
			}
			return v
		}
		if shift+7 >= bits {
			d.fail(at, "malformed: no number of %d bits", bits)
			return 0
		}
	}
}

// valueType reads one. Those of more than a byte are of proposals that are not
// supported; wazero reads some of them all the same.
func (d *decoder) valueType() byte {
	t := d.byte()
	d.checkType(t)
	return t
}

func (d *decoder) checkType(t byte) {
	switch t {
	case i32, i64, f32, f64, v128, funcRef, extern:
	default:
		if d.err == nil {
			d.fail(d.pos-1, "unknown value type 0x%02x, of a proposal that is not supported", t)
		}
	}
}

func (d *decoder) skip(n int) {
	if n < 0 || n > d.end-d.pos {
		d.fail(d.end, "malformed: the section or function ends too early")
		return
	}
	d.pos += n
}

// count reads the length of a vector whose elements have at least one byte each.
func (d *decoder) count() int {
	at := d.pos
	n := d.u32()
	if d.err == nil && uint64(n) > uint64(d.end-d.pos) {
		d.fail(at, "malformed: %d elements do not fit in %d bytes", n, d.end-d.pos)
		return 0
	}
	return int(n)
}

// next reads an instruction.
func (d *decoder) next() {
	d.at = d.pos
	if d.pos >= d.end {
		d.byte() // fails
		d.op = opUnreachable
		return
	}
	op := d.b[d.pos]
	d.pos++
	d.op = int(op)
	imm := immediates[op]
	if imm == none {
		return
	}
	switch op {
	case prefixMisc:
		n := d.u32()
		d.op = prefixMisc<<8 | int(n&0xff)
		imm = illegal
		if n < uint32(len(immediatesMisc)) {
			imm = immediatesMisc[n]
		}
	case prefixSIMD:
		// wazero looks at one byte. That of numbers from 128 on must be
		// followed by 1, or what follows would not be what it seems to be.
		n := d.byte()
		d.op = prefixSIMD<<8 | int(n)
		imm = immediateSIMD(uint32(n))
		if n >= 0x80 && d.byte() != 1 {
			imm = illegal
		}
	}
	switch imm {
	case none:
	case blockType:
		d.x = d.signed(33)
		if d.x < 0 && d.x != -0x40 {
			d.checkType(byte(d.x & 0x7f))
		}
	case oneLabel, index:
		d.x = int64(d.u32())
	case manyLabels:
		n := d.count()
		d.targs = d.targs[:0]
		for i := 0; i <= n && d.err == nil; i++ {
			d.targs = append(d.targs, d.u32())
		}
	case twoIndex:
		d.x, d.y = int64(d.u32()), int64(d.u32())
	case memArg:
		if d.pos+1 < d.end && d.b[d.pos]|d.b[d.pos+1] < 0x80 {
			d.pos += 2
			break
		}
		d.u32()
		d.u32()
	case constI32:
		d.x = d.signed(32)
	case constI64:
		d.x = d.signed(64)
	case const4:
		d.skip(4)
	case const8:
		d.skip(8)
	case const16:
		d.skip(16)
	case typeVec:
		if n := d.byte(); n != 1 && d.err == nil {
			d.fail(d.at, "malformed: a select of %d values", n)
		}
		d.valueType()
	case refType:
		if t := d.byte(); t != funcRef && t != extern && d.err == nil {
			d.fail(d.at, "unknown reference type 0x%02x, of a proposal that is not supported", t)
		}
	case lane:
		d.skip(1)
	case memLane:
		d.u32()
		d.u32()
		d.skip(1)
	default:
		if d.err == nil {
			d.fail(d.at, "unknown instruction 0x%02x, of a proposal that is not supported", d.op)
		}
	}
}

package wasmcode

// Instruction is one that was read, with its immediates as they come. Fields
// that it has nothing for are as the one before left them.
type Instruction struct {
	Op int // opcode
	At int // offset in the file; it ends at Reader.Pos

	// X and Y are indices (in the order of the binary format), the label of a
	// branch, or the value of an integer constant. X of a block is the index of
	// its type, or below zero: VoidBlock, or a value type less 0x80.
	X, Y int64
	// Labels are those of br_table, the default last; the next one reuses them.
	Labels []uint32
}

const opRemedy = "build for WebAssembly 2.0, without threads, exceptions, garbage collection or other proposals"

// Next reads an instruction. At the end, or when there was an error, it fails
// and leaves Op as Unreachable.
func (r *Reader) Next() {
	r.At = r.Pos
	if r.Pos >= r.End {
		r.short()
		r.Op = Unreachable
		return
	}
	op := r.B[r.Pos]
	r.Pos++
	r.Op = int(op)
	switch imm := immediates[op]; {
	case imm == none:
	case imm == index && r.Pos < r.End && r.B[r.Pos] < 0x80: // most of the others
		r.X = int64(r.B[r.Pos])
		r.Pos++
	case imm == illegal:
		r.prefixed(op)
	default:
		r.immediate(imm)
	}
}

// prefixed reads an instruction whose first byte is a prefix, if any.
func (r *Reader) prefixed(op byte) {
	imm := illegal
	switch op {
	case Misc:
		n := r.U32()
		r.Op = Misc<<8 | int(n&0xff)
		if n < uint32(len(immediatesMisc)) {
			imm = immediatesMisc[n]
		}
	case Vector:
		n := r.Byte()
		r.Op, imm = Vector<<8|int(n), immediateVector(n)
		if n >= 0x80 && r.Byte() != 1 {
			imm = illegal // what follows would not be what it seems to be
		}
	}
	r.immediate(imm)
}

func (r *Reader) immediate(imm immediate) {
	switch imm {
	case none:
	case blockType:
		r.X = r.signed(33)
		if r.X < VoidBlock {
			r.Fail(r.At, "malformed: a block of type %d", r.X)
		} else if r.X < 0 && r.X != VoidBlock {
			r.CheckType(byte(r.X + 0x80))
		}
	case oneLabel, index:
		r.X = int64(r.U32())
	case manyLabels:
		n := r.Count()
		r.Labels = r.Labels[:0]
		for i := 0; i <= n && r.Err == nil; i++ {
			r.Labels = append(r.Labels, r.U32())
		}
	case twoIndex:
		r.X, r.Y = int64(r.U32()), int64(r.U32())
	case memArg:
		if r.Pos+1 < r.End && r.B[r.Pos]|r.B[r.Pos+1] < 0x80 {
			r.Pos += 2
			break
		}
		r.U32()
		r.U32()
	case constI32:
		r.X = r.signed(32)
	case constI64:
		r.X = r.signed(64)
	case const4:
		r.Skip(4)
	case const8:
		r.Skip(8)
	case const16:
		r.Skip(16)
	case typeVec:
		if n := r.Byte(); n != 1 {
			r.Fail(r.At, "malformed: a select of %d values", n)
		}
		r.ValueType()
	case refType:
		if t := r.Byte(); t != FuncRef && t != ExternRef {
			r.fail(r.At, opRemedy, "unknown reference type 0x%02x, of a proposal that is not supported", t)
		}
	case lane:
		r.Skip(1)
	case memLane:
		r.U32()
		r.U32()
		r.Skip(1)
	default:
		if r.Op > 0xff {
			r.fail(r.At, opRemedy, "uses the instruction 0x%02x 0x%02x, which is not supported", r.Op>>8, r.Op&0xff)
		} else {
			r.fail(r.At, opRemedy, "uses the instruction 0x%02x, which is not supported", r.Op)
		}
	}
}

package wasmcode

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

// immediateVector returns that of a number behind the prefix 0xfd.
func immediateVector(n byte) immediate {
	switch {
	case n <= 11, n == 92, n == 93:
		return memArg
	case n == 12, n == 13:
		return const16
	case n >= 21 && n <= 34:
		return lane
	case n >= 84 && n <= 91:
		return memLane
	}
	return none
}

package meter

// The unit of the count is about one instruction. What is slower by far counts
// as more; what takes time in proportion to an operand counts by it, in the
// helpers. A change of any of these is a new Version.
const (
	// maxRun is how much may run between two charges: with less, counting
	// costs more (64: 1.39 times the time of the code, 256 and more: nearly nothing).
	maxRun = 512
	// maxTail is how much a function that can be part of a recursion may run
	// after its last charge, so that unwinding a deep one is counted too.
	maxTail = 256
	// A function with so many calls that may come back to it takes its stack
	// once, at its begin, and pays entry there.
	manySites = 3
	entry     = 64
	// A loop that calls nothing is written several times in a row, and counted
	// once in so many rounds: at most unrollTimes, while it costs at most unroll.
	unroll      = 64
	unrollTimes = 4
	// hostCall is that of each call of an imported function.
	hostCall = 200
	// grow is that of memory.grow, and of table.grow of no elements.
	grow = 500
	// maxBulk is the longest operation on memory that runs as one, in bytes:
	// a first touch of so much takes 0.2 ms. Longer ones are cut.
	maxBulk = 64 << 10
	// bulkShift: 16 bytes of memory count as one.
	bulkShift = 4
	// inlineBulk is the longest constant length that is not worth a helper.
	inlineBulk = 256
)

// costs by opcode of one byte.
var costs = func() (t [256]uint8) {
	for i := range t {
		t[i] = 1
	}
	for op := 0x28; op <= 0x3e; op++ {
		t[op] = 2 // loads and stores: may miss all caches
	}
	for _, op := range []int{0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82} {
		t[op] = 8 // integer division
	}
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} {
		t[op] = 4 // square root and division of floats
	}
	t[opCall], t[opCallIndirect], t[opBrTable] = 4, 8, 4
	return t
}()

func cost(op int) int {
	if op <= 0xff {
		return int(costs[op])
	}
	if op == opTableGrow {
		return grow
	}
	return 2
}

// effects is by how much an opcode of one byte changes the height of the operand
// stack, where that does not depend on types.
var effects = func() (t [256]int8) {
	set := func(by int8, ranges ...int) {
		for i := 0; i < len(ranges); i += 2 {
			for op := ranges[i]; op <= ranges[i+1]; op++ {
				t[op] = by
			}
		}
	}
	set(-2, 0x36, 0x3e, 0x1b, 0x1c, 0x26, 0x26)
	set(-1, 0x46, 0x4f, 0x51, 0x66, 0x6a, 0x78, 0x7c, 0x8a, 0x92, 0x98, 0xa0, 0xa6,
		0x0d, 0x0e, 0x1a, 0x1a, 0x21, 0x21, 0x24, 0x24, 0x04, 0x04)
	set(1, 0x20, 0x20, 0x23, 0x23, 0x3f, 0x3f, 0x41, 0x44, 0xd0, 0xd0, 0xd2, 0xd2)
	return t
}()

// effect is that of all opcodes but calls and the ends of blocks. For vectors it
// is a lower bound of what is taken away: the height is for an estimate.
func effect(op int) int {
	if op <= 0xff {
		return int(effects[op])
	}
	switch op {
	case opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill:
		return -3
	case opTableGrow:
		return -1
	case opTableSize, prefixSIMD<<8 | 12:
		return 1
	}
	if op>>8 == prefixMisc {
		return 0
	}
	switch n := op & 0xff; {
	case n == 11 || n >= 88 && n <= 91:
		return -2
	case n == 13, n == 14, n >= 35 && n <= 76, n >= 78 && n <= 81:
		return -1
	}
	return 0
}

package wasmcode

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

// Effect returns by how much an instruction changes the height of the operand
// stack, calls and the ends of blocks apart: of these it knows nothing and
// returns 0. For vectors it may take away too little, so that a height is never
// below what it is. Counts of metering depend on it: a change is one of
// meter.Version.
func Effect(op int) int {
	if op <= 0xff {
		return int(effects[op])
	}
	return prefixedEffect(op)
}

//go:noinline // so that Effect can be
func prefixedEffect(op int) int {
	switch op {
	case MemoryInit, MemoryCopy, MemoryFill, TableInit, TableCopy, TableFill:
		return -3
	case TableGrow:
		return -1
	case TableSize, V128Const:
		return 1
	}
	if op>>8 == Misc {
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

// Writes reports whether an instruction writes to what is there of memory, tables,
// segments or globals. Of those behind [Misc] it says so of all.
func Writes(op int) bool {
	if op <= 0xff {
		return op == GlobalSet || op == TableSet || op >= 0x36 && op <= 0x3e
	}
	return op>>8 == Misc || op == Vector<<8|11 || op >= Vector<<8|84 && op <= Vector<<8|91
}

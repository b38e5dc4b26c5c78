package meter

import "github.com/wnode-project/wnode/engine/guest/wasmcode"

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
	t[wasmcode.Call], t[wasmcode.CallIndirect], t[wasmcode.BrTable] = 4, 8, 4
	return t
}()

func cost(op int) int {
	if op <= 0xff {
		return int(costs[op])
	}
	if op == wasmcode.TableGrow {
		return grow
	}
	return 2
}

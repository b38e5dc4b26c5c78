package meter

const (
	Version = 1
	Module  = "wnode:meter"
	Yield   = "yield"
	Export  = "wnode:meter"
)

// signs are the bits that are set in a counter when one of its halves is below zero.
const signs = -1<<63 | 1<<31

// Info is what the pass found out about a module.
type Info struct {
	Stack     int // words
	Functions []Function
}

type Function struct {
	Index                                uint32
	Offset, Size                         int
	Locals, Blocks, Operations, Operands int
}

var UnrollTo, UnrollMax = 64, 4

// Counter is the value of the counter.
type Counter uint64

// Left returns how much may still run.
func (c Counter) Left() int32 { return int32(c) }

// Depth returns the words of stack that may still be taken.
func (c Counter) Depth() int32 { return int32((int64(c) - int64(int32(c))) >> 32) }

// Add returns a counter with more of both.
func (c Counter) Add(left, depth int32) Counter {
	return c + Counter(int64(left)+int64(depth)<<32)
}

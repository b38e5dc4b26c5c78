package meter

// Version is that of the counting: what is counted, where, and how much. Equal
// versions count equally for the same module and input; compiled modules are
// kept by it.
const Version = 1

// Module and Yield name the function that rewritten modules import:
// func(Counter) Counter, as i64, called when one half of the counter is below
// zero. It returns the counter with more, or does not return. A module that
// imports from Module before it is rewritten is refused.
const (
	Module = "wnode:meter"
	Yield  = "yield"
)

// Export names the global that rewritten modules export, an i64: the counter,
// zero at first. The module itself cannot name it, nor export anything else so.
const Export = "wnode:meter"

// Counter is what a rewritten module counts in: two numbers below each other in
// one, so that one instruction changes both. The lower half is how much it may
// run until it asks the host, the upper half is how many words of stack it may
// still take. Both are given by the host.
type Counter uint64

// signs are the bits that are set when one of the halves is below zero. What
// the lower half borrows from the upper one can make that look below zero too:
// only the host looks closer.
const signs = -1<<63 | 1<<31

// Left returns how much may still run.
func (c Counter) Left() int32 { return int32(c) }

// Depth returns how many words of stack may still be taken.
func (c Counter) Depth() int32 { return int32((int64(c) - int64(int32(c))) >> 32) }

// Add returns a counter with more of both.
func (c Counter) Add(left, depth int32) Counter {
	return c + Counter(int64(left)+int64(depth)<<32)
}

// Info is what the pass finds out about a module.
type Info struct {
	// Stack is how many words of stack the module may take besides those that
	// it counts: the longest chain of calls without a recursion.
	Stack     int
	Functions []Function // with code, in their order
}

// Function is what a function with code is like: what the cost of compiling it
// depends on.
type Function struct {
	Index      uint32 // among all functions of the module, the imported ones first
	Offset     int    // of its body in the file
	Size       int    // bytes
	Locals     int    // with the parameters; a vector counts twice
	Blocks     int
	Operations int
	Operands   int // most on the stack at once, about
}

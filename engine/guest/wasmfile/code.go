package wasmfile

import "github.com/wnode-project/wnode/engine/guest/wasmcode"

// Body is what the code of a function looks like to a compiler.
type Body struct {
	Index  int // among all functions, the imported ones first
	Offset int // of its size in the file
	Size   int // bytes, with its locals

	Locals    int // with the parameters
	LocalOps  int // reads and writes of locals
	Ops       int // instructions
	Blocks    int // block, loop, if and else
	Depth     int // blocks within each other, at most
	Loops     int // of the blocks
	LoopDepth int // loops within each other, at most
	Branches  int // br, br_if, and each target of a br_table
	Effects   int // calls, stores and other writes
	Values    int // parameters and results of all blocks and calls
	Operands  int // on the stack, at most; about
	Under     int // operands on the stack, or taken from it, where a block begins, at most
}

// Bodies reads the code of a module and calls f for each function, until it
// returns an error, which Bodies then returns. It takes about 3 ns a byte,
// allocates next to nothing, and does not validate: it only knows where each
// instruction ends. An instruction that is not of WebAssembly 2.0 is an
// [*Error]; package wasmcode says what else is.
func (m *Module) Bodies(b []byte, f func(Body) error) error {
	if m.code == 0 {
		return nil
	}
	r := reader{b: b, pos: m.code, end: len(b), section: "code"}
	n := r.count(1, "functions")
	first := len(m.funcs) - n
	code := bodyReader{m: m, r: wasmcode.Reader{B: b, Section: "code"}}
	for i := range n {
		body := Body{Index: first + i, Offset: r.pos}
		size := r.u32("the size of a function")
		if !r.failed() && uint64(size) > uint64(r.left()) {
			r.truncated(body.Offset, "a function")
		}
		if r.failed() {
			return r.err
		}
		body.Size = int(size)
		code.r.Pos, code.r.End = r.pos, r.pos+int(size)
		r.pos += int(size)
		if code.read(&body); code.r.Err != nil {
			return code.r.Err
		}
		if err := f(body); err != nil {
			return err
		}
	}
	return nil
}

// bodyReader reads the code of one function after the other.
type bodyReader struct {
	m      *Module
	r      wasmcode.Reader
	labels []label
	loops  int // of the labels
	height int // of the operand stack; taken for larger than it is, never for smaller
	floor  int // below which the innermost label does not let it go
}

// label is a block that is open.
type label struct {
	height          int // below its parameters
	params, results int
	loop            bool
}

// maxBodyLocals is where counting stops: the sum cannot overflow.
const maxBodyLocals = 1 << 30

// read reads the locals and instructions of one function.
func (c *bodyReader) read(f *Body) {
	r := &c.r
	c.labels, c.height, c.floor, c.loops = c.labels[:0], 0, 0, 0
	f.Locals = len(c.m.types[c.m.funcs[f.Index]].Params)
	for range r.Count() {
		n := r.U32()
		r.ValueType()
		f.Locals = min(f.Locals+int(n), maxBodyLocals)
	}
	for r.More() {
		if r.Next(); r.Err != nil {
			return
		}
		f.Ops++
		op := r.Op
		c.height += wasmcode.Effect(op)
		switch op {
		case wasmcode.LocalGet, wasmcode.LocalSet, wasmcode.LocalTee:
			f.LocalOps++
		case wasmcode.Block, wasmcode.Loop, wasmcode.If:
			c.open(f, op == wasmcode.Loop)
		case wasmcode.Else:
			f.Blocks++
			c.height = c.top().height + c.top().params
		case wasmcode.End:
			c.close()
		case wasmcode.Br, wasmcode.BrIf:
			f.Branches++
		case wasmcode.BrTable:
			f.Branches += len(r.Labels)
		case wasmcode.Call:
			if uint64(r.X) < uint64(len(c.m.funcs)) {
				c.call(f, c.m.types[c.m.funcs[r.X]])
			}
		case wasmcode.CallIndirect:
			c.height-- // the index
			if uint64(r.X) < uint64(len(c.m.types)) {
				c.call(f, c.m.types[r.X])
			}
		default:
			if wasmcode.Writes(op) {
				f.Effects++
			}
		}
		c.height = max(c.height, c.floor)
		f.Operands = max(f.Operands, c.height)
	}
}

func (c *bodyReader) top() label {
	if len(c.labels) == 0 {
		return label{}
	}
	return c.labels[len(c.labels)-1]
}

func (c *bodyReader) open(f *Body, loop bool) {
	f.Blocks++
	params, results := c.blockType()
	f.Values += params + results
	f.Under = max(f.Under, c.height)
	c.labels = append(c.labels, label{max(c.height-params, c.floor), params, results, loop})
	c.floor = c.top().height
	f.Depth = max(f.Depth, len(c.labels))
	if loop {
		f.Loops++
		c.loops++
		f.LoopDepth = max(f.LoopDepth, c.loops)
	}
}

func (c *bodyReader) close() {
	if len(c.labels) == 0 {
		return
	}
	l := c.top()
	c.labels = c.labels[:len(c.labels)-1]
	c.height, c.floor = l.height+l.results, c.top().height
	if l.loop {
		c.loops--
	}
}

func (c *bodyReader) call(f *Body, t FuncType) {
	f.Effects++
	f.Values += len(t.Params) + len(t.Results)
	c.height = max(c.height-len(t.Params), c.floor) + len(t.Results)
}

// blockType returns how many values go in and out of the block read last.
func (c *bodyReader) blockType() (params, results int) {
	switch x := c.r.X; {
	case x == wasmcode.VoidBlock:
		return 0, 0
	case x < 0:
		return 0, 1
	case x < int64(len(c.m.types)):
		return len(c.m.types[x].Params), len(c.m.types[x].Results)
	}
	return 0, 0
}

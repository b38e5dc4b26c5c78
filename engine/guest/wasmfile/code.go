package wasmfile

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
// instruction ends. An instruction that is not of WebAssembly 2.0, or of the
// proposals that [Parse] names, is an [*Error].
func (m *Module) Bodies(b []byte, f func(Body) error) error {
	if m.code == 0 {
		return nil
	}
	p := parser{reader: reader{b: b, pos: m.code, end: len(b), section: "code"}, m: m}
	n := p.count(1, "functions")
	first := len(m.funcs) - n
	code := parser{reader: reader{b: b, section: "code"}, m: m}
	for i := range n {
		body := Body{Index: first + i, Offset: p.pos}
		size := p.u32("the size of a function")
		if !p.failed() && uint64(size) > uint64(p.left()) {
			p.truncated(body.Offset, "a function")
		}
		if p.failed() {
			return p.err
		}
		body.Size = int(size)
		code.pos, code.end = p.pos, p.pos+int(size)
		code.labels, code.height, code.floor, code.loops = code.labels[:0], 0, 0, 0
		p.pos += int(size)
		code.body(&body)
		if code.failed() {
			return code.err
		}
		if err := f(body); err != nil {
			return err
		}
	}
	return nil
}

// maxBodyLocals is where counting stops: the sum cannot overflow.
const maxBodyLocals = 1 << 30

// body reads the locals and instructions of one function, up to p.end.
func (p *parser) body(f *Body) {
	f.Locals = len(p.m.types[p.m.funcs[f.Index]].Params)
	groups := p.count(2, "groups of locals")
	for range groups {
		n := p.u32("the number of locals")
		p.valueType("a local")
		f.Locals = min(f.Locals+int(n), maxBodyLocals)
	}
	for p.pos < p.end && !p.failed() {
		at := p.pos
		op := p.b[at]
		p.pos++
		f.Ops++
		p.height += int(effects[op])
		switch {
		case op == 0x02 || op == 0x03 || op == 0x04:
			p.open(f, op == 0x03)
		case op == 0x05:
			f.Blocks++
			p.height = p.top().height + p.top().params
		case op == 0x0b:
			p.close()
		case op == 0x0c || op == 0x0d:
			f.Branches++
			p.leb(5)
		case op == 0x0e:
			n := p.count(1, "targets")
			f.Branches += n + 1
			for range n + 1 {
				p.leb(5)
			}
		case op == 0x10 || op == 0x12:
			if i := p.u32("a function"); uint64(i) < uint64(len(p.m.funcs)) {
				p.call(f, p.m.types[p.m.funcs[i]])
			}
		case op == 0x11 || op == 0x13:
			if i := p.u32("a type"); uint64(i) < uint64(len(p.m.types)) {
				p.call(f, p.m.types[i])
			}
			p.leb(5)
		case op >= 0x20 && op <= 0x22:
			f.LocalOps++
			p.leb(5)
		case op >= 0x23 && op <= 0x26 || op == 0xd2:
			if op == 0x24 || op == 0x26 {
				f.Effects++
			}
			p.leb(5)
		case op >= 0x28 && op <= 0x3e:
			if op >= 0x36 {
				f.Effects++
			}
			p.leb(5)
			p.leb(10)
		case op == 0x3f || op == 0x40 || op == 0xd0 || op == 0x41:
			p.leb(5)
		case op == 0x42:
			p.leb(10)
		case op == 0x43:
			p.bytes(4, "an instruction")
		case op == 0x44:
			p.bytes(8, "an instruction")
		case op == 0x1c:
			n := p.count(1, "types")
			for range n {
				p.valueType("select")
			}
		case op <= 0x01 || op == 0x0f || op == 0x1a || op == 0x1b || op >= 0x45 && op <= 0xc4 || op == 0xd1:
		case op == 0xfc:
			f.Effects++
			p.misc(at)
		case op == 0xfd:
			p.simd(at, f)
		default:
			p.unknown(at, "0x%02x", op)
		}
		p.height = max(p.height, p.floor)
		f.Operands = max(f.Operands, p.height)
	}
}

// effects is by how much an instruction changes the height of the operand stack
// at least, where that does not depend on types: the height may be taken for
// larger than it is, never for smaller.
var effects = func() (t [256]int8) {
	set := func(by int8, ranges ...int) {
		for i := 0; i < len(ranges); i += 2 {
			for op := ranges[i]; op <= ranges[i+1]; op++ {
				t[op] = by
			}
		}
	}
	set(-2, 0x36, 0x3e, 0x1b, 0x1c, 0x26, 0x26)
	set(-1, 0x46, 0x4f, 0x51, 0x5a, 0x5b, 0x66, 0x6a, 0x78, 0x7c, 0x8a, 0x92, 0x98, 0xa0, 0xa6,
		0x0d, 0x0e, 0x1a, 0x1a, 0x21, 0x21, 0x24, 0x24, 0x04, 0x04, 0x11, 0x11, 0x13, 0x13)
	set(1, 0x20, 0x20, 0x23, 0x23, 0x3f, 0x3f, 0x41, 0x44, 0xd0, 0xd0, 0xd2, 0xd2)
	return t
}()

// label is a block that is open.
type label struct {
	height          int // below its parameters
	params, results int
	loop            bool
}

func (p *parser) top() label {
	if len(p.labels) == 0 {
		return label{}
	}
	return p.labels[len(p.labels)-1]
}

func (p *parser) open(f *Body, loop bool) {
	f.Blocks++
	params, results := p.blockType()
	f.Values += params + results
	f.Under = max(f.Under, p.height)
	p.labels = append(p.labels, label{max(p.height-params, p.floor), params, results, loop})
	p.floor = p.top().height
	f.Depth = max(f.Depth, len(p.labels))
	if loop {
		f.Loops++
		p.loops++
		f.LoopDepth = max(f.LoopDepth, p.loops)
	}
}

func (p *parser) close() {
	if len(p.labels) == 0 {
		return
	}
	l := p.top()
	p.labels = p.labels[:len(p.labels)-1]
	p.height, p.floor = l.height+l.results, p.top().height
	if l.loop {
		p.loops--
	}
}

func (p *parser) call(f *Body, t FuncType) {
	f.Effects++
	f.Values += len(t.Params) + len(t.Results)
	p.height = max(p.height-len(t.Params), p.floor) + len(t.Results)
}

const opRemedy = "build for WebAssembly 2.0, without threads, exceptions, garbage collection or other proposals"

func (p *parser) unknown(at int, format string, op any) {
	p.fail(at, opRemedy, "uses the instruction "+format+", which is not supported", op)
}

// leb passes over a number of at most the given bytes.
func (p *parser) leb(most int) {
	if p.pos < p.end && p.b[p.pos] < 0x80 { // nearly all
		p.pos++
		return
	}
	for range most {
		if p.byte("an instruction") < 0x80 {
			return
		}
	}
	p.fail(p.pos, "", "malformed: a number has too many bytes")
}

// blockType returns how many values go in and out of a block.
func (p *parser) blockType() (params, results int) {
	if p.pos >= p.end {
		p.truncated(p.pos, "a block")
		return 0, 0
	}
	if c := p.b[p.pos]; c >= 0x40 && c < 0x80 {
		p.pos++
		if c == 0x40 {
			return 0, 0
		}
		return 0, 1
	}
	i := p.u32("the type of a block")
	if uint64(i) >= uint64(len(p.m.types)) {
		return 0, 0
	}
	return len(p.m.types[i].Params), len(p.m.types[i].Results)
}

func (p *parser) misc(at int) {
	switch op := p.u32("an instruction"); {
	case op <= 7:
	case op == 8 || op == 10 || op == 12 || op == 14:
		p.leb(5)
		p.leb(5)
	case op <= 17:
		p.leb(5)
	default:
		p.unknown(at, "0xfc 0x%02x", op)
	}
}

func (p *parser) simd(at int, f *Body) {
	memarg := func() {
		p.leb(5)
		p.leb(10)
	}
	switch op := p.u32("an instruction"); {
	case op <= 11 || op == 92 || op == 93:
		if op == 11 {
			f.Effects++
			p.height -= 2
		}
		memarg()
	case op == 12:
		p.height++
		p.bytes(16, "an instruction")
	case op == 13:
		p.height--
		p.bytes(16, "an instruction")
	case op >= 21 && op <= 34:
		p.byte("an instruction")
	case op >= 84 && op <= 91:
		f.Effects++
		p.height--
		memarg()
		p.byte("an instruction")
	case op <= 255:
	default:
		p.unknown(at, "0xfd 0x%02x", op)
	}
}

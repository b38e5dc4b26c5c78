package meter

import (
	"encoding/binary"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// The types that the rewritten module has besides its own.
const (
	typeYield    = iota // (i64) -> i64
	typeVoid            // () -> ()
	typeBulk            // (i32, i32, i32) -> ()
	typeFillFunc        // (i32, funcref, i32) -> ()
	typeFillExtern
	typeGrowFunc // (funcref, i32) -> i32
	typeGrowExtern
	helperTypeCount
)

var helperTypeCodes = [helperTypeCount]string{
	typeYield:      "\x60\x01\x7e\x01\x7e",
	typeVoid:       "\x60\x00\x00",
	typeBulk:       "\x60\x03\x7f\x7f\x7f\x00",
	typeFillFunc:   "\x60\x03\x7f\x70\x7f\x00",
	typeFillExtern: "\x60\x03\x7f\x6f\x7f\x00",
	typeGrowFunc:   "\x60\x02\x70\x7f\x01\x7f",
	typeGrowExtern: "\x60\x02\x6f\x7f\x01\x7f",
}

// helper is a function that the pass adds. The first is slow, which every
// charge calls that went below zero.
type helper struct {
	name string
	typ  int
	body []byte
}

type helperKey struct {
	op   int
	x, y int64
}

type helpers struct {
	m     *module
	all   []helper
	byKey map[helperKey]uint32
}

func (h *helpers) init(m *module) {
	h.m = m
	h.byKey = map[helperKey]uint32{}
	var a asm
	a.ops(wasmcode.GlobalGet).u(m.globals).ops(wasmcode.Call).u(int(m.imported)).ops(wasmcode.GlobalSet).u(m.globals)
	h.add("reductions", typeVoid, a.body(0))
}

// typ returns the number of one of the types in the rewritten module.
func (h *helpers) typ(i int) int { return len(h.m.types) + i }

func (h *helpers) types() (n int, b []byte) {
	for _, t := range helperTypeCodes {
		b = append(b, t...)
	}
	return helperTypeCount, b
}

func (h *helpers) add(name string, typ int, body []byte) uint32 {
	h.all = append(h.all, helper{name: name, typ: typ, body: body})
	return uint32(len(h.m.funcs) + len(h.all)) // behind the import that is added
}

// slow is the number of the helper that calls the host.
func (h *helpers) slow() int { return len(h.m.funcs) + 1 }

// bulk returns the number of the function that does the operation on memory or
// table and counts it in proportion.
func (h *helpers) bulk(op int, x, y int64) uint32 {
	key := helperKey{op: op, x: x, y: y}
	if i, ok := h.byKey[key]; ok {
		return i
	}
	var i uint32
	switch op {
	case wasmcode.MemoryFill:
		i = h.add("memory.fill", typeBulk, h.memory(op, x, y, 0))
	case wasmcode.MemoryCopy:
		i = h.add("memory.copy", typeBulk, h.memory(op, x, y, 0))
	case wasmcode.MemoryInit:
		n := 0
		if x < int64(len(h.m.segments)) {
			n = h.m.segments[x]
		}
		i = h.add("memory.init", typeBulk, h.memory(op, x, y, n))
	case wasmcode.TableInit:
		i = h.add("table.init", typeBulk, h.table(op, 2, x, y))
	case wasmcode.TableCopy:
		i = h.add("table.copy", typeBulk, h.table(op, 2, x, y))
	case wasmcode.TableFill:
		i = h.add("table.fill", typeFillFunc+h.externTable(x), h.table(op, 2, x))
	case wasmcode.TableGrow:
		i = h.add("table.grow", typeGrowFunc+h.externTable(x), h.table(op, 1, x))
	}
	h.byKey[key] = i
	return i
}

// externTable is 1 for a table of external references.
func (h *helpers) externTable(x int64) int {
	if x < int64(len(h.m.tables)) && h.m.tables[x].elements == wasmcode.ExternRef {
		return 1
	}
	return 0
}

// table does an operation whose number of elements is parameter n. Tables have
// a million elements at most, which take some milliseconds in Go code, so that
// the operation need not be cut.
func (h *helpers) table(op, n int, imm ...int64) []byte {
	var a asm
	if op == wasmcode.TableGrow && imm[0] < int64(len(h.m.tables)) {
		if most := h.m.tables[imm[0]].most; most >= 0 {
			// wazero allocates for each call, also for one that fails.
			a.op(wasmcode.TableSize, imm[0]).ops(wasmcode.I64ExtendU).get(n).ops(wasmcode.I64ExtendU, wasmcode.I64Add).i64(most)
			a.ops(wasmcode.I64GtU, wasmcode.If, wasmcode.Void, wasmcode.I32Const, 0x7f, wasmcode.Return, wasmcode.End)
		}
	}
	// More than there can be fails anyway.
	const most = 1 << 20
	a.i32(most).get(n).get(n).i32(most).ops(wasmcode.I32GtU, wasmcode.Select)
	h.charge(&a)
	for p := range 3 {
		if p < 2 || n == 2 {
			a.get(p)
		}
	}
	a.op(op, imm...)
	return a.body(0)
}

// charge counts the i32 on the stack.
func (h *helpers) charge(a *asm) {
	g := h.m.globals
	a.ops(wasmcode.I64ExtendU, wasmcode.I64Const, 0x7f, wasmcode.I64Mul) // times -1
	a.ops(wasmcode.GlobalGet).u(g).ops(wasmcode.I64Add, wasmcode.GlobalSet).u(g)
	a.ops(wasmcode.GlobalGet).u(g).ops(wasmcode.I32WrapI64, wasmcode.I32Const, 0, wasmcode.I32GeS)
	a.ops(wasmcode.If, wasmcode.Void, wasmcode.Else, wasmcode.Call).u(h.slow()).ops(wasmcode.End)
}

// memory does an operation on memory with parameters to, from or value, and n.
// Long ones are cut into pieces of maxBulk bytes, each counted before it
// is done. What does not fit traps before anything is written, as it must: the
// whole operation is then tried as it is. For memory.init size is the length of
// the segment, if it was not dropped; if it was, the first piece traps.
func (h *helpers) memory(op int, x, y int64, size int) []byte {
	const to, from, n, piece = 0, 1, 2, 3
	var a asm
	do := func(length int) {
		a.get(to).get(from).get(length).op(op, x, y)
	}
	fits := func(at int, pages bool) { // traps by the operation itself, if not
		a.get(at).ops(wasmcode.I64ExtendU).get(n).ops(wasmcode.I64ExtendU, wasmcode.I64Add)
		if pages {
			a.ops(wasmcode.MemorySize, 0, wasmcode.I64ExtendU, wasmcode.I64Const, 16, wasmcode.I64Shl)
		} else {
			a.i64(int64(size))
		}
		a.ops(wasmcode.I64GtU, wasmcode.If, wasmcode.Void)
		do(n)
		a.ops(wasmcode.End)
	}
	count := func(length int) {
		a.get(length).i32(bulkShift).ops(wasmcode.I32ShrU)
		h.charge(&a)
	}

	a.ops(wasmcode.Block, wasmcode.Void)
	a.get(n).i32(maxBulk).ops(wasmcode.I32GtU, wasmcode.BrIf, 0)
	count(n)
	do(n)
	a.ops(wasmcode.Return, wasmcode.End)

	fits(to, true)
	switch op {
	case wasmcode.MemoryCopy:
		fits(from, true)
	case wasmcode.MemoryInit:
		fits(from, false)
	}
	next := func() { // piece = min(n, maxBulk), counted
		a.i32(maxBulk).get(n).get(n).i32(maxBulk).ops(wasmcode.I32GtU, wasmcode.Select).ops(wasmcode.LocalTee, piece)
		a.i32(bulkShift).ops(wasmcode.I32ShrU)
		h.charge(&a)
	}
	again := func() { a.get(n).ops(wasmcode.BrIf, 0, wasmcode.End) }
	forward := func() {
		a.ops(wasmcode.Loop, wasmcode.Void)
		next()
		do(piece)
		a.get(to).get(piece).ops(wasmcode.I32Add, wasmcode.LocalSet, to)
		if op != wasmcode.MemoryFill {
			a.get(from).get(piece).ops(wasmcode.I32Add, wasmcode.LocalSet, from)
		}
		a.get(n).get(piece).ops(wasmcode.I32Sub, wasmcode.LocalSet, n)
		again()
	}
	if op != wasmcode.MemoryCopy {
		forward()
		return a.body(1)
	}
	// Ranges may overlap: begin where the source is not yet written over.
	a.get(to).get(from).ops(wasmcode.I32LeU, wasmcode.If, wasmcode.Void)
	forward()
	a.ops(wasmcode.Else)
	a.ops(wasmcode.Loop, wasmcode.Void)
	next()
	a.get(n).get(piece).ops(wasmcode.I32Sub, wasmcode.LocalSet, n)
	a.get(to).get(n).ops(wasmcode.I32Add).get(from).get(n).ops(wasmcode.I32Add).get(piece).op(op, x, y)
	again()
	a.ops(wasmcode.End)
	return a.body(1)
}

// asm writes instructions.
type asm struct{ b []byte }

func (a *asm) ops(ops ...byte) *asm {
	a.b = append(a.b, ops...)
	return a
}

// op writes an opcode with its indices.
func (a *asm) op(op int, imm ...int64) *asm {
	if op > 0xff {
		a.b = append(a.b, byte(op>>8))
		op &= 0xff
	}
	a.u(op)
	switch op {
	case wasmcode.MemoryFill & 0xff, wasmcode.TableFill & 0xff, wasmcode.TableGrow & 0xff:
		imm = imm[:1]
	}
	for _, i := range imm {
		a.u(int(i))
	}
	return a
}

func (a *asm) u(v int) *asm {
	a.b = binary.AppendUvarint(a.b, uint64(v))
	return a
}

func (a *asm) get(local int) *asm { return a.ops(wasmcode.LocalGet, byte(local)) }

func (a *asm) i32(v int32) *asm {
	a.b = appendSigned(append(a.b, wasmcode.I32Const), int64(v))
	return a
}

func (a *asm) i64(v int64) *asm {
	a.b = appendSigned(append(a.b, wasmcode.I64Const), v)
	return a
}

// body returns the code as that of a function with some locals of type i32.
func (a *asm) body(locals int) []byte {
	head := []byte{0}
	if locals > 0 {
		head = []byte{1, byte(locals), wasmcode.I32}
	}
	return append(append(head, a.b...), wasmcode.End)
}

// appendSigned appends a signed LEB128 number.
func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

package guest

import (
	"bytes"
	"encoding/binary"
)

// This file generates modules that are hard on a compiler.

// opcodes of the generated code.
const (
	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opIf          = 0x04
	opElse        = 0x05
	opEnd         = 0x0b
	opBrIf        = 0x0d
	opBrTable     = 0x0e
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opGlobalGet   = 0x23
	opGlobalSet   = 0x24
	opI32Load     = 0x28
	opI32Store    = 0x36
	opI32Const    = 0x41
	opI32Add      = 0x6a

	typeVoid = 0x40
	typeI32  = 0x7f
	typeI64  = 0x7e
)

func uleb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// sleb is for numbers that are not negative.

func code(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(b, p...)
		case string:
			b = append(b, uleb(len(p))...)
			b = append(b, p...)
		}
	}
	return b
}

// bomb is a module under construction. Its first function is exported as
// _start; it has one page of memory.
type bomb struct {
	types   [][]byte // without the leading 0x60
	funcs   [][]byte // bodies, with locals and end
	typeOf  []int
	globals int
	exports []string // further ones of the first function
	extra   []byte   // sections after code
}

func void() []byte { return []byte{0, 0} }

// function adds one of type 0 with the i32 locals and the code.
func (b *bomb) function(locals int, body ...any) *bomb {
	head := uleb(0)
	if locals > 0 {
		head = code(1, uleb(locals), typeI32)
	}
	b.funcs = append(b.funcs, code(head, code(body...), opEnd))
	return b
}

func (b *bomb) module() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id int, body []byte) { out = append(out, code(id, uleb(len(body)), body)...) }
	vector := func(items [][]byte) []byte { return code(uleb(len(items)), bytes.Join(items, nil)) }
	types := b.types
	if types == nil {
		types = [][]byte{void()}
	}
	var all, of, globals, exports, bodies [][]byte
	for _, t := range types {
		all = append(all, code(0x60, t))
	}
	for i := range b.funcs {
		t := 0
		if i < len(b.typeOf) {
			t = b.typeOf[i]
		}
		of = append(of, uleb(t))
		bodies = append(bodies, code(uleb(len(b.funcs[i])), b.funcs[i]))
	}
	for range b.globals {
		globals = append(globals, code(typeI32, 1, opI32Const, 0, opEnd))
	}
	for _, e := range append([]string{"_start"}, b.exports...) {
		exports = append(exports, code(e, 0, 0))
	}
	section(1, vector(all))
	section(3, vector(of))
	section(5, []byte{1, 0, 1})
	if globals != nil {
		section(6, vector(globals))
	}
	section(7, vector(exports))
	section(10, vector(bodies))
	return append(out, b.extra...)
}

func repeat(n int, parts ...any) []byte { return bytes.Repeat(code(parts...), n) }

// each calls f for 0 to n-1 and joins what it returns.
func each(n int, f func(i int) []byte) []byte {
	var b []byte
	for i := range n {
		b = append(b, f(i)...)
	}
	return b
}

// blocksLocals has blocks one after the other, each a loop that may be left,
// with all locals set once in between.
func blocksLocals(blocks, locals int) []byte {
	return new(bomb).function(locals, each(blocks, func(i int) []byte {
		l := uleb(i % max(locals, 1))
		return code(opLoop, typeVoid, opLocalGet, l, opI32Const, 1, opI32Add, opLocalSet, l, opLocalGet, l, opBrIf, 0, opEnd)
	})).module()
}

// nestedLocals has blocks within each other.
func nestedLocals(opener, blocks, locals int) []byte {
	return new(bomb).function(locals, each(blocks, func(i int) []byte {
		l := uleb(i % max(locals, 1))
		open := code(opener, typeVoid)
		if opener == opIf {
			open = code(opLocalGet, l, opIf, typeVoid)
		}
		return code(open, opLocalGet, l, opI32Const, 1, opI32Add, opLocalSet, l)
	}), each(blocks, func(i int) []byte {
		return code(opLocalGet, uleb((i*7)%max(locals, 1)), opBrIf, 0, opEnd)
	})).module()
}

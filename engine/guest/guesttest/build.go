package guesttest

import (
	"encoding/binary"
	"slices"
)

// Value types.
const (
	I32     = 0x7f
	I64     = 0x7e
	F64     = 0x7c
	FuncRef = 0x70
)

// Module is a module to be made. Functions are numbered imports first.
type Module struct {
	Imports     []Import
	Funcs       []Func
	Memory      uint32 // pages
	MaxPages    uint32 // 0: as many as there can be
	NoMemory    bool
	Table       uint32   // elements of a table of functions
	Elements    []uint32 // functions at its begin
	Passive     []uint32 // a passive element segment
	Data        []byte   // at the begin of memory
	PassiveData []byte   // a passive data segment, number 1 if there is Data, else 0
	Globals     []int64  // mutable, of type i64
	Start       int      // function; 0 none
}

// Import is an imported function.
type Import struct {
	Module, Name    string
	Params, Results []byte
}

// Func is a function with code.
type Func struct {
	Export          string
	Params, Results []byte
	Locals          []byte
	Code            []byte // without the last end
}

// Bytes returns the module in its binary format.
func (m Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, count int, body []byte) {
		if count == 0 {
			return
		}
		if id != 8 && id != 12 {
			body = append(binary.AppendUvarint(nil, uint64(count)), body...)
		}
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	var types, imports, funcs, exports, code []byte
	typ := func(params, results []byte) {
		types = append(types, 0x60)
		types = append(binary.AppendUvarint(types, uint64(len(params))), params...)
		types = append(binary.AppendUvarint(types, uint64(len(results))), results...)
	}
	n := 0
	for _, im := range m.Imports {
		typ(im.Params, im.Results)
		imports = append(text(text(imports, im.Module), im.Name), 0)
		imports = binary.AppendUvarint(imports, uint64(n))
		n++
	}
	exported := 0
	for _, f := range m.Funcs {
		typ(f.Params, f.Results)
		funcs = binary.AppendUvarint(funcs, uint64(n))
		if f.Export != "" {
			exports = binary.AppendUvarint(append(text(exports, f.Export), 0), uint64(n))
			exported++
		}
		var body []byte
		body = binary.AppendUvarint(body, uint64(len(f.Locals)))
		for _, t := range f.Locals {
			body = append(body, 1, t)
		}
		body = append(append(body, f.Code...), 0x0b)
		code = append(binary.AppendUvarint(code, uint64(len(body))), body...)
		n++
	}
	section(1, n, types)
	section(2, len(m.Imports), imports)
	section(3, len(m.Funcs), funcs)
	if m.Table > 0 {
		section(4, 1, binary.AppendUvarint([]byte{FuncRef, 0}, uint64(m.Table)))
	}
	if !m.NoMemory {
		b := []byte{0}
		if m.MaxPages > 0 {
			b[0] = 1
		}
		b = binary.AppendUvarint(b, uint64(m.Memory))
		if m.MaxPages > 0 {
			b = binary.AppendUvarint(b, uint64(m.MaxPages))
		}
		section(5, 1, b)
		exports = append(text(exports, "memory"), 2, 0)
		exported++
	}
	var globals []byte
	for _, v := range m.Globals {
		globals = append(I64Const(v, append(globals, I64, 1)), 0x0b)
	}
	section(6, len(m.Globals), globals)
	section(7, exported, exports)
	if m.Start > 0 {
		section(8, 1, binary.AppendUvarint(nil, uint64(m.Start)))
	}
	var elements []byte
	segments := 0
	if m.Elements != nil {
		elements = append(elements, 0, 0x41, 0, 0x0b)
		elements = indices(elements, m.Elements)
		segments++
	}
	if m.Passive != nil {
		elements = indices(append(elements, 1, 0), m.Passive)
		segments++
	}
	section(9, segments, elements)
	var data []byte
	segments = 0
	if m.Data != nil {
		data = append(data, 0, 0x41, 0, 0x0b)
		data = append(binary.AppendUvarint(data, uint64(len(m.Data))), m.Data...)
		segments++
	}
	if m.PassiveData != nil {
		data = append(binary.AppendUvarint(append(data, 1), uint64(len(m.PassiveData))), m.PassiveData...)
		segments++
	}
	section(12, segments, binary.AppendUvarint(nil, uint64(segments)))
	section(10, len(m.Funcs), code)
	section(11, segments, data)
	return out
}

func text(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func indices(b []byte, list []uint32) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, i := range list {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return b
}

// Code joins opcodes (int: one byte) and pieces of code ([]byte).
func Code(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		default:
			panic("guesttest: neither int nor []byte")
		}
	}
	return out
}

// I32Const pushes a number.
func I32Const(v int32) []byte { return signed([]byte{0x41}, int64(v)) }

// I64Const appends what pushes a number.
func I64Const(v int64, b []byte) []byte { return signed(append(b, 0x42), v) }

func signed(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Repeat returns code n times.
func Repeat(n int, code []byte) []byte { return slices.Repeat(code, n) }

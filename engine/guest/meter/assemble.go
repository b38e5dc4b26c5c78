package meter

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// Rewrite returns the module with the counting in it, and what was found out
// about it. b is not changed. The error is a *wasmcode.Error.
func Rewrite(b []byte) ([]byte, *Info, error) {
	m := &module{b: b, d: wasmcode.Reader{B: b}, refPlace: map[uint32]int{}}
	m.split()
	if m.d.Err == nil {
		m.read()
	}
	if m.d.Err != nil {
		return nil, nil, m.d.Err
	}
	info := &Info{}
	for _, f := range m.code {
		info.Functions = append(info.Functions, Function{
			Index: f.index, Offset: f.begin, Size: f.end - f.begin,
			Locals: f.locals, Blocks: f.blocks, Operations: f.ops, Operands: f.height,
		})
	}
	m.helpers.init(m)
	m.bodies = make([]byte, 0, len(m.b)*9/8+1024)
	for _, f := range m.order() {
		if m.emit(f); m.d.Err != nil {
			return nil, nil, m.d.Err
		}
		info.Stack = max(info.Stack, f.need)
	}
	out := m.assemble()
	if m.d.Err != nil {
		return nil, nil, m.d.Err
	}
	return out, info, nil
}

// assemble writes the module out of its rewritten sections.
func (m *module) assemble() []byte {
	out := make([]byte, 0, len(m.b)*9/8+64<<10)
	out = append(out, m.b[:8]...)
	for _, id := range sectionOrder {
		if id == secCode {
			out = m.appendCode(out)
			continue
		}
		body, ok := m.rewritten(id)
		if !ok {
			continue
		}
		out = append(out, byte(id))
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	names := m.rewrittenNames()
	out = append(out, secCustom)
	out = binary.AppendUvarint(out, uint64(len(names)))
	return append(out, names...)
}

// rewritten returns the content of a section; false is none.
func (m *module) rewritten(id int) ([]byte, bool) {
	d := &m.d
	there := m.section(id)
	rest := func(more int, b []byte) []byte {
		n := 0
		if there {
			n = d.Count()
		}
		out := binary.AppendUvarint(nil, uint64(n+more))
		if there {
			out = append(out, m.b[d.Pos:d.End]...)
		}
		return append(out, b...)
	}
	switch id {
	case secType:
		return rest(m.helpers.types()), true
	case secImport:
		b := appendName(appendName(nil, Module), Yield)
		b = append(b, kindFunc)
		return rest(1, binary.AppendUvarint(b, uint64(m.helpers.typ(typeYield)))), true
	case secFunction:
		var b []byte
		for _, h := range m.helpers.all {
			b = binary.AppendUvarint(b, uint64(m.helpers.typ(h.typ)))
		}
		return rest(len(m.helpers.all), b), true
	case secGlobal:
		var b []byte
		n := 0
		if there {
			n = d.Count()
			for range n {
				b = append(b, m.b[d.Pos:d.Pos+2]...)
				d.Skip(2)
				b = m.constant(b)
			}
		}
		b = append(b, wasmcode.I64, 1, wasmcode.I64Const, 0, wasmcode.End)
		for _, f := range m.refs {
			b = binary.AppendUvarint(append(b, wasmcode.FuncRef, 0, wasmcode.RefFunc), uint64(m.shift(f)))
			b = append(b, wasmcode.End)
		}
		return append(binary.AppendUvarint(nil, uint64(n+1+len(m.refs))), b...), true
	case secExport:
		return m.rewrittenExports(there), true
	case secStart:
		if !there {
			return nil, false
		}
		return binary.AppendUvarint(nil, uint64(m.functionIndex())), true
	case secElement:
		if !there {
			return nil, false
		}
		return m.elements(nil), true
	}
	s := m.sections[id]
	return m.b[s.begin:s.end], there
}

// appendCode appends the code section.
func (m *module) appendCode(out []byte) []byte {
	bodies := make([][]byte, 0, len(m.code)+len(m.helpers.all))
	for _, f := range m.code {
		bodies = append(bodies, m.bodies[f.body.begin:f.body.end])
	}
	for _, h := range m.helpers.all {
		bodies = append(bodies, h.body)
	}
	size := uvarintLen(len(bodies))
	for _, b := range bodies {
		size += uvarintLen(len(b)) + len(b)
	}
	out = binary.AppendUvarint(append(out, secCode), uint64(size))
	out = binary.AppendUvarint(out, uint64(len(bodies)))
	for _, b := range bodies {
		out = binary.AppendUvarint(out, uint64(len(b)))
		out = append(out, b...)
	}
	return out
}

func uvarintLen(n int) int { return max(1, (bits.Len(uint(n))+6)/7) }

func (m *module) rewrittenExports(there bool) []byte {
	d := &m.d
	n := 0
	var out []byte
	if there {
		n = d.Count()
		for range n {
			at := d.Pos
			name := string(d.Bytes())
			if name == Export {
				d.Fail(at, "the export name %q is reserved", Export)
			}
			kind := d.Byte()
			out = append(appendName(out, name), kind)
			switch i := d.U32(); kind {
			case kindFunc:
				if int(i) >= len(m.funcs) {
					d.Fail(at, "malformed: exports function %d of %d", i, len(m.funcs))
				}
				out = binary.AppendUvarint(out, uint64(m.shift(i)))
			case kindGlobal:
				if int(i) >= m.globals {
					d.Fail(at, "malformed: exports global %d of %d", i, m.globals)
				}
				fallthrough
			default:
				out = binary.AppendUvarint(out, uint64(i))
			}
			if d.Err != nil {
				return nil
			}
		}
	}
	out = append(appendName(out, Export), kindGlobal)
	out = binary.AppendUvarint(out, uint64(m.globals))
	return append(binary.AppendUvarint(nil, uint64(n+1)), out...)
}

func appendName(b []byte, name string) []byte {
	b = binary.AppendUvarint(b, uint64(len(name)))
	return append(b, name...)
}

// rewrittenNames returns a name section with the names of the functions, for
// stack traces. One without a name is called by the number that it has in the
// module as its author knows it. A damaged section counts as none.
func (m *module) rewrittenNames() []byte {
	const moduleName, functionNames = 0, 1
	names := make([]string, len(m.funcs))
	out := appendName(nil, "name")
	d := wasmcode.Reader{B: m.b, Pos: m.names.begin, End: m.names.end}
	for d.More() {
		id := d.Byte()
		content := d.Bytes()
		if d.Err != nil {
			break
		}
		body := wasmcode.Reader{B: content, End: len(content)}
		switch id {
		case moduleName:
			out = append(out, moduleName)
			out = binary.AppendUvarint(out, uint64(len(content)))
			out = append(out, content...)
		case functionNames:
			for range body.Count() {
				i := body.U32()
				name := body.Bytes()
				if body.Err != nil {
					break
				}
				if int(i) < len(names) {
					names[i] = string(name)
				}
			}
		}
	}
	var list []byte
	for i, name := range names {
		if name == "" {
			name = "$" + strconv.Itoa(i)
		}
		list = binary.AppendUvarint(list, uint64(m.shift(uint32(i))))
		list = appendName(list, name)
	}
	count := len(names)
	for i, h := range m.helpers.all {
		list = binary.AppendUvarint(list, uint64(len(m.funcs)+1+i))
		list = appendName(list, h.name)
		count++
	}
	list = append(binary.AppendUvarint(nil, uint64(count)), list...)
	out = append(out, functionNames)
	out = binary.AppendUvarint(out, uint64(len(list)))
	return append(out, list...)
}

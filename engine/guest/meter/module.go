package meter

import (
	"encoding/binary"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// Section numbers, and the order in which sections are written.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	sections
)

var sectionOrder = [...]int{secType, secImport, secFunction, secTable, secMemory, secGlobal,
	secExport, secStart, secElement, secDataCount, secCode, secData}

var sectionNames = [sections]string{"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count"}

// Kinds of imports and exports, as they are encoded.
const (
	kindFunc   = 0
	kindTable  = 1
	kindMemory = 2
	kindGlobal = 3
)

// maxLocals is what wazero takes. Source: its own limit, and that of the
// WebAssembly JavaScript interface, "implementation-defined limits".
const maxLocals = 50_000

type funcType struct {
	params, results string
	canonical       uint32 // the first type that is equal
}

type table struct {
	elements byte  // type
	most     int64 // elements; -1 is no limit
}

type span struct{ begin, end int }

// module is what the pass knows of the module that it rewrites.
type module struct {
	b        []byte
	d        wasmcode.Reader
	sections [sections]span
	names    span // content of the name section

	types     []funcType
	imported  uint32   // functions
	funcs     []uint32 // type of each function, the imported ones first
	tables    []table
	globals   int
	segments  []int  // length of each data segment
	taken     []bool // by function: its address can be in a table
	code      []*function
	targets   [][]uint32 // by canonical type: functions with code that its calls may reach
	typeGroup []int      // the component of calls through a table, by canonical type
	hostTaken []bool     // by canonical type: an imported function can be reached

	// Functions that code refers to, and the place of each among them. ref.func
	// becomes a global that has the reference: wazero keeps a few words on the
	// heap for each time that it runs one, as long as the instance lives.
	refs     []uint32
	refPlace map[uint32]int

	labels  []label // scratch
	emitter emitter // of one function after the other
	bodies  []byte  // the new code of all functions, in the order it was written
	helpers helpers
}

// section prepares to read a section; it reports whether there is one.
func (m *module) section(id int) bool {
	s := m.sections[id]
	m.d.Section, m.d.Pos, m.d.End = sectionNames[id], s.begin, s.end
	return m.d.Err == nil && s.begin < s.end
}

// split finds the sections.
func (m *module) split() {
	d := &m.d
	d.Pos, d.End = 8, len(m.b)
	if len(m.b) < 8 {
		d.Fail(0, "malformed: no WebAssembly module")
		return
	}
	for d.More() {
		at := d.Pos
		id := d.Byte()
		size := int(d.U32())
		if d.Err != nil {
			return
		}
		if size > d.End-d.Pos {
			d.Fail(at, "truncated: the file ends at %d bytes, the section at %d", len(m.b), d.Pos+size)
			return
		}
		begin := d.Pos
		d.Pos += size
		switch {
		case id == secCustom:
			m.custom(span{begin, d.Pos})
		case id >= sections:
			d.Fail(at, "section %d is of a proposal that is not supported", id)
		case m.sections[id].end != 0:
			d.Fail(at, "malformed: the %s section is there twice", sectionNames[id])
		default:
			m.sections[id] = span{begin, d.Pos}
		}
	}
}

func (m *module) custom(s span) {
	d := wasmcode.Reader{B: m.b, Pos: s.begin, End: s.end}
	if name := d.Bytes(); string(name) == "name" {
		m.names = span{d.Pos, s.end}
	}
}

// read reads all that the rewriting needs but the code.
func (m *module) read() {
	d := &m.d
	if m.section(secType) {
		known := map[funcType]uint32{}
		for range d.Count() {
			if form := d.Byte(); form != 0x60 && d.Err == nil {
				d.Fail(d.Pos-1, "malformed: 0x%02x begins no type", form)
			}
			t := funcType{params: m.valueTypes(), results: m.valueTypes()}
			c, ok := known[t]
			if !ok {
				c = uint32(len(m.types))
				known[t] = c
			}
			t.canonical = c
			m.types = append(m.types, t)
			if d.Err != nil {
				return
			}
		}
	}
	if m.section(secImport) {
		m.readImports()
	}
	m.imported = uint32(len(m.funcs))
	if m.section(secFunction) {
		for range d.Count() {
			m.function()
		}
	}
	if m.section(secTable) {
		for range d.Count() {
			m.table()
		}
	}
	m.taken = make([]bool, len(m.funcs))
	if m.section(secGlobal) {
		n := d.Count()
		m.globals += n
		for range n {
			d.ValueType()
			d.Skip(1)
			m.constant(nil)
		}
	}
	if m.section(secElement) {
		m.elements(nil)
	}
	if m.section(secData) {
		for range d.Count() {
			m.readSegment()
		}
	}
	m.readCode()
}

func (m *module) valueTypes() string {
	n := m.d.Count()
	at := m.d.Pos
	for range n {
		m.d.ValueType()
	}
	if m.d.Err != nil {
		return ""
	}
	return string(m.b[at : at+n])
}

func (m *module) table() {
	at := m.d.Pos
	t := m.d.ValueType()
	if t != wasmcode.FuncRef && t != wasmcode.ExternRef && m.d.Err == nil {
		m.d.Fail(at, "malformed: a table of 0x%02x", t)
	}
	m.tables = append(m.tables, table{elements: t, most: m.limits()})
}

func (m *module) function() {
	at := m.d.Pos
	t := m.d.U32()
	if m.d.Err == nil && int(t) >= len(m.types) {
		m.d.Fail(at, "malformed: type %d of %d", t, len(m.types))
	}
	m.funcs = append(m.funcs, t)
}

func (m *module) readImports() {
	d := &m.d
	for range d.Count() {
		at := d.Pos
		if string(d.Bytes()) == Module {
			d.Fail(at, "the module name %q is reserved", Module)
		}
		d.Bytes()
		switch kind := d.Byte(); kind {
		case kindFunc:
			m.function()
		case kindTable:
			m.table()
		case kindMemory:
			m.limits()
		case kindGlobal:
			d.ValueType()
			d.Skip(1)
			m.globals++
		default:
			d.Fail(at, "an import has the unknown kind %d", kind)
		}
		if d.Err != nil {
			return
		}
	}
}

// limits passes over limits and returns the maximum, -1 if there is none.
func (m *module) limits() int64 {
	flags := m.d.Byte()
	if flags > 1 && m.d.Err == nil {
		m.d.Fail(m.d.Pos-1, "limits with flags 0x%02x are of a proposal that is not supported", flags)
	}
	m.d.U32()
	if flags&1 != 0 {
		return int64(m.d.U32())
	}
	return -1
}

func (m *module) readSegment() {
	d := &m.d
	switch at, mode := d.Pos, d.U32(); mode {
	case 0:
		m.constant(nil)
	case 1:
	case 2:
		d.U32()
		m.constant(nil)
	default:
		d.Fail(at, "malformed: a data segment of kind %d", mode)
	}
	n := d.Count()
	d.Skip(n)
	m.segments = append(m.segments, n)
}

func (m *module) readCode() {
	d := &m.d
	defined := len(m.funcs) - int(m.imported)
	n := 0
	if m.section(secCode) {
		n = d.Count()
	}
	if d.Err == nil && n != defined {
		d.Fail(d.Pos, "malformed: %d functions are declared, %d have code", defined, n)
	}
	if d.Err != nil {
		return
	}
	all := make([]function, n)
	m.code = make([]*function, n)
	for i := range all {
		f := &all[i]
		m.code[i] = f
		f.index = m.imported + uint32(i)
		f.typ = m.types[m.funcs[f.index]].canonical
		size := d.Count()
		f.begin, f.end = d.Pos, d.Pos+size
		if d.Skip(size); d.Err != nil {
			return
		}
	}
	if d.More() {
		d.Fail(d.Pos, "malformed: %d bytes are left over", d.End-d.Pos)
	}
	for _, f := range m.code {
		if m.analyze(f); d.Err != nil {
			return
		}
	}
	m.hostTaken = make([]bool, len(m.types))
	for i := range m.imported {
		if m.taken[i] {
			m.hostTaken[m.types[m.funcs[i]].canonical] = true
		}
	}
}

// blockType returns how many parameters and results the block has whose type
// was read last.
func (m *module) blockType(d *wasmcode.Reader) (params, results int) {
	switch {
	case d.X == wasmcode.VoidBlock:
		return 0, 0
	case d.X < 0:
		return 0, 1
	case d.X >= int64(len(m.types)):
		d.Fail(d.At, "malformed: a block has type %d of %d", d.X, len(m.types))
		return 0, 0
	}
	t := m.types[d.X]
	return len(t.params), len(t.results)
}

// shift returns the number that a function has in the rewritten module: the one
// import more comes after those that are there.
func (m *module) shift(i uint32) uint32 {
	if i >= m.imported {
		return i + 1
	}
	return i
}

// functionIndex reads the number of a function whose address is then taken.
func (m *module) functionIndex() uint32 {
	at := m.d.Pos
	i := m.d.U32()
	if m.d.Err != nil {
		return 0
	}
	if int(i) >= len(m.funcs) {
		m.d.Fail(at, "malformed: refers to function %d of %d", i, len(m.funcs))
		return 0
	}
	m.taken[i] = true
	return m.shift(i)
}

// constant passes over a constant expression; what it is in the rewritten
// module is appended to out.
func (m *module) constant(out []byte) []byte {
	d := &m.d
	for {
		d.Next()
		if d.Err != nil {
			return out
		}
		if d.Op == wasmcode.RefFunc {
			if d.X >= int64(len(m.funcs)) {
				d.Fail(d.At, "malformed: refers to function %d of %d", d.X, len(m.funcs))
				return out
			}
			m.taken[d.X] = true
			out = binary.AppendUvarint(append(out, wasmcode.RefFunc), uint64(m.shift(uint32(d.X))))
			continue
		}
		out = append(out, m.b[d.At:d.Pos]...)
		switch d.Op {
		case wasmcode.End:
			return out
		case wasmcode.GlobalGet:
			if d.X >= int64(m.globals) {
				d.Fail(d.At, "malformed: uses global %d of %d", d.X, m.globals)
			}
		}
	}
}

// elements passes over the element section; what it is in the rewritten module
// is appended to out.
// Source: WebAssembly core specification 2.0, 5.5.12.
func (m *module) elements(out []byte) []byte {
	d := &m.d
	n := d.Count()
	out = binary.AppendUvarint(out, uint64(n))
	for range n {
		if d.Err != nil {
			return out
		}
		at := d.Pos
		kind := d.U32()
		if kind > 7 {
			d.Fail(at, "malformed: an element segment of kind %d", kind)
			return out
		}
		passive, explicit, exprs := kind&1 != 0, kind&2 != 0, kind&4 != 0
		out = binary.AppendUvarint(out, uint64(kind))
		if !passive {
			if explicit {
				out = binary.AppendUvarint(out, uint64(d.U32()))
			}
			out = m.constant(out)
		}
		if passive || explicit {
			t := d.Byte() // the kind of functions, 0, or a type
			if exprs {
				d.CheckType(t)
			} else if t != 0 && d.Err == nil {
				d.Fail(d.Pos-1, "malformed: elements of kind 0x%02x", t)
			}
			out = append(out, t)
		}
		items := d.Count()
		out = binary.AppendUvarint(out, uint64(items))
		for range items {
			if d.Err != nil {
				return out
			}
			if exprs {
				out = m.constant(out)
			} else {
				out = binary.AppendUvarint(out, uint64(m.functionIndex()))
			}
		}
	}
	return out
}

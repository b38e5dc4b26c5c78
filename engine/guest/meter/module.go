package meter

import (
	"encoding/binary"
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

// Value types and kinds of imports and exports, as they are encoded.
const (
	i32     = 0x7f
	i64     = 0x7e
	f32     = 0x7d
	f64     = 0x7c
	v128    = 0x7b
	funcRef = 0x70
	extern  = 0x6f

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
	d        decoder
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
	m.d.section, m.d.pos, m.d.end = sectionNames[id], s.begin, s.end
	return m.d.err == nil && s.begin < s.end
}

// split finds the sections.
func (m *module) split() {
	d := &m.d
	d.pos, d.end = 8, len(m.b)
	if len(m.b) < 8 {
		d.fail(0, "malformed: no WebAssembly module")
		return
	}
	for d.more() {
		at := d.pos
		id := d.byte()
		size := int(d.u32())
		if d.err != nil {
			return
		}
		if size > d.end-d.pos {
			d.fail(at, "truncated: the file ends at %d bytes, the section at %d", len(m.b), d.pos+size)
			return
		}
		begin := d.pos
		d.pos += size
		switch {
		case id == secCustom:
			m.custom(span{begin, d.pos})
		case id >= sections:
			d.fail(at, "section %d is of a proposal that is not supported", id)
		case m.sections[id].end != 0:
			d.fail(at, "malformed: the %s section is there twice", sectionNames[id])
		default:
			m.sections[id] = span{begin, d.pos}
		}
	}
}

func (m *module) custom(s span) {
	d := decoder{b: m.b, pos: s.begin, end: s.end}
	n := d.count()
	if d.err == nil && string(d.b[d.pos:d.pos+n]) == "name" {
		m.names = span{d.pos + n, s.end}
	}
}

// read reads all that the rewriting needs but the code.
func (m *module) read() {
	d := &m.d
	if m.section(secType) {
		known := map[funcType]uint32{}
		for range d.count() {
			if form := d.byte(); form != 0x60 && d.err == nil {
				d.fail(d.pos-1, "malformed: 0x%02x begins no type", form)
			}
			t := funcType{params: m.valueTypes(), results: m.valueTypes()}
			c, ok := known[t]
			if !ok {
				c = uint32(len(m.types))
				known[t] = c
			}
			t.canonical = c
			m.types = append(m.types, t)
			if d.err != nil {
				return
			}
		}
	}
	if m.section(secImport) {
		m.readImports()
	}
	m.imported = uint32(len(m.funcs))
	if m.section(secFunction) {
		for range d.count() {
			m.function()
		}
	}
	if m.section(secTable) {
		for range d.count() {
			m.table()
		}
	}
	m.taken = make([]bool, len(m.funcs))
	if m.section(secGlobal) {
		n := d.count()
		m.globals += n
		for range n {
			d.valueType()
			d.skip(1)
			m.constant(nil)
		}
	}
	if m.section(secElement) {
		m.elements(nil)
	}
	if m.section(secData) {
		for range d.count() {
			m.readSegment()
		}
	}
	m.readCode()
}

func (m *module) vector() string {
	n := m.d.count()
	at := m.d.pos
	m.d.skip(n)
	if m.d.err != nil {
		return ""
	}
	return string(m.b[at : at+n])
}

func (m *module) valueTypes() string {
	n := m.d.count()
	at := m.d.pos
	for range n {
		m.d.valueType()
	}
	if m.d.err != nil {
		return ""
	}
	return string(m.b[at : at+n])
}

func (m *module) table() {
	at := m.d.pos
	t := m.d.valueType()
	if t != funcRef && t != extern && m.d.err == nil {
		m.d.fail(at, "malformed: a table of 0x%02x", t)
	}
	m.tables = append(m.tables, table{elements: t, most: m.limits()})
}

func (m *module) function() {
	at := m.d.pos
	t := m.d.u32()
	if m.d.err == nil && int(t) >= len(m.types) {
		m.d.fail(at, "malformed: type %d of %d", t, len(m.types))
	}
	m.funcs = append(m.funcs, t)
}

func (m *module) readImports() {
	d := &m.d
	for range d.count() {
		at := d.pos
		if m.vector() == Module {
			d.fail(at, "the module name %q is reserved", Module)
		}
		m.vector()
		switch kind := d.byte(); kind {
		case kindFunc:
			m.function()
		case kindTable:
			m.table()
		case kindMemory:
			m.limits()
		case kindGlobal:
			d.valueType()
			d.skip(1)
			m.globals++
		default:
			d.fail(at, "an import has the unknown kind %d", kind)
		}
		if d.err != nil {
			return
		}
	}
}

// limits passes over limits and returns the maximum, -1 if there is none.
func (m *module) limits() int64 {
	flags := m.d.byte()
	if flags > 1 && m.d.err == nil {
		m.d.fail(m.d.pos-1, "limits with flags 0x%02x are of a proposal that is not supported", flags)
	}
	m.d.u32()
	if flags&1 != 0 {
		return int64(m.d.u32())
	}
	return -1
}

func (m *module) readSegment() {
	d := &m.d
	switch at, mode := d.pos, d.u32(); mode {
	case 0:
		m.constant(nil)
	case 1:
	case 2:
		d.u32()
		m.constant(nil)
	default:
		d.fail(at, "malformed: a data segment of kind %d", mode)
	}
	n := d.count()
	d.skip(n)
	m.segments = append(m.segments, n)
}

func (m *module) readCode() {
	d := &m.d
	defined := len(m.funcs) - int(m.imported)
	n := 0
	if m.section(secCode) {
		n = d.count()
	}
	if d.err == nil && n != defined {
		d.fail(d.pos, "malformed: %d functions are declared, %d have code", defined, n)
	}
	if d.err != nil {
		return
	}
	all := make([]function, n)
	m.code = make([]*function, n)
	for i := range all {
		f := &all[i]
		m.code[i] = f
		f.index = m.imported + uint32(i)
		f.typ = m.types[m.funcs[f.index]].canonical
		size := d.count()
		f.begin, f.end = d.pos, d.pos+size
		if d.skip(size); d.err != nil {
			return
		}
	}
	if d.more() {
		d.fail(d.pos, "malformed: %d bytes are left over", d.end-d.pos)
	}
	for _, f := range m.code {
		if m.analyze(f); d.err != nil {
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
func (m *module) blockType(d *decoder) (params, results int) {
	switch {
	case d.x == -0x40:
		return 0, 0
	case d.x < 0:
		return 0, 1
	case d.x >= int64(len(m.types)):
		d.fail(d.at, "malformed: a block has type %d of %d", d.x, len(m.types))
		return 0, 0
	}
	t := m.types[d.x]
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
	at := m.d.pos
	i := m.d.u32()
	if m.d.err != nil {
		return 0
	}
	if int(i) >= len(m.funcs) {
		m.d.fail(at, "malformed: refers to function %d of %d", i, len(m.funcs))
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
		d.next()
		if d.err != nil {
			return out
		}
		if d.op == opRefFunc {
			if d.x >= int64(len(m.funcs)) {
				d.fail(d.at, "malformed: refers to function %d of %d", d.x, len(m.funcs))
				return out
			}
			m.taken[d.x] = true
			out = binary.AppendUvarint(append(out, opRefFunc), uint64(m.shift(uint32(d.x))))
			continue
		}
		out = append(out, m.b[d.at:d.pos]...)
		switch d.op {
		case opEnd:
			return out
		case opGlobalGet:
			if d.x >= int64(m.globals) {
				d.fail(d.at, "malformed: uses global %d of %d", d.x, m.globals)
			}
		}
	}
}

// elements passes over the element section; what it is in the rewritten module
// is appended to out.
// Source: WebAssembly core specification 2.0, 5.5.12.
func (m *module) elements(out []byte) []byte {
	d := &m.d
	n := d.count()
	out = binary.AppendUvarint(out, uint64(n))
	for range n {
		if d.err != nil {
			return out
		}
		at := d.pos
		kind := d.u32()
		if kind > 7 {
			d.fail(at, "malformed: an element segment of kind %d", kind)
			return out
		}
		passive, explicit, exprs := kind&1 != 0, kind&2 != 0, kind&4 != 0
		out = binary.AppendUvarint(out, uint64(kind))
		if !passive {
			if explicit {
				out = binary.AppendUvarint(out, uint64(d.u32()))
			}
			out = m.constant(out)
		}
		if passive || explicit {
			t := d.byte() // the kind of functions, 0, or a type
			if exprs {
				d.checkType(t)
			} else if t != 0 && d.err == nil {
				d.fail(d.pos-1, "malformed: elements of kind 0x%02x", t)
			}
			out = append(out, t)
		}
		items := d.count()
		out = binary.AppendUvarint(out, uint64(items))
		for range items {
			if d.err != nil {
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

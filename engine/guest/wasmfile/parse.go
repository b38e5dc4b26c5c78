package wasmfile

import "math"

// Section ids by number; the order in a file is given by sectionOrder.
var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count", "tag",
}

var sectionOrder = [...]int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6}

const (
	idCustom = iota
	idType
	idImport
	idFunction
	idTable
	idMemory
	idGlobal
	idExport
	idStart
	idElement
	idCode
	idData
	idDataCount
	idTag
)

// Parse reads a binary. The error, if any, is an [*Error]. The module does not
// keep b.
func Parse(b []byte) (*Module, error) {
	if err := header(b); err != nil {
		return nil, err
	}
	p := parser{reader: reader{b: b, pos: 8, end: len(b)}, m: &Module{}}
	last := 0
	for p.pos < len(b) && !p.failed() {
		start := p.pos
		id := p.byte("a section")
		if int(id) >= len(sectionNames) {
			p.fail(start, "", "malformed: unknown section %d at offset 0x%x", id, start)
			break
		}
		p.section = sectionNames[id]
		size := p.u32("the size of the section")
		if uint64(size) > uint64(p.left()) {
			p.fail(start, truncatedRemedy, "truncated: the file ends at %d bytes, the section at %d", len(b), p.pos+int(size))
		}
		if id != idCustom {
			if sectionOrder[id] <= last {
				p.fail(start, "", "malformed: the section is out of order or there twice")
			}
			last = sectionOrder[id]
		}
		if p.failed() {
			break
		}
		p.end = p.pos + int(size)
		if id != idCustom {
			r := p.reader // a count that cannot be read is an error of what reads on
			p.m.Sections = append(p.m.Sections, Section{Name: p.section, Offset: p.pos, Size: int(size), Count: int(r.u32("a count"))})
		}
		p.read(id)
		if id != idCustom && !p.failed() && p.pos != p.end {
			p.fail(p.pos, "", "malformed: %d bytes are left over", p.end-p.pos)
		}
		p.pos, p.end, p.section = p.end, len(b), ""
	}
	p.finish()
	if p.failed() {
		return nil, p.err
	}
	return p.m, nil
}

type parser struct {
	reader
	m      *Module
	bodies int
	tags   int
}

// read reads the content of one section. Sections whose content does not matter
// here are only counted or passed over.
func (p *parser) read(id byte) {
	switch id {
	case idCustom:
		p.custom()
	case idType:
		n := p.count(1, "types")
		for range n {
			if p.failed() {
				return
			}
			t := p.funcType()
			p.m.Widest = max(p.m.Widest, len(t.Params), len(t.Results))
			p.m.types = append(p.m.types, t)
		}
	case idImport:
		n := p.count(4, "imports")
		for range n {
			if p.failed() {
				return
			}
			p.imports()
		}
	case idFunction:
		n := p.count(1, "functions")
		for range n {
			if p.failed() {
				return
			}
			p.function("a function")
		}
		p.m.Functions = n
	case idTable:
		n := p.count(3, "tables")
		for range n {
			if p.failed() {
				return
			}
			p.tables()
		}
	case idMemory:
		n := p.count(2, "memories")
		for range n {
			if p.failed() {
				return
			}
			p.memory(p.limits("a memory"))
		}
	case idGlobal:
		p.m.Globals += p.count(3, "globals")
		p.pos = p.end
	case idExport:
		n := p.count(3, "exports")
		for range n {
			if p.failed() {
				return
			}
			p.export()
		}
	case idStart:
		at := p.pos
		if i := p.u32("the start function"); uint64(i) >= uint64(len(p.m.funcs)) {
			p.fail(at, "", "malformed: there is no function %d", i)
		}
		p.m.Start = true
	case idCode:
		p.m.code = p.pos
		p.bodies = p.count(1, "functions")
		p.pos = p.end
	default:
		p.pos = p.end
	}
}

func (p *parser) function(what string) {
	at := p.pos
	i := p.u32("the type of " + what)
	if !p.failed() && uint64(i) >= uint64(len(p.m.types)) {
		p.fail(at, "", "malformed: %s has type %d of %d", what, i, len(p.m.types))
	}
	p.m.funcs = append(p.m.funcs, i)
}

func (p *parser) tables() {
	p.m.Tables++
	n := p.table()
	p.m.Elements += min(n, math.MaxUint64-p.m.Elements)
}

func (p *parser) memory(m MemoryType) {
	p.m.Memories++
	if p.m.Memory == nil {
		p.m.Memory = &m
	}
}

func (p *parser) imports() {
	im := Import{offset: p.pos}
	im.Module = p.name("the module of an import")
	im.Name = p.name("the name of an import")
	at := p.pos
	im.Kind = ExternKind(p.byte("the kind of an import"))
	switch im.Kind {
	case Func:
		p.function("an import")
		if !p.failed() {
			im.Func = p.m.types[p.m.funcs[len(p.m.funcs)-1]]
		}
	case Table:
		p.tables()
	case Memory:
		m := p.limits("a memory")
		m.Imported = true
		p.memory(m)
	case Global:
		p.valueType("a global")
		p.byte("the mutability of a global")
		p.m.Globals++
	case Tag:
		p.byte("a tag")
		p.u32("the type of a tag")
		p.tags++
	default:
		p.fail(at, "", "malformed: an import has the unknown kind 0x%02x", byte(im.Kind))
	}
	p.m.Imports = append(p.m.Imports, im)
}

func (p *parser) export() {
	e := Export{Name: p.name("the name of an export")}
	at := p.pos
	e.Kind = ExternKind(p.byte("the kind of an export"))
	i := p.u32("the index of an export")
	if p.failed() {
		return
	}
	switch {
	case e.Kind == Func && uint64(i) < uint64(len(p.m.funcs)):
		e.Func = p.m.types[p.m.funcs[i]]
	case e.Kind == Func:
		p.fail(at, "", "malformed: export %.100q is function %d of %d", e.Name, i, len(p.m.funcs))
	case e.Kind > Tag:
		p.fail(at, "", "malformed: export %.100q has the unknown kind 0x%02x", e.Name, byte(e.Kind))
	}
	p.m.Exports = append(p.m.Exports, e)
}

// custom notes the name of a custom section, and reads the producers. As the
// meaning of a custom section is not the core's, a damaged one is no error.
func (p *parser) custom() {
	name := p.name("the name of the section")
	if p.failed() {
		return
	}
	p.m.Custom = append(p.m.Custom, name)
	if name == "producers" {
		r := p.reader
		p.m.Producers = producers(&r)
	}
	p.pos = p.end
}

func producers(r *reader) []Producer {
	var out []Producer
	fields := r.count(2, "fields")
	for range fields {
		field := r.name("a field")
		values := r.count(2, "values")
		for range values {
			p := Producer{Field: field, Name: r.name("a name"), Version: r.name("a version")}
			if r.failed() {
				return out
			}
			out = append(out, p)
		}
	}
	return out
}

// finish checks what only the whole file shows.
func (p *parser) finish() {
	if p.failed() {
		return
	}
	p.section = "code"
	if p.bodies != p.m.Functions {
		remedy := ""
		if p.bodies == 0 {
			remedy = truncatedRemedy
		}
		p.fail(len(p.b), remedy, "malformed: %d functions are declared, %d have code", p.m.Functions, p.bodies)
	}
	p.m.Toolchain = toolchain(p.m.Producers)
	if e, ok := p.m.Export("_start"); ok && e.Kind == Func {
		p.m.Kind = Command
	}
}

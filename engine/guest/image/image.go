package image

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
)

// Prefix begins the names under which Split exports globals. A module that has
// an export of such a name is left as it is.
const Prefix = "wnode:g"

const (
	// maxGlobals bounds the globals that a reset sets one by one.
	maxGlobals = 1000
	// page is the unit in which images take memory.
	page = 4096
	// maxSpread bounds the pages that data touches, in bytes, beyond twice its
	// own length: a byte here and there must not become an image of gigabytes.
	maxSpread = 1 << 20
)

// Image is a module and its initial state, apart. The zero values of Data and
// Globals are an empty memory and no globals.
type Image struct {
	// Code is what to compile. It is the module itself, not a copy, if nothing
	// had to change.
	Code []byte
	// Data is what the memory holds at the start, by address, without overlaps,
	// inside the minimum of the memory. Instances of Code do not write it: who
	// makes one does. It refers to the module's bytes.
	Data []Segment
	// Globals are the mutable globals, which Code exports; none if the module is
	// not resettable.
	Globals []Global
	// Resettable reports that memory and Globals are all the state of an
	// instance of Code.
	Resettable bool
	// Why says what makes the module not resettable, "" if it is.
	Why string
}

// Segment is a part of the initial memory.
type Segment struct {
	Offset uint32 // address
	Bytes  []byte // never empty
}

// Global is a mutable global of a number type.
type Global struct {
	Name  string // under which it is exported
	Value uint64 // at the start, as wazero's api.Global has it
}

// Split takes the initial state out of a module that is valid; of any other it
// returns something that is not valid either. It does not change b.
func Split(b []byte) *Image {
	m, err := read(b)
	if err != nil {
		return &Image{Code: b, Why: err.Error()}
	}
	im := &Image{}
	segments, why := m.takeData()
	stripped := why == "" && len(segments) > 0
	if stripped {
		im.Data = segments
	}
	if why == "" {
		why = m.fixed()
	}
	im.Why, im.Resettable = why, why == ""
	if im.Resettable {
		im.Globals = m.globals
	}
	if !stripped && len(im.Globals) == 0 {
		im.Code = b
		return im
	}
	im.Code = m.write(stripped, im.Globals)
	return im
}

// fixed says which state besides memory and globals a run can change, "" if none.
func (m *module) fixed() string {
	switch {
	case m.start:
		return "it has a start function"
	case m.code.tables:
		return "its code writes to tables"
	case m.code.drops:
		return "its code drops segments"
	case m.oddGlobals:
		return "it has mutable globals that are vectors or references"
	case len(m.globals) > maxGlobals:
		return "it has more than " + strconv.Itoa(maxGlobals) + " mutable globals"
	}
	return ""
}

// takeData returns the active segments by address, or why they must stay.
func (m *module) takeData() ([]Segment, string) {
	var out []Segment
	var total, spread uint64
	for i, d := range m.data {
		if d.passive {
			continue
		}
		if !d.constant {
			return nil, "a data segment's address is not a constant"
		}
		if m.code.usesData(uint32(i)) {
			return nil, "its code uses an active data segment again"
		}
		if uint64(d.offset)+uint64(len(d.bytes)) > m.memory {
			return nil, "a data segment is outside the memory" // a trap, which is the module's
		}
		if n := uint64(len(d.bytes)); n > 0 {
			out = append(out, Segment{d.offset, d.bytes})
			total += n
			spread += (uint64(d.offset)+n+page-1)/page*page - uint64(d.offset)/page*page
		}
	}
	byAddress := func(a, b Segment) int { return cmp.Compare(a.Offset, b.Offset) }
	if !slices.IsSortedFunc(out, byAddress) {
		slices.SortFunc(out, byAddress)
	}
	for i := 1; i < len(out); i++ {
		end := uint64(out[i-1].Offset) + uint64(len(out[i-1].Bytes))
		if end > uint64(out[i].Offset) {
			return nil, "data segments overlap"
		}
		if (end-1)/page == uint64(out[i].Offset)/page { // neighbours share a page
			spread -= page
		}
	}
	if spread > 2*total+maxSpread {
		return nil, "data segments are spread thin"
	}
	return out, ""
}

// write returns the module without its active segments, if so wanted, and with
// the globals exported.
func (m *module) write(strip bool, globals []Global) []byte {
	out := append(make([]byte, 0, len(m.b)+32*len(globals)+16), m.b[:8]...)
	section := func(id byte, body []byte) {
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	exports := len(globals) > 0
	addExports := func() {
		if exports {
			section(idExport, m.exportSection(globals))
			exports = false
		}
	}
	for _, s := range m.sections {
		if s.id == idExport || s.id != idCustom && s.id > idExport {
			addExports()
		}
		switch {
		case s.id == idExport && len(globals) > 0:
		case s.id == idData && strip && m.code.usesNoData():
		case s.id == idDataCount && strip && m.code.usesNoData():
		case s.id == idData && strip:
			section(idData, m.dataSection())
		default:
			out = append(out, m.b[s.start:s.end]...)
		}
	}
	addExports()
	return out
}

// exportSection returns the body of the export section, with the globals.
func (m *module) exportSection(globals []Global) []byte {
	b := binary.AppendUvarint(nil, uint64(m.exports+len(globals)))
	b = append(b, m.exportBytes...)
	for i, g := range globals {
		b = binary.AppendUvarint(b, uint64(len(g.Name)))
		b = append(b, g.Name...)
		b = append(b, externGlobal)
		b = binary.AppendUvarint(b, uint64(m.globalIndex[i]))
	}
	return b
}

// dataSection returns the body of a data section in which each active segment
// is an empty passive one: the indices of the others stay, and nothing refers to
// these.
func (m *module) dataSection() []byte {
	b := binary.AppendUvarint(nil, uint64(len(m.data)))
	for _, d := range m.data {
		b = append(b, segmentPassive)
		if !d.passive {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(d.bytes)))
		b = append(b, d.bytes...)
	}
	return b
}

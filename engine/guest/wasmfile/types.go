package wasmfile

import (
	"fmt"
	"strings"

	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

// Value types, as they are encoded.
const (
	I32       byte = wasmcode.I32
	I64       byte = wasmcode.I64
	F32       byte = wasmcode.F32
	F64       byte = wasmcode.F64
	V128      byte = wasmcode.V128
	FuncRef   byte = wasmcode.FuncRef
	ExternRef byte = wasmcode.ExternRef
	exnRef    byte = 0x69
)

var valueNames = map[byte]string{
	I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128",
	FuncRef: "funcref", ExternRef: "externref", exnRef: "exnref",
}

// FuncType is the signature of a function; its bytes are value types.
type FuncType struct{ Params, Results []byte }

// String is like "(i32, i64) -> f64", "() -> ()" or "() -> (i32, i32)".
func (f FuncType) String() string {
	results := names(f.Results)
	if len(f.Results) != 1 {
		results = "(" + results + ")"
	}
	return "(" + names(f.Params) + ") -> " + results
}

func names(types []byte) string {
	out := make([]string, len(types))
	for i, t := range types {
		if out[i] = valueNames[t]; out[i] == "" {
			out[i] = fmt.Sprintf("0x%02x", t)
		}
	}
	return strings.Join(out, ", ")
}

// Equal says whether f and g are the same signature.
func (f FuncType) Equal(g FuncType) bool {
	return string(f.Params) == string(g.Params) && string(f.Results) == string(g.Results)
}

// ExternKind is what an import or export is, as it is encoded.
type ExternKind byte

// The kinds.
const (
	Func   ExternKind = 0
	Table  ExternKind = 1
	Memory ExternKind = 2
	Global ExternKind = 3
	Tag    ExternKind = 4
)

func (k ExternKind) String() string {
	switch k {
	case Func:
		return "function"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	case Tag:
		return "tag"
	}
	return fmt.Sprintf("kind 0x%02x", byte(k))
}

// Import is something the module wants from its host. Names are as they are in
// the file: quote them before they reach a terminal.
type Import struct {
	Module, Name string
	Kind         ExternKind
	Func         FuncType // of a function
	offset       int
}

// Export is something the module offers.
type Export struct {
	Name string
	Kind ExternKind
	Func FuncType // of a function
}

// MemoryType describes the first memory, in pages of 64 KiB.
type MemoryType struct {
	Min      uint64
	Max      uint64 // meaningful if HasMax
	HasMax   bool
	Imported bool
	Shared   bool // of the threads proposal
	Is64     bool // of the memory64 proposal
}

// Kind is how a module is run.
type Kind int

const (
	// Library modules are called by their exports.
	Library Kind = iota
	// Command modules export _start, and are run by it once.
	Command
)

func (k Kind) String() string {
	if k == Command {
		return "command"
	}
	return "library"
}

// Module is what a file says of itself.
type Module struct {
	Kind      Kind
	Imports   []Import
	Exports   []Export
	Memory    *MemoryType // nil: none
	Memories  int         // more than one is a proposal
	Tables    int         // with the imported ones
	Elements  uint64      // of all tables at the start; it stays at the largest number
	Globals   int         // with the imported ones
	Functions int         // defined, without the imported ones
	Start     bool        // has a start function, run at instantiation
	Toolchain string      // "Rust 1.63.0", "clang 14.0.6", "Go 1.26.8"; "" unknown
	Producers []Producer  // as in the producers section, which may say anything
	Custom    []string    // names of the custom sections, in order
	Sections  []Section   // as in the file, without the custom ones
	Widest    int         // parameters or results of one type, at most

	types []FuncType
	funcs []uint32 // type of each function, the imported ones first
	code  int      // offset of the content of the code section; 0: none
}

// Section is a part of the file.
type Section struct {
	Name   string // "type", "import", ...
	Offset int    // of its content
	Size   int    // bytes of its content
	Count  int    // how many things it says it has; at least 1 for the start section
}

// Producer is a line of the producers section.
type Producer struct{ Field, Name, Version string }

// Export finds an export by its name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// toolchain picks the most telling of the producers: the compiler of the
// language before the tools that came after it.
func toolchain(producers []Producer) string {
	rank := []struct{ name, shown string }{
		{"rustc", "Rust"}, {"TinyGo", "TinyGo"}, {"Go cmd/compile", "Go"},
		{"zig", "Zig"}, {"AssemblyScript", "AssemblyScript"}, {"swift", "Swift"}, {"clang", "clang"},
	}
	for _, r := range rank {
		for _, p := range producers {
			if p.Field == "processed-by" && p.Name == r.name {
				return trimVersion(r.shown, p.Version)
			}
		}
	}
	for _, field := range []string{"processed-by", "language"} {
		for _, p := range producers {
			if p.Field == field {
				return trimVersion(p.Name, p.Version)
			}
		}
	}
	return ""
}

// trimVersion keeps the first word of a version: what follows are commits and
// dates. Go writes "go1.26".
func trimVersion(name, version string) string {
	version, _, _ = strings.Cut(version, " ")
	if name == "Go" {
		version = strings.TrimPrefix(version, "go")
	}
	return strings.TrimSpace(name + " " + version)
}

package guest

import (
	"fmt"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// Limits of a module. Those marked JS are the implementation limits that all web
// engines share, so no toolchain makes modules beyond them.
// Source: https://webassembly.github.io/spec/js-api/#limits
const (
	// maxModule bounds the file. wazero decodes and validates 100 MB a second.
	maxModule = 64 << 20
	// maxTypes: wazero compiles an entry for each, 12 to 25 us.
	maxTypes = 20_000
	// maxImports: what a host offers is a hundred functions; each may be named
	// more than once.
	maxImports = 10_000
	// maxFunctions: JS has a million; wazero takes 4 us and 1 kB for an empty
	// one. The largest Go programs have some 50,000.
	maxFunctions       = 200_000
	maxExports         = 100_000 // JS had so many until 2024; a map entry for each
	maxGlobals         = 100_000 // half a kilobyte for each in each instance
	maxSegments        = 100_000 // JS, data; Go programs have thousands
	maxElementSegments = 100_000 // element segments; wazero keeps a slice for each
	maxTables          = 100     // JS
	maxWidth           = 1_000   // JS, parameters and results of a type
	maxLocals          = 50_000  // JS
)

// checkSections refuses sections with more in them than the limits.
func checkSections(m *wasmfile.Module) error {
	limits := map[string]int{
		"type": maxTypes, "import": maxImports, "function": maxFunctions, "table": maxTables, "global": maxGlobals,
		"export": maxExports, "element": maxElementSegments, "code": maxFunctions, "data": maxSegments,
	}
	for _, s := range m.Sections {
		if most, ok := limits[s.Name]; ok && s.Count > most {
			return &wasmfile.Error{Section: s.Name, Offset: s.Offset, Remedy: "split the module",
				Msg: fmt.Sprintf("the section has %d entries, the limit is %d", s.Count, most)}
		}
		if s.Name == "type" && m.Widest > maxWidth {
			return &wasmfile.Error{Section: s.Name, Offset: s.Offset, Remedy: "pass them in memory",
				Msg: fmt.Sprintf("a type has %d parameters or results, the limit is %d", m.Widest, maxWidth)}
		}
	}
	return nil
}

package control

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// pageSize is the unit of linear memory.
const pageSize = 64 << 10

// Inspect describes the bytes of a module. Of bytes that are none it says the
// hash, and the error says why.
func Inspect(b []byte) (Inspection, error) {
	sum := sha256.Sum256(b)
	out := Inspection{SHA256: hex.EncodeToString(sum[:]), Imports: []Function{}, Exports: []Function{}}
	out.Size = uint64(len(b))
	m, err := wasmfile.Parse(b)
	if err != nil {
		return out, err
	}
	out.Kind = m.Kind.String()
	out.Toolchain = m.Toolchain
	if m.Memory != nil {
		out.MemoryMin = m.Memory.Min * pageSize
		if m.Memory.HasMax {
			out.MemoryMax = m.Memory.Max * pageSize
		}
	}
	for _, im := range m.Imports {
		out.Imports = append(out.Imports, Function{im.Module, im.Name, signature(im.Kind, im.Func)})
	}
	for _, ex := range m.Exports {
		out.Exports = append(out.Exports, Function{"", ex.Name, signature(ex.Kind, ex.Func)})
	}
	return out, nil
}

// signature is that of a function, or what else it is.
func signature(kind wasmfile.ExternKind, f wasmfile.FuncType) string {
	if kind == wasmfile.Func {
		return f.String()
	}
	return kind.String()
}

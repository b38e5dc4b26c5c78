package hostfuncs

import (
	"bytes"
	"encoding/binary"

	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// proxyModule returns a module that imports every function of the ABI and
// exports, under the same name, a function that calls it with its own
// arguments; and a memory of one page, or none. So tests call host functions as
// a guest does, with any arguments.
func proxyModule(memory bool) []byte {
	str := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	memories := 0
	if memory {
		memories = 1
	}
	fs := abi.Functions()
	n := uint64(len(fs))
	types, imports, funcs, exports, code := binary.AppendUvarint(nil, n), binary.AppendUvarint(nil, n),
		binary.AppendUvarint(nil, n), binary.AppendUvarint(nil, n+uint64(memories)), binary.AppendUvarint(nil, n)
	for i, f := range fs {
		types = append(types, 0x60)
		types = append(binary.AppendUvarint(types, uint64(len(f.Params))), f.Params...)
		types = append(binary.AppendUvarint(types, uint64(len(f.Results))), f.Results...)
		imports = append(str(str(imports, f.Module), f.Name), 0)
		imports = binary.AppendUvarint(imports, uint64(i))
		funcs = binary.AppendUvarint(funcs, uint64(i))
		exports = append(str(exports, f.Name), 0)
		exports = binary.AppendUvarint(exports, n+uint64(i))
		body := []byte{0} // no locals
		for p := range f.Params {
			body = append(body, 0x20, byte(p)) // local.get
		}
		body = append(body, 0x10) // call
		body = append(binary.AppendUvarint(body, uint64(i)), 0x0b)
		code = append(binary.AppendUvarint(code, uint64(len(body))), body...)
	}
	if memory {
		exports = append(str(exports, "memory"), 2, 0)
	}
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id   byte
		data []byte
	}{{1, types}, {2, imports}, {3, funcs}, {5, bytes.Repeat([]byte{1, 0, 1}, memories)}, {7, exports}, {10, code}} {
		if len(s.data) == 0 {
			continue
		}
		b = append(binary.AppendUvarint(append(b, s.id), uint64(len(s.data))), s.data...)
	}
	return b
}

// Package wasmcode reads the instructions of WebAssembly functions: where each
// ends, what its numbers are, and by how much it changes the operand stack. All
// that looks into code reads it with this: admission, metering, and the pass
// that takes out the initial state, so that none sees what another does not.
//
// [Reader.Next] takes the instructions of WebAssembly 2.0 and nothing else, and
// it takes them as wazero does: bytes that the two read differently could hide
// what they do. Where wazero is more lenient than the specification, or reads a
// proposal that it does not have on, the reader refuses:
//
//   - The number behind the prefix 0xfd of vector instructions. wazero looks at
//     one byte, so a number from 128 on must be in two, the second being 1.
//   - Types of a block, a local, a select or a null that are of typed references.
//   - Numbers with more bytes than their size needs at most, or with unused bits
//     that are neither zeros nor the sign.
//
// It does not validate: types, alignments and indices are what its user makes
// of them. Untrusted input is expected. A number of elements is bounded by the
// bytes that are there, each instruction takes at least one, and nothing panics.
package wasmcode

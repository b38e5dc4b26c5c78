// Package wasmfile reads what a WebAssembly binary says of itself: imports,
// exports, memory, the toolchain that made it. It compiles nothing, does not look
// into data, and into code only when asked ([Module.Bodies]), so it takes
// microseconds, and can be used before a module is shipped or compiled. It does
// not validate: that a module parses here does not mean that it runs.
//
// [Parse] accepts core modules of version 1 with the sections of WebAssembly 2.0
// (also tags, shared and 64-bit memories, so that they can be named when they
// are refused later). For anything else its [Error] says what the bytes are,
// where they are wrong, and what to do. Untrusted input is expected: counts are
// bounded by the bytes that are there, so memory stays in proportion to the
// input, and nothing panics.
package wasmfile

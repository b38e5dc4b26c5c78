// Package build makes a module of source, with the compiler that is there.
//
//	main.go, main.c, main.rs, main.ts    one file
//	a directory with wnode.toml          whatever its command makes
//	a directory with Go files            the package
//	a directory with one main.c|rs|ts    that file
//
// A library is built as one: it has no _start, and its exports are what it is for. No
// flag says so, the source does. Go: it imports sdk/go/server, or has a
// //go:wasmexport and a main that does nothing. C and Rust: it has no main.
// AssemblyScript: its file exports something.
//
// wnode.toml is for all else:
//
//	build = "zig build -Doptimize=ReleaseSmall"    run by sh in the directory
//	output = "zig-out/bin/job.wasm"                what it makes there
//
// # What is not built again
//
// Go has a cache of its own, which knows more than we could; the module has a fixed
// place in [Options.Dir], and go build leaves it alone if nothing changed. So has,
// hopefully, whatever a wnode.toml runs. For the others a module is kept under the hash of
// all that went into it: the bytes of each file that the compiler read, by its own word, its
// version and its flags.
package build

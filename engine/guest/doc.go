// Package guest runs WebAssembly modules as processes of the engine, on wazero.
//
// One [Runner] serves a node: one wazero runtime for each tier, each module compiled
// once per CID and kept, in memory and on disk (codecache), a fresh instance per
// process. A module is admitted by what it would cost to compile (cost.go,
// limits.go); its very first run begins in the interpreter and moves to compiled
// code (first.go, journal.go). What a guest may call is given by
// [HostModules], which package hostfuncs implements; nothing of a process is
// captured at instantiation, so that instances can be pooled later.
//
// A guest is stopped through wazero's WithCloseOnContextDone. It slows guests
// several times and misses loops made of calls alone; the metering pass takes
// its place behind the same Runner.
package guest

// Package guest runs WebAssembly modules as processes of the engine, on wazero.
//
// One [Runner] serves a node: one wazero runtime, each module compiled once per
// CID and kept, a fresh instance per process. What a guest may call is given by
// [HostModules], which package hostfuncs implements; nothing of a process is
// captured at instantiation, so that instances can be pooled later.
//
// A guest is stopped through wazero's WithCloseOnContextDone. It slows guests
// several times and misses loops made of calls alone; the metering pass takes
// its place behind the same Runner.
package guest

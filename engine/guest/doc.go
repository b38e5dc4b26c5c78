// Package guest runs WebAssembly modules as processes of the engine, on wazero.
//
// One [Runner] serves a node: one wazero runtime, each module compiled once per
// CID and kept, a fresh instance per process. What a guest may call is given by
// [HostModules], which package hostfuncs implements; nothing of a process is
// captured at instantiation, so that instances can be pooled later.
//
// A module is rewritten so that it counts what it does (package meter). From
// time to time the count brings a guest to its host: there it ends if it is to,
// and gives way to others (package slots).
package guest

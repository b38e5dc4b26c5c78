// Package guest runs WebAssembly modules as processes of the engine, on wazero.
//
// One [Runner] serves a node: one wazero runtime, each module compiled once per
// CID and kept. What a guest may call is given by [HostModules], which package
// hostfuncs implements; nothing of a process is captured at instantiation.
//
// A process gets an instance of its own: a new one, or one whose process came
// to its own end and that was put back to the module's initial state, as package
// image describes it. Whatever was killed, trapped or met a limit is closed.
//
//	module ── admit ── meter ── image.Split ──▶ entry: compiled code, initial state
//	entry ── pool.take / newInstance ──▶ instance ── run ── reset ──▶ pool
//	spaces: slots for small memories, reservations for large ones
//
// A module is rewritten so that it counts what it does (package meter). From
// time to time the count brings a guest to its host: there it ends if it is to,
// and gives way to others (package slots).
package guest

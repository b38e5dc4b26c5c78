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
//	entry ── begin ──▶ the entry of a snapshot: a library behind its _initialize
//	spaces: slots for small memories, reservations for large ones
//
// A guest is stopped through wazero's WithCloseOnContextDone. It slows guests
// several times and misses loops made of calls alone; the metering pass takes
// its place behind the same Runner.
package guest

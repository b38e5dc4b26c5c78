// Package engine is the process model of wnode: pids, signals, exit reasons,
// group leaders, spawn. Names and semantics are those of Erlang/OTP.
//
// It is a core without sockets. Signals of other nodes come in through
// [Session.Deliver], signals to other nodes leave through a [Link]; what a
// process runs is behind [Runner], where modules come from behind [Modules],
// and how a node is reached behind [Dist]. Package enginetest wires engines in
// memory; package p2p wires them over libp2p.
//
// A run in five steps:
//
//  1. [Engine.Spawn] mints a [PID] on the target node and sends one Spawn
//     signal holding a [Spec]; nothing waits for an answer.
//  2. The target's [Session.Deliver] creates the [Process] at once in state
//     starting; a goroutine gets the module and hands both to the Runner.
//  3. The Runner's host functions use [Process.Write], [Process.Read] and
//     [Process.File], which talk to the process's group leader under credit.
//  4. The leader, a native process made by [Engine.Native], receives those
//     signals, also when it lives on the same node.
//  5. The end of the process is one Down for each monitor and one Exit for each
//     link, behind all its output.
package engine

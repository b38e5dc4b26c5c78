// Package control is what a node answers about itself: its status, processes,
// peers and modules, the supervision trees that it runs for others, and the requests to
// end a process or the node.
//
// There is no second control protocol. These are services of the engine, called
// by any node over its signal stream, with JSON in and out; the types here are
// also what the command prints with --json, so fields are only added. A [Server]
// offers them, a [Client] calls them, on this node or another.
package control

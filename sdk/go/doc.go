// Package wnode lets a Go program that runs on a wnode node be a process: it has
// a mailbox, spawns and watches other processes, on this node and others, and is
// found by names and groups. Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -o guest.wasm .
//
// A Go guest has one thread. [Receive] and [Call] let other goroutines run while
// they wait, and so do reads of standard input; any number of goroutines may do
// so. [Send] and its kin, [FindNode], and what uses a node that is not connected
// yet, hold up the whole program for as long as they take.
//
// Functions return an error that is a [Status], or a [Reason] where that is said;
// both work with [errors.Is]. What a process does not get is not an error: that
// there is nobody is told by links and monitors. The program may end in any call,
// when the process is killed or a link says so.
//
// A module that handles one message at a time, and has no stack between two, is a
// server: package server in the directory below.
package wnode

// Package image takes the initial state out of a module, so that an instance
// can be made, and made new again, without running the module's own data
// segments. It is a pass over the bytes of a valid module, before compilation
// and behind every other pass:
//
//	module ── Split ──▶ Code     what to compile: no active data segments,
//	                │            mutable globals exported as wnode:g0, wnode:g1, ...
//	                ├─▶ Data     what the segments would have written
//	                └─▶ Globals  what those globals are at the start
//
// An instance of Code whose memory was given Data is equal to one of the module:
// Split removes only what a guest cannot miss. Segments that it does not
// understand, that overlap, or that the code refers to again stay where they are.
//
// [Image.Resettable] says more: all that a run of the code can change is its
// memory and Globals, so that an instance that was used is as new when these
// have been put back. Tables that the code can write to, dropped segments and
// start functions make a module that is not.
//
// The same type describes a later state as well: a snapshot of an instance is
// Code with the memory and globals of that moment.
package image

// Package origin is the caller's side of a run: the group leader that owns the
// terminal. It writes what its processes write, in order and under credit,
// reads the terminal when a process asks for input, and serves the directories
// of --dir out of an os.Root.
//
// A [Leader] is one native process of the engine. Its handler only queues: one
// goroutine writes output, one reads input, one for each process works on
// files, so a terminal that stalls stops the processes that write to it and
// nothing else.
package origin

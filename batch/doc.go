// Package batch is the parallel map: it runs one module once for each of many
// tasks, on several nodes, and hands the results over in the order of the tasks.
//
// A map is one native process of the engine. [Run] spawns a process for each task,
// or with [Config.Worker] keeps servers and calls them, and is their group leader:
// what a process writes is the output of its task. Whatever is in it happens on one
// goroutine, the loop of Run; the native's handler only queues. Beside it one
// goroutine reads tasks, one asks for nodes, and one emits results.
//
// What is promised:
//
//   - Each task is executed at least once. A second time when a node dies, a process
//     is killed from outside, or it takes much longer than the others (Hedge): the
//     first may have had effects, or have them still.
//   - Each result is emitted exactly once, whole, and unless Unordered in the order of
//     the tasks. What a process wrote whose work was lost is dropped.
//   - Memory is bounded, however many tasks there are: no task is read that cannot
//     begin, at most [Window] are between their reading and their end in Emit, and
//     what one writes beyond [SpillAt] bytes is in a temporary file. A slow Emit holds
//     back the tasks, slow tasks the reading.
//
// What a task's children on other nodes write after it has ended is lost.
//
// [Template] and the functions beside it make tasks of lines, arguments and blocks as
// GNU parallel does; [Printer] is an Emit that writes to files and a terminal, and
// [Log] its journal.
package batch

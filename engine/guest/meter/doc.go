// Package meter rewrites a module so that it counts what it does, calls its host
// when it has done enough, and cannot take more stack than it is given.
//
// Generated code cannot be interrupted: a guest in a loop stops Go's garbage
// collector and with it the node. The rewritten module interrupts itself. It has
// one global more, the [Counter], which code takes from as it runs; below zero
// the host is called, which gives more, lets others run, or unwinds the guest.
// The import that is added comes behind the module's own, so the numbers of its
// functions rise by one; the global and the helper functions come last. Names and
// the text of stack traces stay as they were, debug information is dropped.
//
// # What is counted
//
// About one for each instruction on the longest way that can have been taken
// since the last charge (cost.go). Charges are
//
//   - on the way back to the head of a loop;
//   - at the begin of a function that can be called again before it returns, or
//     before such a call;
//   - after [maxRun] without another one, and before a call that would add up to more;
//   - in proportion to their length for operations on memory and tables. Those on
//     memory are done in pieces of 64 KiB with a charge before each.
//
// A function without any of these is paid by its callers. So each way through
// the code passes a charge within a bounded number of instructions, and what is
// counted depends on the module and its input only: not on how it is compiled,
// nor on how often the host is called, nor on the machine. A charge comes before
// what it lets run: with a limit of N the count is never above N, and a program
// that uses N in all ends as if there were no limit.
//
// # Stack
//
// A call that may come back to its function takes words of stack from the upper
// half of the counter, as many as the frame has by an estimate from the code, and
// gives them back behind it; the check is the same as that of the charge. A
// function with many such calls takes them once for all. Calls that are no
// recursion are not counted: [Info] tells what the longest chain of them takes.
//
// # Why it costs so little
//
// Most of the price of counting is what it does to the registers of wazero's
// code, not the counting. What brought it from 1.27 of the time of the unchanged
// code (a check at each function and loop) to about 1.03 (tests/bench, Metering):
//
//   - The check is inverted, "if it is not below zero, nothing, else call", as
//     wazero gives the registers of the way visited first to what follows.
//   - In a loop that calls nothing the call of the host is outside of the loop.
//   - Such loops, if they are short, are written several times in a row and
//     counted once in so many rounds.
//   - Only calls within a strongly connected component of the call graph are
//     charged; a table is taken to reach all functions of the type whose address
//     is taken.
//   - Go's compiler writes each jump as one to a dispatch at the head of a loop
//     around the whole function. Jumps forward go straight to their target, which
//     makes Go programs faster than they were, and only those backward are charged.
//
// The pass trusts nothing: what it reads it checks, so far as something depends
// on it. What the module's code does with types is left to the compiler, which
// sees the rewritten module: the instructions that are added are right for each
// stack, and the module can name none of the things that are added.
package meter

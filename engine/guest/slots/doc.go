// Package slots shares the cores among guests.
//
// Go is not made for many goroutines that only compute: it looks at the network
// when a processor of its own (one of GOMAXPROCS) has nothing else to do, and the
// kernel knows nothing of what a thread does. Two guests that computed on two
// cores made an echo take 9 ms. So at most as many guests run as there are
// slots, one for each core, and the others queue here; and the node gives Go two
// processors more than there are slots, of which one is left to wait for the
// network.
//
// # Who is next
//
// A guest has a virtual time: how long it has held slots. The one with the least
// goes first, so that guests that only compute get equal shares. When a guest
// wakes up its time is set to at least the least of those that run or queue,
// less a small bonus: having done little it goes ahead of those that compute, and
// it cannot save up time by doing nothing. Those that go ahead make one that
// computes give way at its next [Turn.Yield]; and most need not even wait for
// that, as there is one extra slot, which each of them may hold for 0.3 ms.
//
// Guests that begin go ahead too, on an account that they have in common: a flood
// of short processes goes ahead of others only as much as one guest would, and
// for the rest starts at the end of the queue.
//
// # Other threads
//
// A guest that computes for longer than that lets the other threads that are
// ready to run on its core go first every 0.1 ms, by sched_yield: the thread
// that has a packet for the node, or whatever else runs on this machine. It costs
// a microsecond and needs no privilege, unlike the class SCHED_IDLE, from which
// a thread does not get out without.
package slots

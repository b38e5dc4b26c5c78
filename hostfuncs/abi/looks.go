package abi

// Looks is a set of things of its host that a guest has looked at.
type Looks uint8

// What there is to look at.
const (
	LooksRandom   Looks = 1 << iota // random bytes
	LooksClock                      // the time, or the resolution of a clock
	LooksArgs                       // the command line
	LooksEnv                        // the environment
	LooksMounts                     // which directories it was given
	LooksTerminal                   // what its standard streams are
)

// LooksOf says what a call of a function of the host looks at. It is false for
// one that may do more than look: wait, or change something, at the host or in
// what later calls find there. The one change that is allowed is that of the
// flags of streams, as Go makes all of them non-blocking: [Init] keeps them.
func LooksOf(module, name string) (Looks, bool) {
	if module != WASI {
		return 0, false
	}
	switch name {
	case "random_get":
		return LooksRandom, true
	case "clock_time_get", "clock_res_get":
		return LooksClock, true
	case "args_get", "args_sizes_get":
		return LooksArgs, true
	case "environ_get", "environ_sizes_get":
		return LooksEnv, true
	case "fd_prestat_get", "fd_prestat_dir_name":
		return LooksMounts, true
	case "fd_fdstat_get", "fd_fdstat_set_flags": // of a stream or of a mount: nothing else is open at first
		return LooksMounts | LooksTerminal, true
	case "sched_yield":
		return 0, true
	}
	return 0, false
}

// Init is what the _initialize of a library did at its host.
type Init struct {
	StreamFlags [3]uint16 // that it left the standard streams with, of Fd*
	Looks       Looks
	RandomCalls int    // of random_get
	RandomBytes uint64 // that these asked for
	Acted       string // the function that does more than look, which was not carried out; "" none
}

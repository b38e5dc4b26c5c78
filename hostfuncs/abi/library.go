package abi

// A library is a module whose named exports are called, and that exports
//
//	_initialize: func()
//
// which then runs once before anything else of it. What that leaves in memory may
// be kept, and later processes of the same origin may begin with it instead: a
// library whose random state is to differ from process to process exports also
//
//	wnode_restored_buffer: func() -> ptr i32
//	wnode_restored:        func(ptr i32, len i32)
//
// both or none; with another signature the module is not run as a library. The
// first says where in memory RestoredSize bytes can be put; it is called once
// behind _initialize, and its answer is kept with the memory. Then, before the
// export that the process calls, the host writes random bytes there and calls
// the second with ptr and their number: in each process, whether _initialize ran
// in it or not, so that nothing that a guest can see, nor what it is charged,
// tells which. The bytes are of a cryptographic source, or follow from the seed
// of the spec. A ptr that is not inside memory, with the bytes, is a trap.
//
//	static uint8_t seed[32];
//	uint8_t *wnode_restored_buffer(void) { return seed; }
//	void wnode_restored(const uint8_t *p, size_t n) { reseed(p, n); }
const (
	Initialize     = "_initialize"
	RestoredBuffer = "wnode_restored_buffer"
	Restored       = "wnode_restored"
	RestoredSize   = 32
)

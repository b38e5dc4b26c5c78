package guest

import "syscall"

// madvHugePage is MADV_HUGEPAGE. Source: linux/include/uapi/asm-generic/mman-common.h.
const madvHugePage = 14

// hugeFrom is how much of a memory stays in small pages, so that a small guest
// takes no more than it touches.
const hugeFrom = 2 << 20

// preferHuge asks for large pages, as each first touch of a page is a trap to
// the kernel, in which a guest cannot be interrupted: 64 MiB of small ones can take 0.2 s.
func preferHuge(b []byte) {
	if len(b) > 2*hugeFrom {
		_ = syscall.Madvise(b[hugeFrom:], madvHugePage) // a kernel without them does as before
	}
}

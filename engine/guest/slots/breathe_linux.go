package slots

import "golang.org/x/sys/unix"

// breathe lets the other threads that are ready to run on this core run first,
// of this program or of others. Go is told that it is a system call: it may take
// milliseconds, and a collection of garbage need not wait for that.
func breathe() { unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

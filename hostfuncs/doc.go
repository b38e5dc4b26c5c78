// Package hostfuncs is what a guest can call: WASI preview 1, whole, with
// standard streams and files that are those of the process's group leader.
//
// Nothing of a process is kept in an instance. [Host.Enter] makes the state of
// one run (descriptor table, random source) and hangs it on the context; each
// call finds it there, so one set of host modules serves all processes of a
// runtime, and instances can be pooled.
//
//	guest ── fd_write(fd, iovs...) ──▶ call ──▶ engine.Process.Write ──▶ leader's stdout
//	guest ── path_open(dirfd, ...) ──▶ call ──▶ engine.Process.File ──▶ leader's file server
//
// Rules that hold for every function here, and are not said again at each:
//
//   - Pointers are offsets into the guest's memory. One that, with its length,
//     is not inside gives EFAULT, before anything is done.
//   - A descriptor that is not open gives EBADF; one without the right that the
//     function needs gives ENOTCAPABLE.
//   - The group leader's errors come through as they are; EIO is a leader that
//     is gone or does not keep the protocol.
//   - A function that blocks ends when its process is killed: it never returns,
//     the guest unwinds with exit code 137. That is the only trap besides proc_exit.
//
// Descriptors 0 to 2 are the standard streams, the mounts follow from 3 in the
// order of the spec. Offsets of files are kept here; what travels is positional.
package hostfuncs

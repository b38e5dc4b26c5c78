package origin

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func orOmit(ts *unix.Timespec) unix.Timespec {
	if ts == nil {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return *ts
}

// setTimes sets the times of an open file; nil leaves one alone.
func setTimes(fd int, atime, mtime *unix.Timespec) error {
	ts := [2]unix.Timespec{orOmit(atime), orOmit(mtime)}
	// futimens is utimensat without a path, which x/sys has no name for.
	_, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// setTimesAt sets the times of a name in a directory, of a link itself.
func setTimesAt(dir int, name string, atime, mtime *unix.Timespec) error {
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{orOmit(atime), orOmit(mtime)}, unix.AT_SYMLINK_NOFOLLOW)
}

// appendTo writes at the end of the file, wherever other writers move it.
func appendTo(f *os.File, b []byte) (n int, err error) {
	for n < len(b) {
		k, err := unix.Pwritev2(int(f.Fd()), [][]byte{b[n:]}, 0, unix.RWF_APPEND)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// allocate makes the file at least offset+size long, with blocks for it.
func allocate(f *os.File, offset, size int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), 0, offset, size); err != unix.EINTR {
			return err
		}
	}
}

func datasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

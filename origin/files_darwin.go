package origin

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// orKeep returns the times to set, with what the file has where one is nil:
// Darwin's calls cannot leave one out.
func orKeep(st *unix.Stat_t, atime, mtime *unix.Timespec) (a, m unix.Timespec) {
	a, m = st.Atim, st.Mtim
	if atime != nil {
		a = *atime
	}
	if mtime != nil {
		m = *mtime
	}
	return a, m
}

// setTimes sets the times of an open file, to the microsecond; nil leaves one alone.
func setTimes(fd int, atime, mtime *unix.Timespec) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	a, m := orKeep(&st, atime, mtime)
	return unix.Futimes(fd, []unix.Timeval{unix.NsecToTimeval(a.Nano()), unix.NsecToTimeval(m.Nano())})
}

// setTimesAt sets the times of a name in a directory, of a link itself.
func setTimesAt(dir int, name string, atime, mtime *unix.Timespec) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	a, m := orKeep(&st, atime, mtime)
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{a, m}, unix.AT_SYMLINK_NOFOLLOW)
}

// appendTo writes at the end of the file. Another program that appends at the
// same moment may be overwritten: Darwin has no call for one append.
func appendTo(f *os.File, b []byte) (int, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	return f.WriteAt(b, end)
}

// allocate makes the file at least offset+size long. It reserves no blocks.
func allocate(f *os.File, offset, size int64) error {
	st, err := f.Stat()
	if err != nil || st.Size() >= offset+size {
		return err
	}
	return f.Truncate(offset + size)
}

func datasync(f *os.File) error { return f.Sync() }

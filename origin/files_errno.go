package origin

import (
	"errors"
	"os"
	"syscall"

	"github.com/wnode-project/wnode/engine"
)

// Error numbers that this package itself gives.
// Source of all numbers here: WASI snapshot_preview1, type errno.
const (
	errnoBadFile      engine.Errno = 8
	errnoExists       engine.Errno = 20
	errnoInvalid      engine.Errno = 28
	errnoIO           engine.Errno = 29
	errnoIsDirectory  engine.Errno = 31
	errnoLoop         engine.Errno = 32
	errnoTooManyFiles engine.Errno = 33
	errnoNameTooLong  engine.Errno = 37
	errnoNoEntry      engine.Errno = 44
	errnoNoMemory     engine.Errno = 48
	errnoNotDirectory engine.Errno = 54
	errnoNotSupported engine.Errno = 58
	errnoNotPermitted engine.Errno = 63
	errnoReadOnly     engine.Errno = 69
	errnoStale        engine.Errno = 72
)

// errnoOf returns the number of an error of os or of a system call. What is
// neither is os.Root's refusal of a path that leads outside.
func errnoOf(err error) engine.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return errnoOfSystem(e)
	case errors.Is(err, os.ErrClosed):
		return errnoBadFile
	}
	return errnoNotPermitted
}

func errnoOfSystem(e syscall.Errno) engine.Errno {
	if e == syscall.EOPNOTSUPP { // on some systems ENOTSUP, so no case of its own
		return errnoNotSupported
	}
	switch e {
	case syscall.E2BIG:
		return 1
	case syscall.EACCES:
		return 2
	case syscall.EAGAIN:
		return 6
	case syscall.EBADF:
		return errnoBadFile
	case syscall.EBUSY:
		return 10
	case syscall.EDQUOT:
		return 19
	case syscall.EEXIST:
		return errnoExists
	case syscall.EFBIG:
		return 22
	case syscall.EILSEQ:
		return 25
	case syscall.EINTR:
		return 27
	case syscall.EINVAL:
		return errnoInvalid
	case syscall.EISDIR:
		return errnoIsDirectory
	case syscall.ELOOP:
		return errnoLoop
	case syscall.EMFILE:
		return errnoTooManyFiles
	case syscall.EMLINK:
		return 34
	case syscall.ENAMETOOLONG:
		return errnoNameTooLong
	case syscall.ENFILE:
		return 41
	case syscall.ENODEV:
		return 43
	case syscall.ENOENT:
		return errnoNoEntry
	case syscall.ENOMEM:
		return errnoNoMemory
	case syscall.ENOSPC:
		return 51
	case syscall.ENOSYS, syscall.ENOTSUP:
		return errnoNotSupported
	case syscall.ENOTDIR:
		return errnoNotDirectory
	case syscall.ENOTEMPTY:
		return 55
	case syscall.ENXIO:
		return 60
	case syscall.EOVERFLOW:
		return 61
	case syscall.EPERM:
		return errnoNotPermitted
	case syscall.EROFS:
		return errnoReadOnly
	case syscall.ESPIPE:
		return 70
	case syscall.ESTALE:
		return errnoStale
	case syscall.ETIMEDOUT:
		return 73
	case syscall.ETXTBSY:
		return 74
	case syscall.EXDEV:
		return 75
	}
	return errnoIO
}

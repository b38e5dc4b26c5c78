//go:build wasip1

package wnode

import (
	"io/fs"
	"os"
	"strconv"
)

// Status is why a function failed: an error number of WASI, never 0.
type Status uint16

// What functions fail with.
const (
	ErrTooBig      Status = 1  // a message, reason or spec is above its limit
	ErrExists      Status = 20 // the name is taken
	ErrFault       Status = 21 // a pointer is not in memory
	ErrInvalid     Status = 28 // an argument is wrong
	ErrNotFound    Status = 44 // there is no such message, or the timer does not run
	ErrNoMemory    Status = 48 // a limit of the node
	ErrUnsupported Status = 52 // the program is no process of a node
	ErrNoProcess   Status = 71 // there is no such process, name or node
	ErrTimeout     Status = 73 // nothing came in time
	ErrNotCapable  Status = 76 // not granted, or the process is of another origin
)

var statusText = map[Status]string{
	ErrTooBig: "too big", ErrExists: "the name is taken", ErrFault: "not in memory", ErrInvalid: "invalid argument",
	ErrNotFound: "not found", ErrNoMemory: "limit of the node", ErrUnsupported: "not supported",
	ErrNoProcess: "no such process, name or node", ErrTimeout: "timeout", ErrNotCapable: "not capable",
}

// Error returns a text such as "wnode: timeout".
func (s Status) Error() string {
	if text := statusText[s]; text != "" {
		return "wnode: " + text
	}
	return "wnode: status " + strconv.Itoa(int(s))
}

// Timeout reports whether s is ErrTimeout.
func (s Status) Timeout() bool { return s == ErrTimeout }

// Is makes a Status match the error of package fs or os that means the same.
func (s Status) Is(target error) bool {
	switch target {
	case fs.ErrExist:
		return s == ErrExists
	case fs.ErrNotExist:
		return s == ErrNotFound || s == ErrNoProcess
	case fs.ErrInvalid:
		return s == ErrInvalid
	case fs.ErrPermission:
		return s == ErrNotCapable
	case os.ErrDeadlineExceeded:
		return s == ErrTimeout
	}
	return false
}

// failed returns the error for what a host function returned.
func failed(status uint32) error {
	if status == 0 {
		return nil
	}
	return Status(status)
}

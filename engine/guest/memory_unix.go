//go:build unix

package guest

import "syscall"

// unreserve gives back what reserve returned, with all that is mapped there.
func unreserve(b []byte) {
	if b == nil {
		return
	}
	if err := syscall.Munmap(b[:cap(b)]); err != nil {
		panic("linear memory: " + err.Error())
	}
}

//go:build unix && !linux

package guest

import (
	"os"
	"syscall"
)

// reserve returns n zero bytes of private anonymous memory, n above 0; pages
// are taken on first touch.
func reserve(n uint64) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	return b, os.NewSyscallError("mmap", err)
}

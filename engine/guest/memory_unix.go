//go:build unix

package guest

import "syscall"

// reserve returns n zero bytes of private anonymous memory; pages are taken on
// first touch. It panics if the address space is used up: wazero has no way to
// refuse here, and turns the panic into the error of the instantiation.
func reserve(n uint64) []byte {
	if n == 0 {
		return nil
	}
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic("linear memory: " + err.Error())
	}
	preferHuge(b)
	return b
}

func unreserve(b []byte) {
	if b == nil {
		return
	}
	if err := syscall.Munmap(b); err != nil {
		panic("linear memory: " + err.Error())
	}
}

package guest

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wnode-project/wnode/engine/guest/image"
)

// reserve returns n zero bytes of private anonymous memory, n above 0; pages
// are taken on first touch, and nothing is set aside for them.
func reserve(n uint64) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	return b, os.NewSyscallError("mmap", err)
}

// discard gives the pages of b back: they read as zeros again, or as the image
// that is mapped there.
func discard(b []byte) {
	if len(b) == 0 {
		return
	}
	if err := unix.Madvise(b, unix.MADV_DONTNEED); err != nil {
		panic("linear memory: madvise: " + err.Error())
	}
}

// hugeFrom is how much of a memory stays in small pages, so that a small guest
// takes no more than it touches.
const hugeFrom = 2 << 20

// preferHuge asks for large pages, as each first touch of a page is a trap to
// the kernel, in which a guest cannot be interrupted: 64 MiB of small ones can take 0.2 s.
func preferHuge(b []byte) {
	if len(b) > 2*hugeFrom {
		_ = unix.Madvise(b[hugeFrom:], unix.MADV_HUGEPAGE) // a kernel without them does as before
	}
}

// smallPages keeps the system from giving a huge page to a slot that needs two
// small ones. Systems without huge pages refuse, and need it not.
func smallPages(b []byte) { _ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) }

// imageFile is initial memory in a file that has no name, to be mapped by many
// instances that each keep only the pages that they change.
type imageFile struct {
	f *os.File
	b []byte // all of it: read only
}

// newImageFile makes a file of size bytes, above 0, with the segments in it.
func newImageFile(size uint64, segments []image.Segment) (*imageFile, error) {
	fd, err := unix.MemfdCreate("wnode-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := &imageFile{f: os.NewFile(uintptr(fd), "wnode-image")}
	if err := f.fill(size, segments); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *imageFile) fill(size uint64, segments []image.Segment) error {
	fd := int(f.f.Fd())
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	b, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	for _, s := range segments {
		copy(b[s.Offset:], s.Bytes)
	}
	if err := unix.Munmap(b); err != nil {
		return os.NewSyscallError("munmap", err)
	}
	// Nobody can change it any more, not even by mistake.
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	f.b, err = unix.Mmap(fd, 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	return os.NewSyscallError("mmap", err)
}

// mapTo puts the image at the start of a reservation.
func (f *imageFile) mapTo(b []byte) error {
	_, err := unix.MmapPtr(int(f.f.Fd()), 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(f.b)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
	return os.NewSyscallError("mmap", err)
}

// close gives the file up. What mapTo mapped stays.
func (f *imageFile) close() {
	if f.b != nil {
		_ = unix.Munmap(f.b)
	}
	_ = f.f.Close()
}

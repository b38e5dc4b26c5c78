package hostfuncs

import (
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// memory is the guest's linear memory, or none. What it returns is a view: it
// stays valid for the length of a host call, as the guest cannot grow its
// memory meanwhile.
type memory struct{ m api.Memory }

// bytes returns the n bytes at ptr.
func (m memory) bytes(ptr, n uint64) ([]byte, abi.Errno) {
	// Arguments are i32s: wazero leaves the upper half of the word unspecified.
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))
	if m.m == nil {
		return nil, abi.EFAULT
	}
	b, ok := m.m.Read(uint32(ptr), uint32(n))
	if !ok {
		return nil, abi.EFAULT
	}
	return b, 0
}

// array returns the n records of the given size at ptr.
func (m memory) array(ptr, n uint64, size uint64) ([]byte, abi.Errno) {
	total := uint64(uint32(n)) * size
	if total > math.MaxUint32 {
		return nil, abi.EFAULT
	}
	return m.bytes(ptr, total)
}

// path returns the path of n bytes at ptr, copied. ENAMETOOLONG, or EINVAL if
// it holds a NUL, which no file system has in a name.
func (m memory) path(ptr, n uint64) (string, abi.Errno) {
	if uint32(n) > abi.MaxPath {
		return "", abi.ENAMETOOLONG
	}
	b, errno := m.bytes(ptr, n)
	if errno != 0 {
		return "", errno
	}
	for _, c := range b {
		if c == 0 {
			return "", abi.EINVAL
		}
	}
	return string(b), 0
}

// iovecs is a list of buffers in guest memory, used up from its front.
type iovecs struct {
	list  [][]byte
	total int // bytes left
}

// iovecs returns the n buffers that the iovec array at ptr lists. EINVAL if
// there are too many or if their sum is above what a result can say.
func (m memory) iovecs(ptr, n uint64) (iovecs, abi.Errno) {
	var v iovecs
	raw, errno := m.array(ptr, n, abi.SizeIovec)
	if errno != 0 {
		return v, errno
	}
	if uint32(n) > abi.MaxIovecs {
		return v, abi.EINVAL
	}
	v.list = make([][]byte, 0, uint32(n))
	for ; len(raw) > 0; raw = raw[abi.SizeIovec:] {
		b, errno := m.bytes(uint64(le.Uint32(raw)), uint64(le.Uint32(raw[4:])))
		if errno != 0 {
			return v, errno
		}
		if len(b) == 0 {
			continue
		}
		v.list = append(v.list, b)
		if v.total += len(b); v.total > math.MaxInt32 {
			return v, abi.EINVAL
		}
	}
	return v, 0
}

// put copies b into the buffers and returns how much fitted.
func (v *iovecs) put(b []byte) (n int) {
	for len(b) > 0 && len(v.list) > 0 {
		k := copy(v.list[0], b)
		b = b[k:]
		n += k
		v.skip(k)
	}
	return n
}

// take appends the next n bytes of the buffers to b, less if there are less.
func (v *iovecs) take(b []byte, n int) []byte {
	for n > 0 && len(v.list) > 0 {
		k := min(n, len(v.list[0]))
		b = append(b, v.list[0][:k]...)
		n -= k
		v.skip(k)
	}
	return b
}

// skip drops n bytes, at most the length of the first buffer.
func (v *iovecs) skip(n int) {
	v.total -= n
	if v.list[0] = v.list[0][n:]; len(v.list[0]) == 0 {
		v.list = v.list[1:]
	}
}

var le = binary.LittleEndian

package hostfuncs

import (
	"errors"
	"slices"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// What the functions of module wnode have in common. Pids, references and nodes are
// pointers to 32, 32 and 16 bytes. A function that has not enough room for its
// result is E2BIG, with the size that it needs where the length of the result goes,
// and changes nothing. EFAULT: a pointer is not in memory.

// own makes a function of one that needs a process of an engine.
func own(f func(c *call, p *engine.Process, a []uint64) abi.Errno) function {
	return func(c *call, a []uint64) abi.Errno {
		if c.self == nil {
			return abi.ENOSYS
		}
		errno := f(c, c.self, a)
		c.live()
		return errno
	}
}

// errnoOf returns the status for an error of the engine.
func errnoOf(err error) abi.Errno {
	var r engine.Reason
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &r):
		return abi.EIO
	}
	switch r.Word {
	case engine.NoProc, engine.NoConnection, engine.ModuleNotFound:
		return abi.ESRCH
	case engine.NameTaken:
		return abi.EEXIST
	case engine.NotGranted, engine.NotAllowed:
		return abi.ENOTCAPABLE
	case engine.SystemLimit:
		return abi.ENOMEM
	}
	return abi.EINVAL
}

// pid reads a pid.
func (m memory) pid(ptr uint64) (engine.PID, abi.Errno) {
	b, errno := m.bytes(ptr, abi.SizePID)
	if errno != 0 {
		return engine.PID{}, errno
	}
	p, _ := engine.PIDFromBinary(b) // 32 bytes are enough
	return p, 0
}

// optional reads a pid or reference, the zero one for a null pointer.
func (m memory) optional(ptr uint64) (engine.PID, abi.Errno) {
	if uint32(ptr) == 0 {
		return engine.PID{}, 0
	}
	return m.pid(ptr)
}

// node reads a node's id; a null pointer is self.
func (m memory) node(ptr uint64, self engine.NodeID) (n engine.NodeID, errno abi.Errno) {
	if uint32(ptr) == 0 {
		return self, 0
	}
	b, errno := m.bytes(ptr, abi.SizeNode)
	copy(n[:], b)
	return n, errno
}

// name reads a name of n bytes. What cannot be one is EINVAL.
func (m memory) name(ptr, n uint64) (string, abi.Errno) {
	if uint32(n) > abi.MaxName {
		return "", abi.EINVAL
	}
	b, errno := m.bytes(ptr, n)
	if errno == 0 && !engine.ValidName(string(b)) {
		errno = abi.EINVAL
	}
	return string(b), errno
}

// out returns the 32 bytes at ptr, for a pid or reference.
func (m memory) out(ptr uint64) ([]byte, abi.Errno) { return m.bytes(ptr, abi.SizePID) }

func putPID(b []byte, p engine.PID) { _, _ = p.AppendBinary(b[:0]) } // never fails

// result writes the parts, one behind the other, to the n bytes at ptr, and their
// length, u32, to length.
func (m memory) result(ptr, n, length uint64, parts ...[]byte) abi.Errno {
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	size, errno := m.bytes(length, 4)
	if errno != 0 {
		return errno
	}
	if total > int(uint32(n)) {
		le.PutUint32(size, uint32(total))
		return abi.E2BIG
	}
	b, errno := m.bytes(ptr, uint64(total))
	if errno != 0 {
		return errno
	}
	le.PutUint32(size, uint32(total))
	for _, p := range parts {
		b = b[copy(b, p):]
	}
	return 0
}

// reason reads a reason of n bytes.
func (m memory) reason(ptr, n uint64) (r engine.Reason, errno abi.Errno) {
	if uint32(n) > abi.MaxReason {
		return r, abi.E2BIG
	}
	b, errno := m.bytes(ptr, n)
	if errno != 0 {
		return r, errno
	}
	if len(b) < abi.SizeReason {
		return r, abi.EINVAL
	}
	word, detail := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	if word == 0 || word > abi.MaxWord || len(b) != abi.SizeReason+word+detail {
		return r, abi.EINVAL
	}
	text := b[abi.SizeReason:]
	return engine.Reason{Word: engine.Word(text[:word]), Detail: string(text[word:]), Code: le.Uint32(b)}, 0
}

// appendReason appends a reason as a guest reads it.
func appendReason(b []byte, r engine.Reason) []byte {
	word, detail := r.Word[:min(len(r.Word), abi.MaxWord)], r.Detail[:min(len(r.Detail), abi.MaxReason-abi.SizeReason-abi.MaxWord)]
	b = le.AppendUint32(b, r.Code)
	b = le.AppendUint16(b, uint16(len(word)))
	b = le.AppendUint16(b, uint16(len(detail)))
	return slices.Concat(b, []byte(word), []byte(detail))
}

package hostfuncs

import (
	"crypto/sha256"
	"hash"

	"lukechampine.com/blake3"

	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// sha256Sum writes the SHA-256 of the bytes at ptr, length n, to out: 32 bytes.
// EFAULT if they, or out, are not in memory.
func sha256Sum(c *call, a []uint64) abi.Errno { return c.hash(sha256.New(), a) }

// blake3Sum is as sha256Sum, for BLAKE3 with 32 bytes of output.
func blake3Sum(c *call, a []uint64) abi.Errno { return c.hash(blake3.New(sha256.Size, nil), a) }

// hashPiece is how much is hashed between two looks whether the guest is to
// end: about a millisecond.
const hashPiece = 1 << 20

func (c *call) hash(h hash.Hash, a []uint64) abi.Errno {
	in, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	out, errno := c.mem.bytes(a[2], uint64(h.Size()))
	if errno != 0 {
		return errno
	}
	for len(in) > 0 {
		n := min(len(in), hashPiece)
		h.Write(in[:n])
		in = in[n:]
		c.step()
	}
	h.Sum(out[:0])
	return 0
}

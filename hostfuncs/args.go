package hostfuncs

import (
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// argv returns the arguments of the guest. Those of a named entry are passed
// as Wasm values instead.
func argv(s *engine.Spec) []string {
	args := []string{s.Module.Name}
	if s.Entry == "" || s.Entry == "_start" {
		args = append(args, s.Args...)
	}
	return args
}

// argsGet writes the command line: pointers, and the NUL-terminated strings
// they point to.
//
//	argv: u32 × argc    buf: "prog\0arg\0"
func argsGet(c *call, a []uint64) abi.Errno { return c.putStrings(argv(c.p.Spec()), a[0], a[1]) }

// argsSizesGet writes how many arguments there are and the size of their
// strings, u32 each.
func argsSizesGet(c *call, a []uint64) abi.Errno { return c.putSizes(argv(c.p.Spec()), a[0], a[1]) }

// environGet writes the environment, laid out as by args_get, "K=V" each.
func environGet(c *call, a []uint64) abi.Errno { return c.putStrings(c.p.Spec().Env, a[0], a[1]) }

// environSizesGet is to environ_get what args_sizes_get is to args_get.
func environSizesGet(c *call, a []uint64) abi.Errno { return c.putSizes(c.p.Spec().Env, a[0], a[1]) }

func stringsSize(list []string) (n uint64) {
	for _, s := range list {
		n += uint64(len(s)) + 1
	}
	return n
}

func (c *call) putStrings(list []string, ptrs, buf uint64) abi.Errno {
	p, errno := c.mem.array(ptrs, uint64(len(list)), 4)
	if errno != 0 {
		return errno
	}
	b, errno := c.mem.bytes(buf, stringsSize(list))
	if errno != 0 {
		return errno
	}
	at := uint32(buf)
	for i, s := range list {
		le.PutUint32(p[4*i:], at)
		n := copy(b, s)
		b[n] = 0
		b = b[n+1:]
		at += uint32(n) + 1
	}
	return 0
}

func (c *call) putSizes(list []string, count, size uint64) abi.Errno {
	p, errno := c.mem.bytes(count, 4)
	if errno != 0 {
		return errno
	}
	q, errno := c.mem.bytes(size, 4)
	if errno != 0 {
		return errno
	}
	le.PutUint32(p, uint32(len(list)))
	le.PutUint32(q, uint32(stringsSize(list)))
	return 0
}

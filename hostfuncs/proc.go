package hostfuncs

import (
	"runtime"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// procExit ends the guest with an exit code. It does not return: compilers put
// an unreachable behind it.
func procExit(c *call, a []uint64) abi.Errno {
	code := uint32(a[0])
	panic(sys.NewExitError(code))
}

// procRaise is ENOTSUP: there are no signals. It has left the standard.
func procRaise(*call, []uint64) abi.Errno { return abi.ENOTSUP }

// schedYield lets other guests run.
func schedYield(c *call, _ []uint64) abi.Errno {
	c.p.Pause()
	runtime.Gosched()
	c.p.Resume()
	c.live()
	return 0
}

// There are no sockets: each function is ENOTSOCK on any open descriptor, and
// looks at nothing else.

func sockAccept(c *call, a []uint64) abi.Errno   { return c.noSocket(a[0]) }
func sockRecv(c *call, a []uint64) abi.Errno     { return c.noSocket(a[0]) }
func sockSend(c *call, a []uint64) abi.Errno     { return c.noSocket(a[0]) }
func sockShutdown(c *call, a []uint64) abi.Errno { return c.noSocket(a[0]) }

func (c *call) noSocket(fd uint64) abi.Errno {
	if _, errno := c.fds.get(fd, 0); errno != 0 {
		return errno
	}
	return abi.ENOTSOCK
}

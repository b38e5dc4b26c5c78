package hostfuncs

import (
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// input copies what the process was given as the input of a call; no bytes if it is
// none, or was given none. E2BIG if it does not fit.
//
//	input(buf, cap, len)
func input(c *call, p *engine.Process, a []uint64) abi.Errno {
	return c.mem.result(a[0], a[1], a[2], p.Spec().Input)
}

// output appends n bytes to what the process returns to who called it. They take the
// place of the results of the export, and nobody sees them if the process is no call or
// does not end with reason normal. E2BIG beyond abi.MaxMessage in all.
//
//	output(ptr, n)
func output(c *call, p *engine.Process, a []uint64) abi.Errno {
	b, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	if p.Return(b) != nil {
		return abi.E2BIG
	}
	return 0
}

// raise, which guests import as error, ends the process with an error for who called
// it, text of n bytes, and does not return: the reason is thrown. E2BIG above
// abi.MaxReason.
//
//	error(ptr, n)
func raise(c *call, p *engine.Process, a []uint64) abi.Errno {
	if uint32(a[1]) > abi.MaxReason {
		return abi.E2BIG
	}
	b, errno := c.mem.bytes(a[0], a[1])
	if errno != 0 {
		return errno
	}
	p.Leave(engine.Reason{Word: engine.Thrown, Detail: string(b)}, engine.EndThrown)
	panic(sys.NewExitError(exitKilled))
}

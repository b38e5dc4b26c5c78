package hostfuncs

import (
	"context"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// EnterInit is as Enter, for a run of a library's _initialize whose outcome is
// to be used for other processes too: the guest sees what it would see in p, and
// is unwound, with exit code 137, by the first call that would do more than
// look; that is not carried out. The function, called once after the run,
// releases what the run held and says what was looked at.
func (h *Host) EnterInit(ctx context.Context, p *engine.Process) (context.Context, func() abi.Init) {
	return h.enterInit(ctx, p)
}

func (h *Host) enterInit(ctx context.Context, p process) (context.Context, func() abi.Init) {
	g, leave := h.enter(ctx, p)
	init := &abi.Init{}
	g.init = init
	return g, func() abi.Init {
		for i := range init.StreamFlags {
			init.StreamFlags[i] = g.fds.streams[i].flags
		}
		leave()
		return *init
	}
}

// Initialized puts what a run of _initialize left at the host into a run that
// begins with its outcome. ctx is of Enter, and the guest has not run yet.
func (h *Host) Initialized(ctx context.Context, did abi.Init) {
	g := ctx.Value(guestKey{}).(*guest)
	for i, flags := range did.StreamFlags {
		g.fds.streams[i].flags = flags
	}
}

// Handling says that a server is about to handle a message, nil for none any more,
// and returns its size, in bytes, as the guest can copy it. ctx is of Enter.
func (h *Host) Handling(ctx context.Context, m *engine.Message) uint32 {
	g := ctx.Value(guestKey{}).(*guest)
	g.current = m
	if m == nil {
		return 0
	}
	return abi.SizeMessage + uint32(len(payload(m)))
}

// watched returns the function with a look at it first, in a run of EnterInit.
func watched(f abi.Func, fn function) function {
	looks, looksOnly := abi.LooksOf(f.Module, f.Name)
	return func(c *call, args []uint64) abi.Errno {
		if c.init != nil {
			if !looksOnly {
				c.init.Acted = f.Name
				panic(sys.NewExitError(exitKilled))
			}
			c.init.Looks |= looks
			if looks&abi.LooksRandom != 0 {
				c.init.RandomCalls++
				c.init.RandomBytes += uint64(uint32(args[1]))
			}
		}
		return fn(c, args)
	}
}

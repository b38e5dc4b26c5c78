package hostfuncs

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Host implements the host modules of guests. It is safe for concurrent use.
type Host struct {
	start time.Time // zero of the monotonic clock of all guests
}

// New returns a Host.
func New() *Host { return &Host{start: time.Now()} }

// Instantiate adds the host modules to a runtime, once for each runtime. They
// live as long as the runtime.
func (h *Host) Instantiate(ctx context.Context, r wazero.Runtime) error {
	impl := functions()
	byModule := map[string]wazero.HostModuleBuilder{}
	for _, f := range abi.Functions() {
		fn := impl[f.Name]
		if fn == nil {
			return fmt.Errorf("no implementation of %s.%s", f.Module, f.Name)
		}
		b := byModule[f.Module]
		if b == nil {
			b = r.NewHostModuleBuilder(f.Module)
			byModule[f.Module] = b
		}
		b.NewFunctionBuilder().
			WithGoModuleFunction(dispatch(watched(f, fn), len(f.Results) > 0), f.Params, f.Results).
			WithName(f.Name).Export(f.Name)
	}
	for name, b := range byModule {
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("host module %s: %w", name, err)
		}
	}
	return nil
}

// Enter returns the context that all calls into the guest of one run of p get,
// and a function that releases what the run held. What the run has open at the
// group leader is closed by the leader, when p ends.
func (h *Host) Enter(ctx context.Context, p *engine.Process) (context.Context, func()) {
	return h.enter(ctx, p)
}

func (h *Host) enter(ctx context.Context, p process) (*guest, func()) {
	g := &guest{Context: ctx, host: h, p: p, life: p.Context(), random: newRandom(p.Spec().Seed), clock: clock{Clock: p.Spec().Clock}}
	g.self, _ = p.(*engine.Process)
	g.fds.init(p.Spec())
	return g, func() { g.fds, g.scratch, g.dir, g.call = table{}, nil, dirPiece{}, call{} }
}

// process is what host functions need of an engine.Process.
type process interface {
	Context() context.Context
	Spec() *engine.Spec
	Write(s engine.Stream, b []byte) (int, error)
	Read(b []byte, block bool) (int, error)
	Readable() <-chan struct{}
	File(reqs ...*engine.FileRequest) ([]*engine.FileReply, error)
	Yield()
	Pause()
	Resume()
}

var _ process = (*engine.Process)(nil)

// guest is the state of one run. It is itself the context of the run's calls,
// so that the usual call finds it without a walk. A guest has one thread, so
// nothing here is locked.
type guest struct {
	context.Context
	host    *Host
	p       process
	life    context.Context // of p
	self    *engine.Process // p, if it is one of an engine: with mailbox and links
	current *engine.Message // that a server handles; nil: none
	seen    uint64          // the last message that peek gave of all: mailbox_fd is for those behind it
	fds     table
	random  random
	clock   clock
	scratch []byte // joins small writes
	dir     dirPiece
	call    call      // the one under way
	init    *abi.Init // of EnterInit; else nil
}

type guestKey struct{}

// Value makes the guest findable under contexts derived from it.
func (g *guest) Value(key any) any {
	if _, ok := key.(guestKey); ok {
		return g
	}
	return g.Context.Value(key)
}

// call is one call of a host function.
type call struct {
	*guest
	mod api.Module
	mem memory
}

// function implements a host function. args are the Wasm arguments.
type function func(c *call, args []uint64) abi.Errno

// dispatch adapts f to wazero.
func dispatch(f function, result bool) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		g, ok := ctx.(*guest)
		if !ok {
			if g, ok = ctx.Value(guestKey{}).(*guest); !ok {
				panic("host function called outside Host.Enter")
			}
		}
		g.live()
		if g.call.mod != mod {
			g.call = call{guest: g, mod: mod, mem: memoryOf(mod)}
		}
		errno := f(&g.call, stack)
		if result {
			stack[0] = uint64(errno)
		}
	}
}

// memoryOf returns the memory of a module. That of a module that has none is a
// nil pointer inside an interface that is not nil.
func memoryOf(mod api.Module) memory {
	m := mod.Memory()
	if m == nil || reflect.ValueOf(m).IsNil() {
		return memory{}
	}
	return memory{m}
}

// live unwinds the guest if its process is to end: a host function that merely
// returned might let the guest finish as if nothing had happened.
func (g *guest) live() {
	if g.life.Err() != nil {
		panic(sys.NewExitError(exitKilled))
	}
}

// step is called between pieces of long work, of about a millisecond: other
// guests may have to go first, or the guest unwinds.
func (g *guest) step() {
	g.p.Yield()
	g.live()
}

// exitKilled is the exit code of an instance that is unwound. The engine knows
// the process's reason and does not look at it. As a shell's for SIGKILL.
const exitKilled = 137

// wait returns when c, d or t has something, nil for none, or unwinds the guest.
// Other guests run meanwhile.
func (g *guest) wait(c, d <-chan struct{}, t <-chan time.Time) {
	select {
	case <-c:
		return
	case <-d:
		return
	case <-t:
		return
	default:
	}
	g.live()
	g.p.Pause()
	select {
	case <-c:
	case <-d:
	case <-t:
	case <-g.life.Done():
	}
	g.p.Resume()
	g.live()
}

// files has the leader carry out requests and returns the replies in order.
// An errno in a reply is the caller's to look at.
func (g *guest) files(reqs ...*engine.FileRequest) ([]*engine.FileReply, abi.Errno) {
	replies, err := g.p.File(reqs...)
	if err != nil || len(replies) != len(reqs) {
		g.live()
		return nil, abi.EIO
	}
	return replies, 0
}

// file has the leader carry out one request.
func (g *guest) file(req *engine.FileRequest) (*engine.FileReply, abi.Errno) {
	replies, errno := g.files(req)
	if errno != 0 {
		return nil, errno
	}
	return replies[0], abi.Errno(replies[0].Errno)
}

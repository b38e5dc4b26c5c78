package hostfuncs

import (
	"context"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// What LooksOf lets through is there, and of all else not a single call is
// carried out in a run of EnterInit.
func TestInitLooks(t *testing.T) {
	h := New()
	looks := 0
	for _, f := range abi.Functions() {
		_, ok := abi.LooksOf(f.Module, f.Name)
		if ok {
			looks++
		}
		ctx, leave := h.enterInit(t.Context(), idle{t.Context(), &engine.Spec{}})
		carried := false
		fn := watched(f, func(*call, []uint64) abi.Errno { carried = true; return 0 })
		func() {
			defer func() {
				if r := recover(); (r == nil) != ok {
					t.Errorf("%s: %v", f.Name, r)
				}
			}()
			fn(&call{guest: ctx.Value(guestKey{}).(*guest)}, make([]uint64, len(f.Params)))
		}()
		did := leave()
		if carried != ok || (did.Acted == "") != ok || !ok && did.Acted != f.Name {
			t.Errorf("%s: carried out %v, %+v", f.Name, carried, did)
		}
	}
	if looks != 12 {
		t.Errorf("%d functions only look", looks)
	}
}

// The flags of streams are handed from one run to the next.
func TestInitFlags(t *testing.T) {
	h := New()
	p := idle{t.Context(), &engine.Spec{}}
	ctx, leave := h.enterInit(t.Context(), p)
	ctx.Value(guestKey{}).(*guest).fds.fds[1].flags = abi.FdNonblock
	did := leave()
	g, done := h.enter(t.Context(), p)
	defer done()
	h.Initialized(g, did)
	if did.StreamFlags != [3]uint16{1: abi.FdNonblock} || g.fds.fds[1].flags != abi.FdNonblock || g.fds.fds[0].flags != 0 {
		t.Errorf("%+v, then %d", did, g.fds.fds[1].flags)
	}
}

// idle is a process without a leader.
type idle struct {
	ctx  context.Context
	spec *engine.Spec
}

func (p idle) Context() context.Context                 { return p.ctx }
func (p idle) Spec() *engine.Spec                       { return p.spec }
func (p idle) Yield()                                   {}
func (p idle) Pause()                                   {}
func (p idle) Resume()                                  {}
func (p idle) Write(engine.Stream, []byte) (int, error) { return 0, engine.ErrLeaderGone }
func (p idle) Read([]byte, bool) (int, error)           { return 0, engine.ErrLeaderGone }
func (p idle) Readable() <-chan struct{}                { return nil }
func (p idle) File(...*engine.FileRequest) ([]*engine.FileReply, error) {
	return nil, engine.ErrLeaderGone
}

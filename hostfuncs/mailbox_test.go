package hostfuncs

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// runOwn runs f with a proxy module that is a process of an engine.
func runOwn(t *testing.T, f func(x *proxy, p *engine.Process)) {
	t.Helper()
	e := engine.New(engine.Config{Node: engine.NodeID{1}, Name: "kate", Incarnation: 1})
	defer e.Close()
	done := make(chan struct{})
	e.Go("proxy", func(p *engine.Process) engine.Reason {
		defer close(done)
		ctx := context.Background()
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
		defer rt.Close(ctx)
		h := New()
		if err := h.Instantiate(ctx, rt); err != nil {
			t.Error(err)
			return engine.Reason{Word: engine.Normal}
		}
		g, leave := h.enter(ctx, p)
		defer leave()
		mod, err := rt.Instantiate(g, proxyModule(true))
		if err != nil {
			t.Error(err)
			return engine.Reason{Word: engine.Normal}
		}
		f(&proxy{t: t, ctx: g, mod: mod, g: g}, p)
		return engine.Reason{Word: engine.Normal}
	})
	<-done
}

// The descriptor of the mailbox is readable for messages that peek has not given,
// so that one may stay there while the program waits for another.
func TestMailboxFdAndPeek(t *testing.T) {
	runOwn(t, func(x *proxy, p *engine.Process) {
		const buf, cursor, length, fd, match = 4096, 8, 16, 24, 128
		x.want(0, "mailbox_fd", fd)
		ready := func() bool {
			t.Helper()
			m := x.mod.Memory()
			m.Write(1024, make([]byte, 2*abi.SizeSubscription)) // a clock that is due now, and the mailbox
			m.WriteUint32Le(1024+16, abi.ClockMonotonic)
			m.WriteByte(1024+abi.SizeSubscription+8, abi.EventFdRead)
			m.WriteUint32Le(1024+abi.SizeSubscription+16, x.u32(fd))
			x.want(0, "poll_oneoff", 1024, 2048, 2, length)
			return x.u32(length) == 2
		}
		is := func(want bool, when string) {
			t.Helper()
			if got := ready(); got != want {
				t.Errorf("readable %s: %v", when, got)
			}
		}
		send := func(tag uint64) {
			if err := p.Send(p.PID(), &engine.Message{Kind: engine.MessageData, Tag: tag}); err != nil {
				t.Error(err)
			}
		}
		is(false, "with no message")
		send(1)
		send(2)
		is(true, "with two")
		x.mod.Memory().Write(match, make([]byte, abi.SizeMatch))
		x.mod.Memory().WriteUint64Le(match+8, 2)
		x.mod.Memory().WriteUint64Le(match+16, ^uint64(0))
		x.want(0, "peek", match, cursor, buf, 80, length)
		is(true, "when peek gave some of them")
		x.mod.Memory().WriteUint64Le(cursor, 0)
		x.want(0, "peek", 0, cursor, buf, 80, length)
		is(true, "when peek gave the first")
		x.want(0, "peek", 0, cursor, buf, 80, length)
		is(false, "when peek gave both")
		x.want(abi.ENOENT, "peek", 0, cursor, buf, 80, length)
		x.want(0, "receive", 0, buf, 80, 0, length)
		is(false, "when one was received")
		send(3)
		is(true, "with a new one")
		x.want(abi.E2BIG, "peek", 0, cursor, buf, 0, length)
		is(false, "when peek had no room for it")
		x.want(0, "take", x.u64(cursor), buf, 80, length)
		if got := x.u64(buf + 8); got != 3 {
			t.Errorf("took tag %d", got)
		}
	})
}

package hostfuncs

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Where tests have functions write, and how much.
const (
	out, out2 = 0x2000, 0x2100
	buf, room = 0x3000, 0x1000
)

var nobody = engine.PID{Node: here, Incarnation: 1, Counter: 1 << 40}

// asGuest runs body as a guest of the owner on a node where there is a neighbour of the
// owner and one of another user.
func asGuest(t *testing.T, foreign bool, body func(x *proxy, p *engine.Process, owner, foreigner engine.PID)) {
	t.Helper()
	v := newVillage(t)
	defer v.close()
	owner, _ := v.neighbour(false)
	foreigner, _ := v.neighbour(true)
	v.guest(foreign, func(x *proxy, p *engine.Process) { body(x, p, owner, foreigner) })
}

// receives takes a message and checks it.
func (x *proxy) receives(kind uint8, tag uint64, payload string) {
	x.t.Helper()
	x.want(0, "receive", 0, buf, room, 1<<40, out)
	if k, g, b := x.messageAt(buf); k != kind || g != tag || b != payload {
		x.t.Errorf("got a message of kind %d, tag %d, %q; want %d, %d, %q", k, g, b, kind, tag, payload)
	}
}

func reasonText(w engine.Word) string { return string(appendReason(nil, engine.Reason{Word: w})) }

// Without an engine there are no processes.
func TestNoEngine(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	for _, f := range ownFunctions() {
		if f.Grant == "" {
			x.want(abi.ENOSYS, f.Name, make([]uint64, len(f.Params))...)
		}
	}
}

// A pointer that is not in memory is EFAULT, whichever it is of those that a function
// takes, and nothing is done.
func TestEveryPointer(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, owner, _ engine.PID) {
		x.put(0x100, "abc")
		pid := x.at(0x140, owner)
		_, reason := x.reasonAt(0x180, engine.Reason{Word: engine.Shutdown})
		_, spec := x.fieldsAt(0x1c0, abi.SpecModule, "none")
		for name, args := range map[string][]uint64{ // a pointer is above 0xff and below 0x10000
			"self": {out}, "parent": {out}, "spawn": {0x1c0, spec, out, out2}, "exit": {0x180, reason},
			"link": {pid}, "unlink": {pid}, "monitor": {pid, out}, "monitor_name": {0x140, 0x100, 3, out}, "demonitor": {0x140, 1},
			"trap_exit": {0, out}, "exit_signal": {pid, 0x180, reason}, "process_info": {pid, buf, 4096 << 8, out},
			"send": {pid, 1, 0, 0x140, 0x180, 5}, "send_name": {0x140, 0x100, 3, 1, 0, 0x140, 0x180, 5},
			"receive": {out, buf, 1 << 16, 0, out2}, "peek": {out, out2, buf, 1 << 16, out2},
			"mailbox_fd": {out}, "timer_start": {pid, 0, 0, 0x180, 5, out}, "timer_cancel": {pid, out}, "timer_read": {pid, out},
			"register": {0, 0x100, 3, 0x140}, "unregister": {0, 0x100, 3}, "whereis": {0, 0x100, 3, out},
			"join": {0x100, 3}, "leave": {0x100, 3}, "members": {0x100, 3, buf, 1 << 16, out},
			"node": {out}, "nodes": {buf, 1 << 16, out}, "node_find": {0x100, 3, out}, "node_name": {0x140, buf, 1 << 16, out},
			"monitor_node": {0x140, 1}, "leader": {out}, "window": {out, out2},
		} {
			p.Send(p.PID(), &engine.Message{Kind: engine.MessageData}) // for receive and peek to find
			p.Engine().Join("abc", p.PID())                            // for members
			p.Engine().Register("abc", p.PID())                        // for whereis
			if name == "register" || name == "join" || name == "leave" || name == "unregister" {
				p.Engine().Unregister("abc")
			}
			for i, a := range args {
				if a <= 0xff || a >= 1<<16 {
					continue
				}
				for _, wrong := range []uint64{65536, 65536 - 2, math.MaxUint32} {
					bad := append([]uint64{}, args...)
					bad[i] = wrong
					if got, err := x.try(name, bad...); err != nil || got != abi.EFAULT {
						t.Errorf("%s(%#x) = %d, %v", name, bad, got, err)
					}
				}
			}
			p.Engine().Unregister("abc")
			p.Engine().Leave("abc", p.PID())
			for m := p.Next(engine.Match{}, nil); m != nil; m = p.Next(engine.Match{}, nil) {
				p.Take(m)
			}
		}
		i := p.Info()
		if len(i.Links)+len(i.Monitors)+len(i.Names)+len(i.Groups) != 0 || i.Messages != 0 {
			t.Errorf("something was done: %+v", i)
		}
	})
}

func TestProcessStatuses(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, owner, foreigner engine.PID) {
		x.want(0, "self", out)
		if b, _ := p.PID().AppendBinary(nil); x.bytes(out, 32) != string(b) {
			t.Errorf("self is %x", x.bytes(out, 32))
		}
		x.want(0, "parent", out)
		if x.bytes(out, 32) != string(make([]byte, 32)) {
			t.Error("it has a parent")
		}

		spec := func(fields ...any) (ptr, n uint64) { return x.fieldsAt(0x1000, fields...) }
		ptr, n := spec(abi.SpecModule, "none", abi.SpecFlags, uint32(abi.SpecMonitor))
		x.want(0, "spawn", ptr, n, out, out2)
		if x.bytes(out2, 32) == string(make([]byte, 32)) {
			t.Error("no reference of a monitor")
		}
		x.want(0, "receive", 0, buf, room, math.MaxUint64, out)
		if kind, _, b := x.messageAt(buf); kind != abi.MessageDown || !strings.Contains(b, string(engine.ModuleNotFound)) {
			t.Errorf("kind %d, %q", kind, b)
		}
		ptr, n = spec(abi.SpecModule, "none")
		x.want(0, "spawn", ptr, n, out, 0)
		x.want(0, "spawn", ptr, n, out, out2)
		if x.bytes(out2, 32) != string(make([]byte, 32)) {
			t.Error("a reference without a monitor")
		}
		x.want(abi.EINVAL, "spawn", ptr, n-1, out, 0)
		x.want(abi.E2BIG, "spawn", ptr, abi.MaxSpec+1, out, 0)
		for _, wrong := range [][]any{
			{99, "a field that there is not"}, {abi.SpecFlags, "four bytes?"}, {abi.SpecNode, "short"}, {abi.SpecFuel, uint32(1)},
		} {
			ptr, n := spec(wrong...)
			x.want(abi.EINVAL, "spawn", ptr, n, out, 0)
		}
		ptr, n = spec(abi.SpecGrant, abi.GrantHash)
		x.want(abi.ENOTCAPABLE, "spawn", ptr, n, out, 0)

		for _, wrong := range []string{
			"", "1234567", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x04\x00\x00\x00wor", "\x00\x00\x00\x00\x04\x00\x00\x00words",
			"\x00\x00\x00\x00\x41\x00\x00\x00" + strings.Repeat("w", 65),
		} {
			ptr, n := x.put(0x1000, wrong)
			x.want(abi.EINVAL, "exit", ptr, n)
			x.want(abi.EINVAL, "exit_signal", x.at(0x100, owner), ptr, n)
		}
		x.want(abi.E2BIG, "exit", 0x1000, abi.MaxReason+1)
		x.want(abi.E2BIG, "exit_signal", 0x100, 0x1000, abi.MaxReason+1)
		ptr, n = x.reasonAt(0x1000, engine.Reason{Word: engine.Shutdown})
		x.want(0, "exit_signal", x.at(0x100, nobody), ptr, n)
		x.want(0, "exit_signal", x.at(0x100, foreigner), ptr, n) // the owner may

		x.want(0, "trap_exit", 1, out)
		x.want(0, "trap_exit", 7, out2)
		if x.u32(out) != 0 || x.u32(out2) != 1 {
			t.Errorf("exits were trapped %d, %d", x.u32(out), x.u32(out2))
		}
		x.want(0, "link", x.at(0x100, nobody))
		x.receives(abi.MessageExit, 0, reasonText(engine.NoProc))
		x.want(0, "unlink", 0x100)
		x.want(0, "monitor", 0x100, out2)
		x.receives(abi.MessageDown, 0, reasonText(engine.NoProc))
		x.want(0, "demonitor", out2, 1)
		name, k := x.put(0x200, "nobody")
		x.want(0, "monitor_name", 0, name, k, out2)
		x.receives(abi.MessageDown, 0, reasonText(engine.NoProc))
		x.want(abi.EINVAL, "monitor_name", 0, name, 64, out2)
		x.put(0x200, "Nobody")
		x.want(abi.EINVAL, "monitor_name", 0, name, k, out2)

		x.want(abi.ESRCH, "process_info", 0x100, buf, room, out)
		x.want(abi.E2BIG, "process_info", 0, buf, 10, out)
		need := uint64(x.u32(out))
		x.want(0, "process_info", 0, buf, need+64, out) // the time has other digits
		if b := x.bytes(buf, x.u32(out)); !strings.HasPrefix(b, `{"PID":"kate.1.0.`) {
			t.Errorf("info %s", b)
		}
		x.want(0, "leader", out)
		x.want(0, "window", out, out2)
		x.want(abi.EINVAL, "message", buf, room, out)
	})
	asGuest(t, true, func(x *proxy, p *engine.Process, owner, foreigner engine.PID) {
		ptr, n := x.reasonAt(0x1000, engine.Reason{Word: engine.Kill})
		x.want(abi.ENOTCAPABLE, "exit_signal", x.at(0x100, owner), ptr, n)
		x.want(abi.ENOTCAPABLE, "exit_signal", x.at(0x100, engine.PID{Node: elsewhere, Incarnation: 1, Counter: 1}), ptr, n)
		x.want(0, "exit_signal", x.at(0x100, foreigner), ptr, n)
		x.want(0, "trap_exit", 1, 0)
		x.want(0, "link", x.at(0x100, owner)) // which traps exits
		x.want(0, "parent", out)
		if b, _ := p.Spec().Parent.AppendBinary(nil); x.bytes(out, 32) != string(b) {
			t.Errorf("parent is %x", x.bytes(out, 32))
		}
	})
}

// exit ends the process with the reason that it says.
func TestExitReasons(t *testing.T) {
	for _, want := range []engine.Reason{
		{Word: engine.Shutdown}, {Word: "anything", Detail: "at all"}, {Word: engine.Exited, Code: 7, Detail: "ignored"}, {Word: engine.Normal},
	} {
		asGuest(t, false, func(x *proxy, p *engine.Process, _, _ engine.PID) {
			ptr, n := x.reasonAt(0x1000, want)
			_, err := x.try("exit", ptr, n)
			code := exitCode(err)
			switch {
			case want.Word == engine.Normal && code == 0, want.Word == engine.Exited && code == 7:
			case code != exitKilled || p.Context().Err() == nil:
				t.Errorf("%v: %v", want, err)
			}
		})
	}
}

func TestMessageStatuses(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, owner, _ engine.PID) {
		self, ref := x.at(0x100, p.PID()), x.at(0x140, engine.PID(p.Engine().MakeRef()))
		text, n := x.put(0x200, "hello")
		for kind := range uint64(12) {
			want := abi.EINVAL
			switch kind {
			case abi.MessageData, abi.MessageCall, abi.MessageReply, abi.MessageCast:
				want = 0
			}
			if kind == abi.MessageReply {
				x.want(0, "monitor", self, ref) // else it is dropped
			}
			x.want(want, "send", self, kind, kind, ref, text, n)
			if want == 0 {
				x.receives(uint8(kind), kind, "hello")
				if x.bytes(buf+16, 32) != x.bytes(0x140, 32) || x.bytes(buf+48, 32) != x.bytes(0x100, 32) {
					t.Error("another reference or sender")
				}
			}
		}
		x.want(abi.E2BIG, "send", self, 1, 0, 0, text, abi.MaxMessage+1)
		x.want(0, "send", x.at(0x180, nobody), 1, 0, 0, text, n)
		x.want(0, "send", x.at(0x180, engine.PID{Node: elsewhere, Incarnation: 9, Counter: 1}), 1, 0, 0, text, n)
		name, k := x.put(0x300, "abc")
		x.want(abi.ESRCH, "send_name", 0, name, k, 1, 0, 0, text, n)
		x.want(0, "send_name", x.at(0x180, engine.PID{Node: elsewhere}), name, k, 1, 0, 0, text, n)
		x.want(abi.EINVAL, "send_name", 0, name, 0, 1, 0, 0, text, n)
		x.want(abi.EINVAL, "send_name", 0, name, abi.MaxName+1, 1, 0, 0, text, n)
		x.want(abi.EINVAL, "send_name", 0, name, k, 8, 0, 0, text, n)
		x.want(abi.E2BIG, "send_name", 0, name, k, 1, 0, 0, text, abi.MaxMessage+1)

		x.want(abi.ETIMEDOUT, "receive", 0, buf, room, 0, out)
		x.want(abi.ETIMEDOUT, "receive", 0, buf, room, uint64(time.Millisecond), out)
		x.mod.Memory().WriteUint64Le(out2, 0)
		x.want(abi.ENOENT, "peek", 0, out2, buf, room, out)
		for tag := range uint64(2) {
			x.want(0, "send", self, 1, 8+tag, 0, text, n)
		}
		x.want(abi.E2BIG, "receive", 0, buf, abi.SizeMessage+4, 0, out)
		if kind, tag, _ := x.messageAt(buf); kind != 1 || tag != 8 || x.u32(out) != abi.SizeMessage+5 {
			t.Errorf("a head of kind %d, tag %d; %d bytes are needed", kind, tag, x.u32(out))
		}
		x.want(abi.E2BIG, "receive", 0, buf, 0, 0, out)
		x.want(abi.E2BIG, "peek", 0, out2, buf, 4, out)
		first := x.u64(out2)
		x.want(0, "peek", 0, out2, buf, room, out)
		if _, tag, _ := x.messageAt(buf); tag != 9 || x.u64(out2) <= first {
			t.Errorf("then one of tag %d, numbers %d and %d", tag, first, x.u64(out2))
		}
		x.want(abi.ENOENT, "peek", 0, out2, buf, room, out)
		x.want(abi.ENOENT, "take", 0, buf, room, out)
		x.want(abi.ENOENT, "take", 1<<60, buf, room, out)
		x.want(abi.E2BIG, "take", x.u64(out2), buf, 4, out)
		x.want(0, "take", x.u64(out2), buf, room, out)
		x.want(abi.ENOENT, "take", x.u64(out2), buf, room, out)
		x.receives(1, 8, "hello")
		x.want(abi.ETIMEDOUT, "receive", 0, buf, room, 0, out)

		x.want(0, "mailbox_fd", out)
		x.want(0, "mailbox_fd", out2)
		if x.u32(out) != x.u32(out2) || x.u32(out) < 3 {
			t.Errorf("descriptors %d and %d", x.u32(out), x.u32(out2))
		}
	})
	v := newVillage(t)
	defer v.close()
	_, done := v.inhabit(false, func(p *engine.Process) {
		ended := make(chan struct{})
		spec := engine.Func("few files", func(p *engine.Process) engine.Reason {
			defer close(ended)
			x := instantiate(t, proxyModule(true), p)
			defer x.close()
			x.want(abi.EMFILE, "mailbox_fd", out)
			return engine.Reason{Word: engine.Normal}
		})
		spec.Limits.Files = 3
		if _, err := p.Spawn(here, spec); err != nil {
			t.Error(err)
		}
		<-ended
	})
	<-done
}

func TestTimerStatuses(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, owner, _ engine.PID) {
		text, n := x.put(0x200, "hello")
		x.want(0, "timer_start", 0, 0, 7, text, n, out2)
		x.receives(abi.MessageTimeout, 7, "hello")
		if x.bytes(buf+16, 32) != x.bytes(out2, 32) {
			t.Error("the timeout is of another timer")
		}
		x.want(abi.ENOENT, "timer_cancel", out2, out)
		x.want(abi.ENOENT, "timer_read", out2, 0)
		x.want(0, "timer_start", x.at(0x100, p.PID()), uint64(time.Hour), 7, text, 0, out2)
		x.want(0, "timer_read", out2, out)
		if left := time.Duration(x.u64(out)); left <= 0 || left > time.Hour {
			t.Errorf("%v left", left)
		}
		x.want(0, "timer_cancel", out2, 0)
		x.want(abi.ENOENT, "timer_cancel", out2, 0)
		x.want(0, "timer_start", 0, math.MaxUint64, 7, text, 0, out2) // for ever
		x.want(0, "timer_cancel", out2, out)
		x.want(abi.E2BIG, "timer_start", 0, 0, 7, text, abi.MaxMessage+1, out2)
		x.mod.Memory().Grow(abi.MaxMessage >> 16)
		for range 3 {
			x.want(0, "timer_start", 0, uint64(time.Hour), 7, text, abi.MaxMessage, out2)
		}
		x.want(abi.ENOMEM, "timer_start", 0, uint64(time.Hour), 7, text, abi.MaxMessage, out2)
	})
}

func TestNameStatuses(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, owner, foreigner engine.PID) {
		name, n := x.put(0x200, "abc")
		for scope := range uint64(2) {
			x.want(abi.ESRCH, "whereis", scope, name, n, out)
			x.want(abi.ESRCH, "unregister", scope, name, n)
			x.want(abi.ESRCH, "register", scope, name, n, x.at(0x100, nobody))
			x.want(abi.ENOTCAPABLE, "register", scope, name, n, x.at(0x100, foreigner))
			x.want(0, "register", scope, name, n, 0)
			x.want(abi.EEXIST, "register", scope, name, n, 0)
			x.want(abi.EEXIST, "register", scope, name, n, x.at(0x100, owner))
			x.want(0, "whereis", scope, name, n, out)
			if b, _ := p.PID().AppendBinary(nil); x.bytes(out, 32) != string(b) {
				t.Errorf("%x has the name", x.bytes(out, 32))
			}
			x.want(0, "unregister", scope, name, n)
			x.want(abi.ESRCH, "whereis", scope, name, n, out)
			x.want(abi.EINVAL, "register", scope, name, 0, 0)
			x.want(abi.EINVAL, "register", scope, name, abi.MaxName+1, 0)
		}
		x.want(abi.EINVAL, "register", 2, name, n, 0)
		x.want(abi.EINVAL, "unregister", 2, name, n)
		x.want(abi.EINVAL, "whereis", 2, name, n, out)
		bad, k := x.put(0x240, "A name")
		for _, f := range []string{"join", "leave"} {
			x.want(abi.EINVAL, f, bad, k)
		}
		x.want(abi.EINVAL, "members", bad, k, buf, room, out)
		x.want(abi.ESRCH, "leave", name, n)
		x.want(0, "join", name, n)
		x.want(0, "join", name, n)
		x.want(abi.E2BIG, "members", name, n, buf, 63, out)
		x.want(0, "members", name, n, buf, 64, out)
		if x.u32(out) != 64 || x.bytes(buf, 32) != x.bytes(buf+32, 32) {
			t.Errorf("%d bytes of members", x.u32(out))
		}
		x.want(0, "leave", name, n)
		x.want(0, "leave", name, n)
		x.want(abi.ESRCH, "leave", name, n)
		x.want(0, "register", 0, name, n, x.at(0x100, owner))
		x.want(0, "register", 1, name, n, x.at(0x100, owner))
	})
	v := newVillage(t)
	defer v.close()
	owner, _ := v.neighbour(false)
	for _, register := range []func(string, engine.PID) error{v.eng.Register, v.eng.RegisterGlobal} {
		if err := register("abc", owner); err != nil {
			t.Fatal(err)
		}
	}
	v.guest(true, func(x *proxy, _ *engine.Process) {
		name, n := x.put(0x200, "abc")
		for scope := range uint64(2) {
			x.want(abi.ENOTCAPABLE, "unregister", scope, name, n)
		}
	})
}

func TestNodeStatuses(t *testing.T) {
	asGuest(t, false, func(x *proxy, p *engine.Process, _, _ engine.PID) {
		x.want(0, "node", out)
		if x.bytes(out, 16) != string(here[:]) {
			t.Errorf("this node is %x", x.bytes(out, 16))
		}
		x.want(abi.E2BIG, "nodes", buf, 15, out)
		x.want(0, "nodes", buf, 16, out)
		if x.u32(out) != 16 || x.bytes(buf, 16) != string(elsewhere[:]) {
			t.Errorf("nodes %x", x.bytes(buf, x.u32(out)))
		}
		name, n := x.put(0x200, "kate")
		x.want(0, "node_find", name, n, out)
		x.want(abi.ESRCH, "node_find", name, n-1, out)
		x.want(abi.ESRCH, "node_find", name, 0, out)
		x.want(abi.EINVAL, "node_find", name, abi.MaxPath+1, out)
		for want, at := range map[string]uint64{"kate": 0, "alex": x.at(0x100, engine.PID{Node: elsewhere})} {
			x.want(abi.E2BIG, "node_name", at, buf, 3, out)
			x.want(0, "node_name", at, buf, 4, out)
			if got := x.bytes(buf, x.u32(out)); got != want {
				t.Errorf("it is called %q, want %q", got, want)
			}
		}
		unknown := x.at(0x140, engine.PID{Node: engine.NodeID{9}})
		x.want(abi.ESRCH, "node_name", unknown, buf, room, out)
		x.want(0, "monitor_node", unknown, 1)
		x.receives(abi.MessageNodeDown, 0, "")
		x.want(0, "monitor_node", 0x100, 1)
		x.want(0, "monitor_node", 0x100, 0)
		x.want(0, "monitor_node", 0x100, 0)
		x.want(0, "monitor_node", 0, 1) // this one is never down
		for on := range uint64(3) {
			x.want(0, "monitor_nodes", on)
		}
		x.want(abi.ETIMEDOUT, "receive", 0, buf, room, 0, out)
	})
}

package hostfuncs

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// region is a part of memory that a function may write: it begins where one argument
// says, and has size bytes, or if that is 0 as many as the next argument says.
type region struct{ arg, size int }

// writes says which memory each function of module wnode may write.
var writes = map[string][]region{
	"sha256": {{2, 32}}, "blake3": {{2, 32}},

	"self": {{0, 32}}, "parent": {{0, 32}}, "spawn": {{2, 32}, {3, 32}}, "exit": nil,
	"link": nil, "unlink": nil, "monitor": {{1, 32}}, "monitor_name": {{3, 32}}, "demonitor": nil,
	"trap_exit": {{1, 4}}, "exit_signal": nil, "process_info": {{1, 0}, {3, 4}},

	"send": nil, "send_name": nil, "receive": {{1, 0}, {4, 4}}, "peek": {{1, 8}, {2, 0}, {4, 4}}, "take": {{1, 0}, {3, 4}},
	"mailbox_fd": {{0, 4}}, "message": {{0, 0}, {2, 4}},

	"timer_start": {{5, 32}}, "timer_cancel": {{1, 8}}, "timer_read": {{1, 8}},

	"register": nil, "unregister": nil, "whereis": {{3, 32}}, "join": nil, "leave": nil, "members": {{2, 0}, {4, 4}},

	"node": {{0, 16}}, "nodes": {{0, 0}, {2, 4}}, "node_find": {{2, 16}}, "node_name": {{1, 0}, {3, 4}},
	"monitor_node": nil, "monitor_nodes": nil,

	"input": {{0, 0}, {2, 4}}, "output": nil, "error": nil,
	"leader": {{0, 32}}, "window": {{0, 4}, {1, 4}},
}

// statuses are what a function of module wnode may return.
var statuses = []abi.Errno{
	0, abi.E2BIG, abi.EEXIST, abi.EFAULT, abi.EINVAL, abi.EMFILE, abi.ENOENT, abi.ENOMEM, abi.ESRCH, abi.ETIMEDOUT, abi.ENOTCAPABLE,
}

// Where things are in the memory of a hostile guest.
const (
	atSelf, atOwner, atForeigner, atNobody, atRef = 0x100, 0x140, 0x180, 0x1c0, 0x200
	atName, atReason, atKill, atMatch, atSpec     = 0x240, 0x280, 0x2c0, 0x300, 0x340
)

// prepare puts things into the memory that functions take, so that calls get beyond
// the first check.
func prepare(x *proxy, self, owner, foreigner engine.PID) {
	noise, _ := x.mod.Memory().Read(0, x.mod.Memory().Size())
	for i := range noise {
		noise[i] = byte(i*7 + i>>8)
	}
	x.at(atSelf, self)
	x.at(atOwner, owner)
	x.at(atForeigner, foreigner)
	x.at(atNobody, engine.PID{Node: elsewhere, Incarnation: 7, Counter: 7})
	x.at(atRef, engine.PID{})
	x.put(atName, "abc")
	x.reasonAt(atReason, engine.Reason{Word: engine.Shutdown})
	x.reasonAt(atKill, engine.Reason{Word: engine.Kill})
	x.put(atMatch, string(make([]byte, abi.SizeMatch)))
	x.fieldsAt(atSpec, abi.SpecModule, "none", abi.SpecFlags, uint32(abi.SpecLink|abi.SpecMonitor), abi.SpecName, "abc")
}

// hostile are arguments by number; those above are a byte that says how many of the
// following bytes are the value.
var hostile = []uint64{
	0, 1, 2, 3, 4, 8, 11, 16, 32, 37, 49, 56, 63, 64, 80, 4096, 16 << 20, 16<<20 + 1, 1 << 20, 1<<20 + 1,
	atSelf, atOwner, atForeigner, atNobody, atRef, atName, atReason, atKill, atMatch, atSpec, 0x400, 0x1000, 0x8000,
	65535, 65536, 65536 - 4, 65536 - 8, 65536 - 15, 65536 - 16, 65536 - 31, 65536 - 32, 65536 - 79, 65536 - 80,
	math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32, math.MaxUint32 - 31, math.MaxInt64, math.MaxUint64, 1 << 32, atSelf | 1<<32,
}

// argument reads one from the front of the input.
func (in *calls) argument() (v uint64) {
	n := in.byte()
	if n < len(hostile) {
		return hostile[n]
	}
	for i := range n % 9 {
		v |= uint64(in.byte()) << (8 * i)
	}
	return v
}

// calls is the input of the fuzz target: the number of a function, or one above them
// to grow the memory, and its arguments, again and again.
type calls []byte

func (in *calls) byte() int {
	if len(*in) == 0 {
		return 0
	}
	b := (*in)[0]
	*in = (*in)[1:]
	return int(b)
}

func ownFunctions() []abi.Func {
	return slices.DeleteFunc(abi.Functions(), func(f abi.Func) bool { return f.Module != abi.Wnode })
}

// FuzzOwn has a guest of another user call functions of module wnode with any
// arguments. Each call returns one of their statuses or ends that guest, and changes
// only the memory that the function may write, and none if it fails but for what is
// said of E2BIG. Other processes go on, whoever they are of.
func FuzzOwn(f *testing.F) {
	fs := ownFunctions()
	for i, fn := range fs {
		if _, ok := writes[fn.Name]; !ok {
			f.Fatalf("what may %s write?", fn.Name)
		}
		for shift := 0; shift < len(hostile); shift += 6 {
			var in []byte
			for turn := range 16 {
				in = append(in, byte(i))
				for p := range fn.Params {
					in = append(in, byte((shift+p*(1+turn*5)+turn*3)%len(hostile)))
				}
			}
			f.Add(in)
		}
	}
	f.Add([]byte{byte(len(fs)), 0, 33})
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) { hostileCalls(t, fs, in) })
	})
}

func hostileCalls(t *testing.T, fs []abi.Func, in calls) {
	v := newVillage(t)
	defer v.close()
	owner, _ := v.neighbour(false)
	foreigner, _ := v.neighbour(true)
	pid, ended := v.inhabit(true, func(p *engine.Process) {
		x := instantiate(t, proxyModule(true), p)
		defer x.close()
		prepare(x, p.PID(), owner, foreigner)
		for n := 0; len(in) > 0 && n < 64; n++ {
			i := in.byte() % (len(fs) + 1)
			if i == len(fs) {
				x.mod.Memory().Grow(1)
				continue
			}
			args := make([]uint64, len(fs[i].Params))
			for j := range args {
				args[j] = in.argument()
			}
			if !hostileCall(t, x, p, fs[i], args) {
				return
			}
		}
	})
	stop := time.AfterFunc(time.Hour, func() { v.eng.Process(pid).Kill(engine.Reason{Word: engine.Killed}) })
	<-ended
	stop.Stop()
	if !v.answers(owner) {
		t.Error("a process of the owner does not answer any more")
	}
	// One of the same user may be killed by it, and only so.
	if v.eng.Process(foreigner) != nil && !v.answers(foreigner) {
		t.Error("a process of the same user does not answer any more")
	}
}

// hostileCall makes one call, and reports whether the guest goes on.
func hostileCall(t *testing.T, x *proxy, p *engine.Process, f abi.Func, args []uint64) bool {
	mem, _ := x.mod.Memory().Read(0, x.mod.Memory().Size())
	before := bytes.Clone(mem)
	text := fmt.Sprintf("%s(%#x)", f.Name, args)
	errno, err := x.try(f.Name, args...)
	if err != nil {
		if exitCode(err) < 0 || f.Name != "exit" && p.Context().Err() == nil {
			t.Errorf("%s: %v", text, err)
		}
		return false
	}
	if !slices.Contains(statuses, errno) {
		t.Errorf("%s: status %d", text, errno)
	}
	may := writes[f.Name]
	for i := range mem {
		if mem[i] == before[i] {
			continue
		}
		if errno != 0 && errno != abi.E2BIG {
			t.Errorf("%s: status %d, and byte %#x has changed", text, errno, i)
			return true
		}
		if !slices.ContainsFunc(may, func(r region) bool {
			begin, size := uint64(uint32(args[r.arg])), uint64(r.size)
			if size == 0 {
				size = uint64(uint32(args[r.arg+1]))
			}
			return uint64(i) >= begin && uint64(i) < begin+size
		}) {
			t.Errorf("%s: status %d, and byte %#x has changed, which is none of its own", text, errno, i)
			return true
		}
	}
	return true
}

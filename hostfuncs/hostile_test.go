package hostfuncs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// rounds returns how often a test with random input repeats: WNODE_ROUNDS, or
// few.
func rounds(t testing.TB, few int) int {
	s := os.Getenv("WNODE_ROUNDS")
	if s == "" {
		return few
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// extremes are arguments that bounds checks get wrong, beside harmless ones
// that let the next check be reached.
func extremes(r *rand.Rand) uint64 {
	list := []uint64{
		0, 1, 2, 3, 4, 5, 8, 64, 512, 1024, 4096, 65528, 65535, 65536, 65537,
		math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32 - 7, math.MaxUint32, 1 << 29, 1 << 28,
		math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64, r.Uint64(), r.Uint64N(65536), r.Uint64N(8),
	}
	return list[r.IntN(len(list))]
}

// hostileLeader answers with whatever the protocol's types can hold.
func hostileLeader(r *rand.Rand) func(*engine.FileRequest) *engine.FileReply {
	return func(req *engine.FileRequest) *engine.FileReply {
		reply := &engine.FileReply{ID: req.ID, Handle: r.Uint32(), Size: extremes(r)}
		if r.IntN(4) == 0 {
			reply.Errno = engine.Errno(r.Uint32())
		}
		reply.Stat = engine.FileAttr{Type: uint8(r.UintN(9)), Size: extremes(r), Mtime: extremes(r)}
		reply.Data = make([]byte, r.IntN(2*engine.MaxChunk))
		if r.IntN(2) == 0 {
			reply.Data = nil
		}
		for i := range min(len(reply.Data), 64) {
			reply.Data[i] = byte(r.Uint32())
		}
		return reply
	}
}

// TestHostileArguments calls every function with extreme arguments, over
// memory full of noise, with a leader that does not keep the protocol. Each
// call returns an errno or unwinds that guest; none panics, none hangs.
func TestHostileArguments(t *testing.T) {
	for _, f := range abi.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(len(f.Name)) // the same every time: a failure can be repeated
			if s := os.Getenv("WNODE_SEED"); s != "" {
				seed, _ = strconv.ParseUint(s, 0, 64)
			}
			r := rand.New(rand.NewPCG(seed, 1))
			for round := range rounds(t, 8) {
				// In virtual time: what waits is killed an hour later.
				synctest.Test(t, func(t *testing.T) { hostileRound(t, f, r) })
				if t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
		})
	}
}

// hostileRound makes one guest and has it call f until it is unwound, or often.
func hostileRound(t *testing.T, f abi.Func, r *rand.Rand) {
	x := newProxy(t, &engine.Spec{Args: []string{"a"}, Env: []string{"K=V"}, Mounts: []engine.Mount{{Guest: "/"}}})
	x.p.file = hostileLeader(r)
	x.p.feed("some input", true)
	stop := time.AfterFunc(time.Hour, x.p.kill)
	defer stop.Stop()
	for range 64 {
		if r.IntN(16) == 0 {
			x.mod.Memory().Grow(1) // arguments outside are now inside
		}
		mem, _ := x.mod.Memory().Read(0, 65536)
		if r.IntN(8) == 0 {
			for j := 0; j < len(mem); j += 1 + r.IntN(64) {
				mem[j] = byte(r.Uint32() >> r.UintN(8))
			}
		}
		if r.IntN(2) == 0 {
			x.p.file(&engine.FileRequest{})
			x.try("path_open", 3, 0, 0, 1, 0, math.MaxUint64, math.MaxUint64, 0, 64)
		}
		args := make([]uint64, len(f.Params))
		for j := range args {
			args[j] = extremes(r)
		}
		_, err := x.try(f.Name, args...)
		if err == nil {
			continue
		}
		if code := exitCode(err); code == exitKilled || f.Name == "proc_exit" && code == int(uint32(args[0])) {
			return
		}
		t.Errorf("%s(%s): %v", f.Name, fmt.Sprintf("%#x", args), err)
		return
	}
}

// A module without memory gets an errno wherever a pointer is needed.
func TestNoMemory(t *testing.T) {
	x := runProxy(t, proxyModule(false), &engine.Spec{Mounts: []engine.Mount{{Guest: "/"}}})
	for _, f := range abi.Functions() {
		if f.Name != "proc_exit" {
			x.call(f.Name, make([]uint64, len(f.Params))...)
		}
	}
	x.want(abi.EFAULT, "args_sizes_get", 0, 0)
	x.want(abi.EFAULT, "clock_time_get", 0, 0, 0)
	x.want(abi.EFAULT, "environ_get", 0, 0)
	x.want(abi.EFAULT, "poll_oneoff", 0, 0, 1, 0)
	x.want(abi.EFAULT, "random_get", 0, 0)
}

// What is outside is inside once the memory has grown, and no call keeps a view
// of how it was.
func TestMemoryGrowth(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	for i := range uint64(4) {
		end := (i + 1) << 16
		iov, n := x.iovs(uint32(end-2), 4)
		x.want(abi.EFAULT, "random_get", end-1, 2)
		x.want(abi.EFAULT, "fd_write", 1, iov, n, 68)
		x.want(abi.EFAULT, "clock_time_get", 0, 0, end)
		x.mod.Memory().Grow(1)
		x.want(0, "random_get", end-1, 2)
		x.put(uint32(end-2), "text")
		x.want(0, "fd_write", 1, iov, n, 68)
		x.want(0, "clock_time_get", 0, 0, end+8)
		if x.u64(uint32(end+8)) == 0 {
			t.Error("the time went elsewhere")
		}
	}
	if got := x.p.out[engine.Stdout].String(); got != "texttexttexttext" {
		t.Errorf("wrote %q", got)
	}
}

package hostfuncs

import (
	"math"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

func TestFunctionsAreAllImplemented(t *testing.T) {
	impl := functions()
	n := 0
	for _, f := range abi.Functions() {
		if f.Module == abi.WASI {
			n++
		}
		if impl[f.Name] == nil {
			t.Errorf("%s.%s has no implementation", f.Module, f.Name)
		}
		delete(impl, f.Name)
	}
	for name := range impl {
		t.Errorf("%s is not in the ABI", name)
	}
	if n != 46 {
		t.Errorf("%d functions, want the 46 of WASI preview 1", n)
	}
}

func TestArgsAndEnviron(t *testing.T) {
	spec := &engine.Spec{Module: engine.Module{Name: "prog"}, Args: []string{"a b", ""}, Env: []string{"K=V"}}
	x := newProxy(t, spec)
	x.want(0, "args_sizes_get", 0, 4)
	if x.u32(0) != 3 || x.u32(4) != 10 {
		t.Errorf("sizes %d %d", x.u32(0), x.u32(4))
	}
	x.want(0, "args_get", 16, 100)
	if got := x.bytes(100, 10); got != "prog\x00a b\x00\x00" {
		t.Errorf("arguments %q", got)
	}
	if x.u32(16) != 100 || x.u32(20) != 105 || x.u32(24) != 109 {
		t.Errorf("pointers %d %d %d", x.u32(16), x.u32(20), x.u32(24))
	}
	x.want(0, "environ_sizes_get", 0, 4)
	x.want(0, "environ_get", 16, 100)
	if x.u32(0) != 1 || x.u32(4) != 4 || x.bytes(100, 4) != "K=V\x00" {
		t.Errorf("environment %d %d %q", x.u32(0), x.u32(4), x.bytes(100, 4))
	}
	x.want(abi.EFAULT, "args_get", 65533, 100)
	x.want(abi.EFAULT, "args_get", 16, 65530)
	x.want(abi.EFAULT, "args_sizes_get", 0, 65533)
	spec.Entry = "say_name" // its arguments are Wasm values
	x.want(0, "args_sizes_get", 0, 4)
	if x.u32(0) != 1 {
		t.Errorf("%d arguments of a named entry", x.u32(0))
	}
}

func TestClocks(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	for id, want := range []abi.Errno{0, 0, abi.ENOTSUP, abi.ENOTSUP, abi.EINVAL} {
		x.want(want, "clock_res_get", uint64(id), 0)
		x.want(want, "clock_time_get", uint64(id), 0, 8)
	}
	x.want(0, "clock_time_get", abi.ClockMonotonic, 0, 0)
	x.want(0, "clock_time_get", abi.ClockMonotonic, 0, 8)
	if x.u64(0) == 0 || x.u64(8) < x.u64(0) {
		t.Errorf("monotonic clock went from %d to %d", x.u64(0), x.u64(8))
	}
	x.want(abi.EFAULT, "clock_time_get", abi.ClockMonotonic, 0, 65530)
}

func TestRandom(t *testing.T) {
	read := func(seed uint64) string {
		x := newProxy(t, &engine.Spec{Seed: seed})
		x.want(0, "random_get", 0, 16)
		x.want(0, "random_get", 16, 16)
		x.want(0, "random_get", 65536, 0)
		x.want(abi.EFAULT, "random_get", 65535, 2)
		return x.bytes(0, 32)
	}
	seen := map[string]uint64{}
	for _, seed := range []uint64{7, 8, 0, 0} { // 0 is another source each time
		if b := read(seed); seen[b] == 0 {
			seen[b] = seed + 1
		} else {
			t.Errorf("seed %d gives what %d gave", seed, seen[b]-1)
		}
	}
	if seen[read(7)] != 8 {
		t.Error("one seed gives different bytes")
	}
}

func TestWriteStream(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	x.put(100, "hello, world")
	iov, n := x.iovs(100, 5, 0, 0, 105, 7)
	x.want(0, "fd_write", 1, iov, n, 0)
	if x.p.out[engine.Stdout].String() != "hello, world" || x.u32(0) != 12 || x.p.writes != 1 {
		t.Errorf("stdout %q, %d bytes in %d writes", &x.p.out[engine.Stdout], x.u32(0), x.p.writes)
	}
	x.write(2, "oops")
	if x.p.out[engine.Stderr].String() != "oops" {
		t.Errorf("stderr %q", &x.p.out[engine.Stderr])
	}
	big, k := x.iovs(0, 40000, 0, 30000)
	x.want(0, "fd_write", 2, big, k, 0)
	if x.p.out[engine.Stderr].Len() != 70004 {
		t.Errorf("%d bytes on stderr", x.p.out[engine.Stderr].Len())
	}
	x.want(0, "fd_write", 1, iov, 0, 0)
	x.want(abi.EBADF, "fd_write", 0, iov, n, 0)
	x.want(abi.EBADF, "fd_write", 77, iov, n, 0)
	x.want(abi.ESPIPE, "fd_pwrite", 1, iov, n, 0, 0)
	x.want(abi.ESPIPE, "fd_seek", 1, 0, 0, 0)
	x.want(abi.ESPIPE, "fd_tell", 1, 0)
	x.want(abi.EINVAL, "fd_sync", 1)
	x.want(abi.ENOTSOCK, "sock_shutdown", 1, 0)
	x.want(abi.EBADF, "sock_shutdown", 3, 0)
	x.p.writeErr = engine.ErrLeaderGone
	x.want(abi.EPIPE, "fd_write", 1, iov, n, 0)
}

func TestIovecBounds(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	for name, c := range map[string]struct {
		ptr, n uint64
		pair   [2]uint32
		want   abi.Errno
	}{
		"array outside":        {ptr: 65536, n: 1, want: abi.EFAULT},
		"array over the end":   {ptr: 65532, n: 1, want: abi.EFAULT},
		"count that wraps":     {ptr: 512, n: 1 << 29, want: abi.EFAULT},
		"largest count":        {ptr: 512, n: math.MaxUint32, want: abi.EFAULT},
		"too many":             {ptr: 0, n: 1025, want: abi.EINVAL},
		"buffer over the end":  {ptr: 512, n: 1, pair: [2]uint32{65535, 2}, want: abi.EFAULT},
		"buffer that wraps":    {ptr: 512, n: 1, pair: [2]uint32{math.MaxUint32, 2}, want: abi.EFAULT},
		"largest buffer":       {ptr: 512, n: 1, pair: [2]uint32{0, math.MaxUint32}, want: abi.EFAULT},
		"empty at the end":     {ptr: 512, n: 1, pair: [2]uint32{65536, 0}, want: 0},
		"empty outside":        {ptr: 512, n: 1, pair: [2]uint32{65537, 0}, want: abi.EFAULT},
		"the whole memory":     {ptr: 512, n: 1, pair: [2]uint32{0, 65536}, want: 0},
		"no array, outside":    {ptr: 65537, n: 0, want: abi.EFAULT},
		"no array, at the end": {ptr: 65536, n: 0, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			x.iovs(c.pair[:]...)
			if got := x.call("fd_write", 1, c.ptr, c.n, 0); got != c.want {
				t.Errorf("errno %d, want %d", got, c.want)
			}
		})
	}
	iov, n := x.iovs(0, 4)
	x.want(abi.EFAULT, "fd_write", 1, iov, n, 65533)
}

func TestReadStdin(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	x.want(0, "fd_fdstat_set_flags", 0, uint64(abi.FdNonblock))
	iov, n := x.iovs(100, 3, 200, 100)
	x.want(abi.EAGAIN, "fd_read", 0, iov, n, 0)
	x.want(0, "fd_fdstat_set_flags", 0, 0)
	<-x.p.blocked // of the nonblocking read
	go func() { <-x.p.blocked; x.p.feed("hello", false) }()
	x.want(0, "fd_read", 0, iov, n, 0)
	if x.u32(0) != 5 || x.bytes(100, 3) != "hel" || x.bytes(200, 2) != "lo" {
		t.Errorf("read %d: %q %q", x.u32(0), x.bytes(100, 3), x.bytes(200, 2))
	}
	x.p.feed("", true)
	if got := x.read(0, 10) + x.read(0, 10); got != "" {
		t.Errorf("read %q at the end", got)
	}
	x.p.readErr = engine.ErrLeaderGone
	x.want(abi.EIO, "fd_read", 0, iov, n, 0)
	x.want(abi.EBADF, "fd_read", 1, iov, n, 0)
	x.want(abi.ESPIPE, "fd_pread", 0, iov, n, 0, 0)
}

func TestStreamStat(t *testing.T) {
	x := newProxy(t, &engine.Spec{Terminal: engine.Terminal{Stdin: true, Stderr: true}})
	for fd, want := range []uint8{abi.FiletypeCharacterDevice, abi.FiletypeUnknown, abi.FiletypeCharacterDevice} {
		x.want(0, "fd_fdstat_get", uint64(fd), 0)
		if got := x.bytes(0, 1)[0]; got != want {
			t.Errorf("filetype of %d is %d, want %d", fd, got, want)
		}
		if x.u64(8)&(abi.RightFdSeek|abi.RightFdTell) != 0 {
			t.Errorf("%d can seek, so no libc takes it for a terminal", fd)
		}
		x.want(0, "fd_filestat_get", uint64(fd), 0)
		if got := x.bytes(16, 1)[0]; got != want {
			t.Errorf("filestat type of %d is %d, want %d", fd, got, want)
		}
	}
	x.want(0, "fd_close", 1)
	x.want(abi.EBADF, "fd_close", 1)
	x.want(abi.EBADF, "fd_prestat_get", 0, 0)
	x.want(abi.EBADF, "fd_prestat_get", 3, 0)
}

func TestExit(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	x.want(0, "sched_yield")
	x.want(abi.ENOTSUP, "proc_raise", 9)
	if _, err := x.try("proc_exit", 33); exitCode(err) != 33 {
		t.Errorf("proc_exit: %v", err)
	}
}

func TestLongOutputIsWhole(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	line := strings.Repeat("x", 999) + "\n"
	for range 100 {
		x.write(1, line)
	}
	if got := x.p.out[engine.Stdout].String(); got != strings.Repeat(line, 100) {
		t.Errorf("%d bytes arrived", len(got))
	}
}

package hostfuncs

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

// Every function that waits unwinds the guest when its process is killed.
func TestKillWhileBlocked(t *testing.T) {
	stdin := func(x *proxy) []uint64 { iov, n := x.iovs(100, 1); return []uint64{0, iov, n, 68} }
	for name, c := range map[string]struct {
		function string
		stall    bool // what the process is asked for takes for ever
		args     func(x *proxy) []uint64
	}{
		"stdin":  {function: "fd_read", args: stdin},
		"output": {function: "fd_write", stall: true, args: func(x *proxy) []uint64 { a := stdin(x); a[0] = 1; return a }},
		"poll of stdin": {function: "poll_oneoff", args: func(x *proxy) []uint64 {
			return x.subscribe([]sub{{tag: abi.EventFdRead}})
		}},
		"poll of stdin and a clock": {function: "poll_oneoff", args: func(x *proxy) []uint64 {
			return x.subscribe([]sub{{tag: abi.EventFdRead}, {abi.EventClock, abi.ClockMonotonic, 1 << 62, 0}})
		}},
		"open":    {function: "path_open", stall: true, args: func(*proxy) []uint64 { return []uint64{3, 0, 0, 1, 0, 0, 0, 0, 64} }},
		"readdir": {function: "fd_readdir", stall: true, args: func(*proxy) []uint64 { return []uint64{3, 0, 100, 0, 68} }},
		"close":   {function: "fd_close", stall: true, args: func(*proxy) []uint64 { return []uint64{3} }},
		"stat":    {function: "fd_filestat_get", stall: true, args: func(*proxy) []uint64 { return []uint64{3, 0} }},
		"unlink":  {function: "path_unlink_file", stall: true, args: func(*proxy) []uint64 { return []uint64{3, 0, 1} }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newProxy(t, &engine.Spec{}, origin.Dir{Host: t.TempDir(), Guest: "/"})
			x.mod.Memory().WriteByte(0, 'f')
			x.p.stall = c.stall
			args := c.args(x)
			go func() {
				<-x.p.blocked
				x.p.kill()
			}()
			if _, err := x.try(c.function, args...); exitCode(err) != exitKilled {
				t.Errorf("%s: %v", c.function, err)
			}
		})
	}
}

// A kill ends a sleep at once, however long it would be.
func TestKillWhileAsleep(t *testing.T) {
	for name, s := range map[string]sub{
		"for ever":    {abi.EventClock, abi.ClockMonotonic, math.MaxUint64, 0},
		"for decades": {abi.EventClock, abi.ClockMonotonic, 1 << 60, 0},
		"until a day": {abi.EventClock, abi.ClockRealtime, math.MaxUint64, abi.ClockAbsolute},
		"for an hour": {abi.EventClock, abi.ClockRealtime, uint64(time.Hour), 0},
		"many":        {abi.EventClock, abi.ClockRealtime, uint64(time.Hour), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newProxy(t, &engine.Spec{})
				subs := []sub{s}
				if name == "many" {
					subs = slices.Repeat(subs, abi.MaxSubscriptions)
				}
				args := x.subscribe(subs)
				begin := time.Now()
				go func() {
					synctest.Wait()
					x.p.kill()
				}()
				if _, err := x.try("poll_oneoff", args...); exitCode(err) != exitKilled {
					t.Errorf("ended with %v", err)
				}
				if d := time.Since(begin); d != 0 {
					t.Errorf("slept %v", d)
				}
			})
		})
	}
}

// No function answers a guest whose process is to end, whatever it asks.
func TestNothingAnswersTheKilled(t *testing.T) {
	x := newProxy(t, &engine.Spec{})
	x.p.kill()
	for _, f := range abi.Functions() {
		if _, err := x.try(f.Name, make([]uint64, len(f.Params))...); exitCode(err) != exitKilled {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestLeaderGone(t *testing.T) {
	x, _ := newFiles(t)
	fd := x.open("f", creat, rw, 0)
	x.p.file = nil
	ptr, n := x.put(1024, "f")
	iov, k := x.iovs(100, 1)
	x.want(abi.EIO, "fd_read", fd, iov, k, 68)
	x.want(abi.EIO, "fd_write", fd, iov, k, 68)
	x.want(abi.EIO, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
	x.want(abi.EIO, "fd_readdir", 3, 0, 100, 0, 68)
	x.want(abi.EIO, "fd_seek", fd, 0, abi.SeekEnd, 72)
	x.want(abi.EIO, "fd_close", fd)
	x.want(abi.EBADF, "fd_close", fd)
}

// What was done before the leader went counts; the next call says EIO.
func TestLeaderGoneInATransfer(t *testing.T) {
	x, _ := newFiles(t)
	fd := x.open("f", creat, rw, 0)
	x.want(0, "fd_filestat_set_size", fd, 1<<20)
	serve := x.p.file
	const before = 20 // requests that are answered; they go in batches of 16
	for _, name := range []string{"fd_read", "fd_write"} {
		x.want(0, "fd_seek", fd, 0, 0, 72)
		served := 0
		x.p.file = func(r *engine.FileRequest) *engine.FileReply {
			if served++; served > before {
				return nil
			}
			return serve(r)
		}
		x.iovs(8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000)
		x.want(0, name, fd, 512, 7, 68)
		if got := x.u32(68); got != engine.OutputCredit {
			t.Errorf("%s: %d bytes, want those of the first batch", name, got)
		}
		x.want(0, "fd_tell", fd, 72)
		if got := x.u64(72); got != engine.OutputCredit {
			t.Errorf("%s: offset %d", name, got)
		}
		x.want(abi.EIO, name, fd, 512, 7, 68)
		x.p.file = serve
	}
}

package hostfuncs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

// fakeProcess is a process whose leader is right here.
type fakeProcess struct {
	ctx  context.Context
	kill context.CancelFunc
	spec *engine.Spec

	// What blocked functions tell: sent on when one begins to wait.
	blocked chan struct{}

	mu     sync.Mutex
	out    [3]bytes.Buffer
	writes int // calls of Write
	input  []byte
	eof    bool
	ready  chan struct{}

	turns []string // calls of Yield, Pause and Resume, by the guest's goroutine

	writeErr, readErr error // returned at once if set
	stall             bool  // Write and File wait for the kill

	// The leader's file server; nil, here or as a reply, is a leader that is gone.
	file func(*engine.FileRequest) *engine.FileReply
}

var _ process = (*fakeProcess)(nil)

func (p *fakeProcess) Context() context.Context { return p.ctx }
func (p *fakeProcess) Spec() *engine.Spec       { return p.spec }
func (p *fakeProcess) Yield()                   { p.turns = append(p.turns, "yield") }
func (p *fakeProcess) Pause()                   { p.turns = append(p.turns, "pause") }
func (p *fakeProcess) Resume()                  { p.turns = append(p.turns, "resume") }

// hang waits for the kill.
func (p *fakeProcess) hang() error {
	p.note()
	<-p.ctx.Done()
	return engine.Reason{Word: engine.Killed}
}

func (p *fakeProcess) note() {
	select {
	case p.blocked <- struct{}{}:
	default:
	}
}

func (p *fakeProcess) Write(s engine.Stream, b []byte) (int, error) {
	if p.stall {
		return 0, p.hang()
	}
	if p.writeErr != nil {
		return 0, p.writeErr
	}
	p.writes++
	return p.out[s].Write(b)
}

func (p *fakeProcess) Readable() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := p.ready
	if len(p.input) > 0 || p.eof {
		ready = make(chan struct{})
		close(ready)
	} else {
		p.note()
	}
	return ready
}

// feed makes input readable.
func (p *fakeProcess) feed(s string, eof bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.input, p.eof = append(p.input, s...), eof
	close(p.ready)
	p.ready = make(chan struct{})
}

func (p *fakeProcess) Read(b []byte, block bool) (int, error) {
	if p.readErr != nil {
		return 0, p.readErr
	}
	for {
		ready := p.Readable()
		p.mu.Lock()
		n := copy(b, p.input)
		p.input = p.input[n:]
		eof := p.eof
		p.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case eof:
			return 0, io.EOF
		case !block:
			return 0, engine.ErrWouldBlock
		}
		select {
		case <-ready:
		case <-p.ctx.Done():
			return 0, engine.Reason{Word: engine.Killed}
		}
	}
}

func (p *fakeProcess) File(reqs ...*engine.FileRequest) ([]*engine.FileReply, error) {
	if p.stall {
		return nil, p.hang()
	}
	if p.file == nil {
		return nil, engine.ErrLeaderGone
	}
	var replies []*engine.FileReply
	for _, r := range reqs {
		reply := p.file(r)
		if reply == nil {
			return nil, engine.ErrLeaderGone
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// proxy is a proxy module that runs as a process.
type proxy struct {
	t   testing.TB
	p   *fakeProcess
	ctx context.Context
	mod api.Module
	g   *guest

	close    func()
	eventsAt uint32 // of the subscriptions made last
}

// newProxy runs the proxy module with the spec. Directories are served at
// Spec.Mounts.
func newProxy(t testing.TB, spec *engine.Spec, dirs ...origin.Dir) *proxy {
	t.Helper()
	return runProxy(t, proxyModule(true), spec, dirs...)
}

func runProxy(t testing.TB, wasm []byte, spec *engine.Spec, dirs ...origin.Dir) *proxy {
	t.Helper()
	p := &fakeProcess{spec: spec, ready: make(chan struct{}), blocked: make(chan struct{}, 1)}
	p.ctx, p.kill = context.WithCancel(context.Background())
	if len(dirs) > 0 {
		files, err := origin.OpenDirs(dirs)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(files.Close)
		spec.Mounts = files.Mounts()
		p.file = func(r *engine.FileRequest) *engine.FileReply {
			return files.Serve(engine.PID{Counter: 1}, r)
		}
	}
	x := instantiate(t, wasm, p)
	x.p = p
	t.Cleanup(func() {
		p.kill()
		x.close()
	})
	return x
}

// instantiate makes a guest of a process. It must be closed.
func instantiate(t testing.TB, wasm []byte, p process) *proxy {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	if err := New().Instantiate(ctx, rt); err != nil {
		t.Fatal(err)
	}
	ctx, leave := New().enter(ctx, p)
	mod, err := rt.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return &proxy{t: t, ctx: ctx, mod: mod, g: ctx.(*guest), close: func() {
		leave()
		rt.Close(context.Background())
	}}
}

// try calls a host function.
func (x *proxy) try(name string, args ...uint64) (abi.Errno, error) {
	res, err := x.mod.ExportedFunction(name).Call(x.ctx, args...)
	if err != nil || len(res) == 0 {
		return 0, err
	}
	return abi.Errno(res[0]), nil
}

// call calls a host function that is to return.
func (x *proxy) call(name string, args ...uint64) abi.Errno {
	x.t.Helper()
	errno, err := x.try(name, args...)
	if err != nil {
		x.t.Fatalf("%s%v: %v", name, args, err)
	}
	return errno
}

// want calls a host function and checks the errno.
func (x *proxy) want(want abi.Errno, name string, args ...uint64) {
	x.t.Helper()
	if got := x.call(name, args...); got != want {
		x.t.Errorf("%s%v = errno %d, want %d", name, args, got, want)
	}
}

// put writes to guest memory and returns the address and length as arguments.
func (x *proxy) put(at uint32, s string) (ptr, n uint64) {
	x.mod.Memory().WriteString(at, s)
	return uint64(at), uint64(len(s))
}

// iovs writes an iovec array at 512 that lists address and length pairs.
func (x *proxy) iovs(pairs ...uint32) (ptr, n uint64) {
	for i, v := range pairs {
		x.mod.Memory().WriteUint32Le(512+uint32(i)*4, v)
	}
	return 512, uint64(len(pairs) / 2)
}

func (x *proxy) u32(at uint32) uint32 { v, _ := x.mod.Memory().ReadUint32Le(at); return v }
func (x *proxy) u64(at uint32) uint64 { v, _ := x.mod.Memory().ReadUint64Le(at); return v }
func (x *proxy) bytes(at, n uint32) string {
	b, _ := x.mod.Memory().Read(at, n)
	return string(b)
}

// open opens a path below descriptor 3 and returns the descriptor.
func (x *proxy) open(path string, oflags, rights, fdflags uint64) uint64 {
	x.t.Helper()
	ptr, n := x.put(1024, path)
	x.want(0, "path_open", 3, 1, ptr, n, oflags, rights, rights, fdflags, 64)
	return uint64(x.u32(64))
}

// write writes a string to a descriptor.
func (x *proxy) write(fd uint64, s string) {
	x.t.Helper()
	ptr, n := x.put(2048, s)
	iov, k := x.iovs(uint32(ptr), uint32(n))
	x.want(0, "fd_write", fd, iov, k, 68)
	if got := x.u32(68); got != uint32(n) {
		x.t.Errorf("wrote %d bytes of %d", got, n)
	}
}

// read reads up to n bytes from a descriptor.
func (x *proxy) read(fd uint64, n uint32) string {
	x.t.Helper()
	iov, k := x.iovs(4096, n)
	x.want(0, "fd_read", fd, iov, k, 68)
	return x.bytes(4096, x.u32(68))
}

// exitCode returns the code of an unwound guest, -1 for another end.
func exitCode(err error) int {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return int(exit.ExitCode())
	}
	return -1
}

package guest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

// countingRuntime counts compilations. Each waits until hold is closed.
type countingRuntime struct {
	wazero.Runtime
	hold chan struct{}
	n    atomic.Int32
}

func (r *countingRuntime) CompileModule(ctx context.Context, b []byte) (wazero.CompiledModule, error) {
	r.n.Add(1)
	<-r.hold
	return r.Runtime.CompileModule(ctx, b)
}

func newCompiled(t *testing.T) (*compiled, *countingRuntime) {
	ctx := context.Background()
	rt := &countingRuntime{Runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter()), hold: make(chan struct{})}
	c := &compiled{}
	c.init(rt, func() error { return nil }, &pool{}, &snapshots{}, nil, 2)
	begin := time.Now()
	c.worked = func() time.Duration { return time.Since(begin) }
	t.Cleanup(func() {
		c.close()
		if err := rt.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c, rt
}

func moduleData(b []byte) engine.ModuleData {
	return engine.ModuleData{CID: enginetest.ModuleOf(b).CID, Bytes: b}
}

// nothing is (module (func (export "_start"))).
func nothing(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString("0061736d0100000001040160000003020100070a01065f737461727400000a040102000b")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isIdle says whether nobody uses the module, and it is kept.
func (c *compiled) isIdle(id cid.Cid) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	return e != nil && e.users == 0
}

// 50 callers at once get one compilation, which goes on when the one that began
// it gives up.
func TestCompileOnce(t *testing.T) {
	c, rt := newCompiled(t)
	m := moduleData(nothing(t))
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(enough)
	if _, err := c.get(ctx, m, engine.Origin{}); !errors.Is(err, enough) {
		t.Errorf("gave up: %v", err)
	}
	var wg sync.WaitGroup
	entries := make([]*entry, 50)
	for i := range entries {
		wg.Go(func() {
			e, err := c.get(context.Background(), m, engine.Origin{})
			if err != nil {
				t.Error(err)
				return
			}
			entries[i] = e
			c.release(e)
		})
	}
	close(rt.hold)
	wg.Wait()
	for _, e := range entries {
		if e == nil || e != entries[0] || e.code == nil {
			t.Errorf("got %+v", e)
		}
	}
	if n := rt.n.Load(); n != 1 || !c.isIdle(m.CID) {
		t.Errorf("compiled %d times, idle: %v", n, c.isIdle(m.CID))
	}
}

// A module that does not compile is not tried again while it is kept.
func TestCompileErrorKept(t *testing.T) {
	c, rt := newCompiled(t)
	close(rt.hold)
	bad := nothing(t)
	// Its code leaves a number on the stack: (func (i32.const 0)).
	bad = append(bad[:len(bad)-6], 0x0a, 6, 1, 4, 0, 0x41, 0, 0x0b)
	m := moduleData(bad)
	var first error
	for range 3 {
		_, err := c.get(context.Background(), m, engine.Origin{})
		if first == nil {
			first = err
		}
		if err == nil || err != first {
			t.Errorf("got %v, first %v", err, first)
		}
	}
	if n := rt.n.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
}

// numbered is a module like nothing, one for each number.
func numbered(t *testing.T, n int) engine.ModuleData {
	t.Helper()
	return moduleData(append(nothing(t), 0, 6, 4, 'a'+byte(n>>12&15), 'a'+byte(n>>8&15), 'a'+byte(n>>4&15), 'a'+byte(n&15), 0))
}

// On a machine that is busy with something else a compilation may take longer.
func TestCompileOnBusyMachine(t *testing.T) {
	for share, want := range map[time.Duration]time.Duration{1: 10 * time.Second, 4: 40 * time.Second, 100: 60 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c, rt := newCompiled(t)
			begin := time.Now()
			c.worked = func() time.Duration { return time.Since(begin) / share }
			_, err := c.get(context.Background(), numbered(t, 0), engine.Origin{})
			if took := time.Since(begin); err == nil || took != want {
				t.Errorf("with a share of 1/%d: %v after %v, want %v", share, err, took, want)
			}
			close(rt.hold)
		})
	}
}

// A compilation that takes too long costs those that wait for it an error, and
// its origin the slot until it ends; it is not tried again. Others do not wait.
func TestCompileTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, rt := newCompiled(t)
		slow, other := engine.Origin{1}, engine.Origin{2}
		begin := time.Now()
		_, err := c.get(context.Background(), numbered(t, 0), slow)
		took := time.Since(begin)
		var why engine.Reason
		if !errors.As(err, &why) || why.Word != engine.ModuleInvalid || !strings.Contains(why.Detail, "longer than 10s to compile") || took != 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		begin = time.Now()
		if _, again := c.get(context.Background(), numbered(t, 0), slow); again != err || time.Since(begin) != 0 {
			t.Errorf("again: %v after %v", again, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(context.Background())
		for _, o := range []engine.Origin{slow, other} {
			n := int(o[0])
			go c.get(ctx, numbered(t, n), o)
			synctest.Wait()
			if got := int(rt.n.Load()); got != n { // 1: the slow one alone; 2: and the other's
				t.Errorf("origin %d: %d compilations have begun", n, got)
			}
		}
		cancel()
		close(rt.hold)
		synctest.Wait()
		if n := rt.n.Load(); n != 3 {
			t.Errorf("%d compilations", n)
		}
		if _, again := c.get(context.Background(), numbered(t, 0), slow); again != err || rt.n.Load() != 3 {
			t.Errorf("after it has ended: %v", again)
		}
	})
}

// An origin has one compilation at a time; what another wants too does not wait
// for the first one's others.
func TestCompileFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, rt := newCompiled(t)
		c.slots = newCompileSlots(3)
		want := func(n int, o byte) {
			go func() {
				e, err := c.get(context.Background(), numbered(t, n), engine.Origin{o})
				if err != nil {
					t.Error(err)
					return
				}
				c.release(e)
			}()
			synctest.Wait()
		}
		for _, step := range []struct {
			module int
			origin byte
			begun  int32
		}{{0, 1, 1}, {1, 1, 1}, {2, 1, 1}, {3, 2, 2}, {2, 3, 3}, {4, 4, 3}, {0, 5, 3}} {
			want(step.module, step.origin)
			if n := rt.n.Load(); n != step.begun {
				t.Errorf("module %d for origin %d: %d have begun", step.module, step.origin, n)
			}
		}
		close(rt.hold)
		synctest.Wait()
		if n := rt.n.Load(); n != 5 || c.slots.free != 3 || len(c.slots.busy)+len(c.slots.waiting) != 0 {
			t.Errorf("%d compilations, slots %+v", n, c.slots)
		}
	})
}

// What was refused is remembered, the latest maxRefused of them.
func TestRefusedBounded(t *testing.T) {
	var r refusals
	for i := range maxRefused + 1 {
		r.add(numbered(t, i).CID, fmt.Errorf("%d", i))
		if i == 1 && r.get(numbered(t, 0).CID) == nil { // asked for: it stays
			t.Error("forgotten")
		}
	}
	for n, want := range map[int]string{0: "0", 1: "<nil>", 2: "2", maxRefused: fmt.Sprint(maxRefused)} {
		if got := fmt.Sprint(r.get(numbered(t, n).CID)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if len(r.byID) != maxRefused || r.order.Len() != maxRefused {
		t.Errorf("%d, %d", len(r.byID), r.order.Len())
	}
}

// What nobody uses is given up, longest idle first, when it is more than
// maxIdle; what is used stays.
func TestCompiledIdle(t *testing.T) {
	c, rt := newCompiled(t)
	close(rt.hold)
	e, err := c.get(context.Background(), moduleData(nothing(t)), engine.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	// With a custom section of zeros that makes them large.
	part := func(n int) engine.ModuleData {
		size := maxIdle * 2 / 5
		return moduleData(append(append(numbered(t, n).Bytes, code(0, uleb(size+1), 0)...), make([]byte, size)...))
	}
	for i := range 3 {
		e, err := c.get(context.Background(), part(i), engine.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		c.release(e)
	}
	for i, want := range []bool{false, true, true} {
		if id := part(i).CID; c.isIdle(id) != want {
			t.Errorf("part %d is kept: %v", i, !want)
		}
	}
	c.release(e)
	if !c.isIdle(moduleData(nothing(t)).CID) || rt.n.Load() != 4 {
		t.Errorf("compiled %d times", rt.n.Load())
	}
}

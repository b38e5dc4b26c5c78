package guest

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
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
	c.init(rt, &pool{}, &snapshots{})
	t.Cleanup(func() {
		c.close()
		if err := rt.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c, rt
}

func moduleData(t testing.TB, b []byte) engine.ModuleData {
	t.Helper()
	h, err := multihash.Sum(b, multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return engine.ModuleData{CID: cid.NewCidV1(cid.Raw, h), Bytes: b}
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
	m := moduleData(t, nothing(t))
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(enough)
	if _, _, err := c.get(ctx, m); !errors.Is(err, enough) {
		t.Errorf("gave up: %v", err)
	}
	var wg sync.WaitGroup
	entries := make([]*entry, 50)
	for i := range entries {
		wg.Go(func() {
			e, release, err := c.get(context.Background(), m)
			if err != nil {
				t.Error(err)
				return
			}
			entries[i] = e
			release()
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
	m := moduleData(t, bad)
	var first error
	for range 3 {
		_, _, err := c.get(context.Background(), m)
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

// What nobody uses is given up, longest idle first, when it is more than
// maxIdle; what is used stays.
func TestCompiledIdle(t *testing.T) {
	c, rt := newCompiled(t)
	close(rt.hold)
	_, release, err := c.get(context.Background(), moduleData(t, nothing(t)))
	if err != nil {
		t.Fatal(err)
	}
	// No modules, so that none is compiled; their sizes count all the same.
	part := func(first byte) engine.ModuleData {
		m := moduleData(t, []byte{first})
		m.Bytes = make([]byte, maxIdle*2/5)
		return m
	}
	for i := range byte(3) {
		if _, _, err := c.get(context.Background(), part(i)); err == nil {
			t.Fatal("compiled zeros")
		}
	}
	for i, want := range []bool{false, true, true} {
		if id := part(byte(i)).CID; c.isIdle(id) != want {
			t.Errorf("part %d is kept: %v", i, !want)
		}
	}
	release()
	if !c.isIdle(moduleData(t, nothing(t)).CID) || rt.n.Load() != 1 {
		t.Errorf("compiled %d times", rt.n.Load())
	}
}

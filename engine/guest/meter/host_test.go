package meter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/engine/guest/meter"
)

var (
	errFuel  = errors.New("fuel is used up")
	errStack = errors.New("stack is used up")
)

// budget is what one instance may use, and has.
type budget struct {
	slice int64 // at most between two calls of the host
	fuel  int64 // in all; 0: no limit
	stack int32 // words

	began  bool
	given  int64 // of it, so far
	yields int
}

// yield is the host's side of the counting.
func (b *budget) yield(c meter.Counter) meter.Counter {
	b.yields++
	if !b.began {
		b.began = true
		c = c.Add(0, b.stack)
	}
	if c.Depth() < 0 {
		panic(errStack)
	}
	for c.Left() < 0 {
		more := b.slice
		if b.fuel > 0 {
			more = min(more, b.fuel-b.given)
		}
		if more == 0 {
			panic(errFuel)
		}
		b.given += more
		c = c.Add(int32(more), 0)
	}
	return c
}

// used returns what an instance has used.
func (b *budget) used(inst api.Module) int64 {
	return b.given - int64(meter.Counter(inst.ExportedGlobal(meter.Export).Get()).Left())
}

// host is a runtime in which metered modules run.
type host struct {
	wazero.Runtime
	budgets map[api.Module]*budget
	next    budget // of instances that are not in budgets yet
}

func newHost(t testing.TB, c wazero.RuntimeConfig, next budget) *host {
	t.Helper()
	ctx := context.Background()
	h := &host{Runtime: wazero.NewRuntimeWithConfig(ctx, c.WithMemoryLimitPages(1024)), budgets: map[api.Module]*budget{}, next: next}
	t.Cleanup(func() { h.Close(ctx) })
	_, err := h.NewHostModuleBuilder(meter.Module).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, s []uint64) {
			s[0] = uint64(h.budget(mod).yield(meter.Counter(s[0])))
		}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(meter.Yield).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) budget(mod api.Module) *budget {
	b := h.budgets[mod]
	if b == nil {
		n := h.next
		b = &n
		h.budgets[mod] = b
	}
	return b
}

// tiers are the ways to run a module that must not differ in what is seen, or
// counted.
var tiers = []struct {
	name   string
	config func() wazero.RuntimeConfig
	slice  int64
}{
	{"compiler", wazero.NewRuntimeConfigCompiler, 200_000},
	{"compiler, short slices", wazero.NewRuntimeConfigCompiler, 7},
	{"interpreter", wazero.NewRuntimeConfigInterpreter, 200_000},
}

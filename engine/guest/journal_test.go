package guest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/slots"
)

// calls20 is
//
//	(module (import "h" "f" (func $f (param i32 i32) (result i32)))
//	 (memory (export "memory") 1)
//	 (func (export "_start") (local $i i32)
//	  (loop
//	   (i32.store (i32.const 64) (i32.add (call $f (i32.const 64) (local.get $i)) (i32.load (i32.const 68))))
//	   (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))))
const calls20 = "0061736d01000000010a0260027f7f017f600000020701016801660000030201010503010001071302066d656d6f72790200065f737461727400010a29012701017f034041c00041c0002000100041c4002802006a360200200041016a22004114490d000b0b"

// outside is what the calls of a guest change: what f was told, in order. f
// answers with numbers that never come again, in its result and in memory.
type outside struct {
	mu   sync.Mutex
	seen []string
	hook func(call int) // before the call has an effect
}

func (o *outside) f(_ context.Context, mod api.Module, stack []uint64) {
	o.mu.Lock()
	n := len(o.seen)
	o.mu.Unlock()
	if o.hook != nil {
		o.hook(n)
	}
	b, _ := mod.Memory().Read(uint32(stack[0]), 8)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, fmt.Sprintf("%d %d", uint32(stack[1]), binary.LittleEndian.Uint32(b)))
	binary.LittleEndian.PutUint32(b[4:], uint32(1000*(n+1)))
	stack[0] = uint64(n)
}

// want is all that f is told, by whomever.
func want20() []string {
	var all []string
	last := 0
	for i := range 20 {
		all = append(all, fmt.Sprintf("%d %d", i, last))
		last = i + 1000*(i+1)
	}
	return all
}

// twoTiers is a run in both tiers, of modules that should be the same.
type twoTiers struct {
	t    *testing.T
	out  *outside
	j    *journal
	a, b *side
	run  [2]func() (final bool, err error)
	stop [2]func()
}

func newTwoTiers(t *testing.T, modules [2][]byte) *twoTiers {
	t.Helper()
	ctx := context.Background()
	x := &twoTiers{t: t, out: &outside{}, j: newJournal()}
	ctxA, stopA := context.WithCancel(ctx)
	ctxB, stopB := context.WithCancel(ctx)
	t.Cleanup(stopA)
	t.Cleanup(stopB)
	cores := slots.New(1) // for both
	turnA, turnB := cores.Turn(ctxA), cores.Turn(ctxB)
	x.a = newSide(x.j, first, &run{Context: ctxA, turn: &turnA}, ctx)
	x.b = newSide(x.j, second, &run{Context: ctxB, turn: &turnB}, ctx)
	x.b.tookOver, x.stop = stopA, [2]func(){stopA, stopB}
	for i, cfg := range []wazero.RuntimeConfig{wazero.NewRuntimeConfigInterpreter(), wazero.NewRuntimeConfig()} {
		rt := &tapped{Runtime: wazero.NewRuntimeWithConfig(ctx, cfg)}
		t.Cleanup(func() {
			if err := rt.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		if _, err := rt.NewHostModuleBuilder("h").NewFunctionBuilder().
			WithGoModuleFunction(api.GoModuleFunc(x.out.f), []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI32}).
			Export("f").Instantiate(ctx); err != nil {
			t.Fatal(err)
		}
		if err := instantiateMeter(ctx, rt.Runtime); err != nil {
			t.Fatal(err)
		}
		inst, err := rt.InstantiateWithConfig(ctx, modules[i], wazero.NewModuleConfig().WithStartFunctions())
		if err != nil {
			t.Fatal(err)
		}
		s := []*side{x.a, x.b}[i]
		x.run[i] = func() (bool, error) {
			s.run.turn.Enter()
			defer s.run.turn.Leave()
			_, err := inst.ExportedFunction("_start").Call(s)
			final := s.finish()
			if final && s.role == first {
				stopB()
			}
			if s.role == second && !final {
				x.j.giveUp()
			}
			return final, err
		}
	}
	return x
}

// together runs both sides; the second begins with the call that begin names. It
// returns which side had the last word.
func (x *twoTiers) together(begin int) role {
	x.t.Helper()
	var wg sync.WaitGroup
	var finals [2]bool
	start := make(chan struct{})
	hook := x.out.hook
	x.out.hook = func(n int) {
		if n == begin {
			select {
			case <-start:
			default:
				close(start)
			}
		}
		if hook != nil {
			hook(n)
		}
	}
	wg.Go(func() { finals[first], _ = x.run[first]() })
	wg.Go(func() { <-start; finals[second], _ = x.run[second]() })
	wg.Wait()
	if finals[first] == finals[second] {
		x.t.Fatalf("both or none ended the run: %v", finals)
	}
	if finals[second] {
		return second
	}
	return first
}

func calls(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(calls20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Wherever the second begins, each call is done once, with what the first one
// would have given it.
func TestJournalAnywhere(t *testing.T) {
	b := calls(t)
	for begin := range 20 {
		x := newTwoTiers(t, [2][]byte{b, b})
		x.together(begin)
		if !slices.Equal(x.out.seen, want20()) {
			t.Errorf("second begins at %d: %q", begin, x.out.seen)
		}
	}
}

// A first one whose journal is full waits for the second, which goes on alone.
func TestJournalTakesOver(t *testing.T) {
	b := calls(t)
	for at := range 20 {
		x := newTwoTiers(t, [2][]byte{b, b})
		x.out.hook = func(n int) {
			if n == at {
				x.j.mu.Lock()
				x.j.size += maxJournal
				x.j.mu.Unlock()
			}
		}
		if at == 19 { // no call comes after it: who ends first is as it happens
			x.together(at)
		} else if last := x.together(at); last != second {
			t.Errorf("full after %d: ended by %v", at, last)
		}
		if !slices.Equal(x.out.seen, want20()) {
			t.Errorf("full after %d: %q", at, x.out.seen)
		}
	}
}

// A second one that shows the host anything else gives up, and the first goes on.
func TestJournalDiffers(t *testing.T) {
	b := calls(t)
	for name, change := range map[string]struct{ old, new string }{
		"argument": {"41c00041c000200010", "41c00041c400200010"}, // another address
		"memory":   {"41c4002802006a", "41c4002802006b"},         // another sum there
		"ends":     {"41144", "41054"},                           // 5 calls, not 20
	} {
		at := strings.Index(calls20, change.old)
		if at < 0 {
			t.Fatal(name)
		}
		other, err := hex.DecodeString(calls20[:at] + change.new + calls20[at+len(change.old):])
		if err != nil {
			t.Fatal(err)
		}
		x := newTwoTiers(t, [2][]byte{b, other})
		if last := x.together(10); last != first || !slices.Equal(x.out.seen, want20()) {
			t.Errorf("%s: ended by %v, %q", name, last, x.out.seen)
		}
	}
}

// A call that ends the guest is done once, and the run is the first one's.
func TestJournalExit(t *testing.T) {
	b := calls(t)
	for at := range 20 {
		x := newTwoTiers(t, [2][]byte{b, b})
		x.j.size = -1 << 40 // never full
		x.out.hook = func(n int) {
			if n == at {
				panic(sys.NewExitError(3))
			}
		}
		x.together(at)
		if !slices.Equal(x.out.seen, want20()[:at]) {
			t.Errorf("exit at %d: %q", at, x.out.seen)
		}
	}
}

// A run that computes without a call moves all the same, as soon as the second
// has done as much as the first, so that the count never goes back.
func TestJournalMovesBetweenCalls(t *testing.T) {
	// (module (func (export "_start") (loop (br 0))))
	spins, err := hex.DecodeString("0061736d010000000104016000000302010007" + "0a01065f737461727400000a09010700" + "03400c000b0b")
	if err != nil {
		t.Fatal(err)
	}
	counted, err := metered(spins)
	if err != nil {
		t.Fatal(err)
	}
	x := newTwoTiers(t, [2][]byte{counted, counted})
	for _, s := range []*side{x.a, x.b} {
		s.run.p, s.run.limit, s.run.stack = &engine.Process{}, math.MaxUint64, DefaultStack
	}
	x.b.tookOver = func() {
		if now := x.b.run.count; now < x.j.count {
			t.Errorf("goes on from %d reductions, after %d", now, x.j.count)
		}
		x.stop[first]()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if final, err := x.run[first](); final || err == nil {
			t.Errorf("the first one: final %v, %v", final, err)
		}
		x.stop[second]()
	})
	wg.Go(func() {
		if final, err := x.run[second](); !final || err == nil {
			t.Errorf("the second one: final %v, %v", final, err)
		}
	})
	wg.Wait()
}

// A run that is killed ends on both sides, wherever they are.
func TestJournalKilled(t *testing.T) {
	b := calls(t)
	x := newTwoTiers(t, [2][]byte{b, b})
	ctx, kill := context.WithCancelCause(context.Background())
	x.a.Context, x.b.Context = ctx, ctx
	held := make(chan struct{})
	x.out.hook = func(n int) {
		if n == 7 {
			close(held)
			<-ctx.Done()
			panic(sys.NewExitError(137))
		}
	}
	var wg sync.WaitGroup
	var errs [2]error
	wg.Go(func() { _, errs[first] = x.run[first]() })
	<-held
	wg.Go(func() { _, errs[second] = x.run[second]() })
	kill(errors.New("killed"))
	wg.Wait()
	if errs[first] == nil || errs[second] == nil || len(x.out.seen) != 7 {
		t.Errorf("%v, %q", errs, x.out.seen)
	}
}

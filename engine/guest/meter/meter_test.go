package meter_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	. "github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// counted runs an export of a rewritten module and returns what it used.
func counted(t testing.TB, c wazero.RuntimeConfig, b budget, wasm []byte, name string, args ...uint64) (int64, []uint64, api.Module, error) {
	t.Helper()
	ctx := context.Background()
	out, _, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, c, b)
	inst, err := h.InstantiateWithConfig(ctx, out, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	res, err := inst.ExportedFunction(name).Call(ctx, args...)
	return h.budget(inst).used(inst), res, inst, err
}

// programs that end.
func programs() map[string]struct {
	wasm []byte
	args []uint64
	want []uint64
} {
	export := func(f Func) Func { f.Export = "run"; return f }
	sum := Func{Params: []byte{I64}, Results: []byte{I64}, Locals: []byte{I64}, Code: Code(
		0x03, 0x40, 0x20, 1, 0x20, 0, 0x7c, 0x21, 1, // sum += n
		0x20, 0, I64Const(1, nil), 0x7d, 0x22, 0, 0x50, 0x45, 0x0d, 0, 0x0b, 0x20, 1)} // while --n != 0
	fib := Func{Params: []byte{I64}, Results: []byte{I64}, Code: Code(
		0x20, 0, I64Const(2, nil), 0x53, 0x04, I64, 0x20, 0, 0x05,
		0x20, 0, I64Const(1, nil), 0x7d, 0x10, 0, 0x20, 0, I64Const(2, nil), 0x7d, 0x10, 0, 0x7c, 0x0b)}
	// Ackermann's function by a br_table to the head of a loop, with a
	// recursion: a(m, n) = m == 0: n+1; n == 0: a(m-1, 1); else a(m-1, a(m, n-1)).
	ack := Func{Params: []byte{I64, I64}, Results: []byte{I64}, Code: Code(
		0x03, I64,
		0x20, 0, 0x50, 0x04, I64, 0x20, 1, I64Const(1, nil), 0x7c, 0x05,
		0x20, 1, 0x50, 0x04, 0x40, I64Const(1, nil), 0x21, 1, 0x05,
		0x20, 0, 0x20, 1, I64Const(1, nil), 0x7d, 0x10, 0, 0x21, 1, 0x0b,
		0x20, 0, I64Const(1, nil), 0x7d, 0x21, 0,
		I32Const(0), 0x0e, 1, 1, 1, 0x0b, 0x0b)}
	// Collatz steps by the dispatch that Go's compiler writes: a local says
	// where to go, and the way there is the head of the loop.
	collatz := Func{Params: []byte{I64}, Results: []byte{I64}, Locals: []byte{I32, I64}, Code: Code(
		0x03, 0x40, // L
		0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 1, 0x0e, 3, 0, 1, 2, 3, 0x0b,
		// 0: one? to 3. Even? to 2. Else on to 1.
		0x20, 0, I64Const(1, nil), 0x51, 0x04, 0x40, I32Const(3), 0x21, 1, 0x0c, 4, 0x0b,
		0x20, 2, I64Const(1, nil), 0x7c, 0x21, 2,
		0x20, 0, I64Const(1, nil), 0x83, 0x50, 0x04, 0x40, I32Const(2), 0x21, 1, 0x0c, 4, 0x0b,
		0x0b,
		// 1: n = 3n+1, to 0
		0x20, 0, I64Const(3, nil), 0x7e, I64Const(1, nil), 0x7c, 0x21, 0, I32Const(0), 0x21, 1, 0x0c, 2, 0x0b,
		// 2: n = n/2, to 0
		0x20, 0, I64Const(2, nil), 0x80, 0x21, 0, I32Const(0), 0x21, 1, 0x0c, 1, 0x0b,
		// 3:
		0x0b, 0x20, 2)}
	type p = struct {
		wasm []byte
		args []uint64
		want []uint64
	}
	return map[string]p{
		"loop":      {Module{Funcs: []Func{export(sum)}}.Bytes(), []uint64{1000}, []uint64{500500}},
		"recursion": {Module{Funcs: []Func{export(fib)}}.Bytes(), []uint64{15}, []uint64{610}},
		"both":      {Module{Funcs: []Func{export(ack)}}.Bytes(), []uint64{2, 9}, []uint64{21}},
		"dispatch":  {Module{Funcs: []Func{export(collatz)}}.Bytes(), []uint64{27}, []uint64{111}},
	}
}

// A program that uses n passes with n, and is refused with n-1; in every tier
// and slice.
func TestExact(t *testing.T) {
	for name, p := range programs() {
		t.Run(name, func(t *testing.T) {
			var first int64
			for _, tier := range tiers {
				b := budget{slice: tier.slice, stack: 1 << 16}
				used, res, _, err := counted(t, tier.config(), b, p.wasm, "run", p.args...)
				if err != nil || res[0] != p.want[0] {
					t.Fatalf("%s: %v %v", tier.name, res, err)
				}
				if first == 0 {
					first = used
				}
				if used != first || used < 100 {
					t.Errorf("%s: used %d, the first %d", tier.name, used, first)
				}
				b.fuel = used
				if _, _, _, err := counted(t, tier.config(), b, p.wasm, "run", p.args...); err != nil {
					t.Errorf("%s: with %d: %v", tier.name, used, err)
				}
				b.fuel--
				if _, _, _, err := counted(t, tier.config(), b, p.wasm, "run", p.args...); !errors.Is(err, errFuel) {
					t.Errorf("%s: with %d: %v", tier.name, b.fuel, err)
				}
			}
		})
	}
}

// The stack that a recursion takes is counted in words, the same in each tier,
// and is given back.
func TestDepth(t *testing.T) {
	// down(n) = n == 0 ? 0 : 1 + down(n-1)
	down := Func{Export: "run", Params: []byte{I64}, Results: []byte{I64}, Code: Code(
		0x20, 0, 0x50, 0x04, I64, I64Const(0, nil), 0x05, 0x20, 0, I64Const(1, nil), 0x7d, 0x10, 0, I64Const(1, nil), 0x7c, 0x0b)}
	// The same with many calls, so that the stack is taken for all of them at
	// once, and with all ways to return.
	many := down
	many.Code = Code(
		0x20, 0, 0x50, 0x04, 0x40, I64Const(0, nil), 0x0f, 0x0b,
		0x20, 0, I64Const(-1, nil), 0x51, 0x04, 0x40, I64Const(0, nil), 0x0c, 1, 0x0b,
		I64Const(0, nil), 0x20, 0, I64Const(-2, nil), 0x51, 0x0d, 0, 0x1a,
		I64Const(-1, nil), 0x10, 0, I64Const(-2, nil), 0x10, 0, 0x7c, 0x1a,
		0x20, 0, I64Const(1, nil), 0x7d, 0x10, 0, I64Const(1, nil), 0x7c)
	for name, f := range map[string]Func{"one": down, "many": many} {
		wasm := Module{Funcs: []Func{f}}.Bytes()
		for _, tier := range tiers {
			b := budget{slice: tier.slice, stack: 1 << 14}
			_, res, inst, err := counted(t, tier.config(), b, wasm, "run", 1000)
			if err != nil || res[0] != 1000 {
				t.Fatalf("%s, %s: %v %v", name, tier.name, res, err)
			}
			if c := meter.Counter(inst.ExportedGlobal(meter.Export).Get()); c.Depth() != b.stack {
				t.Errorf("%s, %s: %d words are left of %d", name, tier.name, c.Depth(), b.stack)
			}
			least := int32(0) // words that are enough for 1000 calls
			for lo, hi := int32(1), b.stack; lo < hi; {
				b.stack = (lo + hi) / 2
				_, _, _, err := counted(t, tier.config(), b, wasm, "run", 1000)
				if err == nil {
					hi = b.stack
				} else if errors.Is(err, errStack) {
					lo = b.stack + 1
				} else {
					t.Fatal(err)
				}
				least = hi
			}
			if least < 8*1000 || least > 14*1000 {
				t.Errorf("%s, %s: 1000 calls take %d words", name, tier.name, least)
			}
		}
	}
}

// Operations on memory that are cut in pieces do what they did: whole, traps
// before anything is written, overlaps.
func TestBulk(t *testing.T) {
	const pages = 8
	size := pages << 16
	segment := bytes.Repeat([]byte("0123456789abcde"), 20_000) // 300 kB
	params := []byte{I32, I32, I32}
	get := Code(0x20, 0, 0x20, 1, 0x20, 2)
	wasm := Module{Memory: pages, PassiveData: segment, Funcs: []Func{
		{Export: "fill", Params: params, Code: Code(get, 0xfc, 11, 0)},
		{Export: "copy", Params: params, Code: Code(get, 0xfc, 10, 0, 0)},
		{Export: "init", Params: params, Code: Code(get, 0xfc, 8, 0, 0)},
		{Export: "drop", Params: params, Code: Code(0xfc, 9, 0)},
	}}.Bytes()
	out, _, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, tier := range tiers {
		h := newHost(t, tier.config(), budget{slice: tier.slice, stack: 1000})
		start := func(b []byte) api.Module {
			inst, err := h.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(""))
			if err != nil {
				t.Fatal(err)
			}
			view, _ := inst.Memory().Read(0, uint32(size))
			for i := range view {
				view[i] = byte(i * i >> 8)
			}
			return inst
		}
		plain, cut := start(wasm), start(out)
		for _, c := range []struct {
			name string
			args [3]int
		}{
			{"fill", [3]int{1, 7, 200_000}}, {"fill", [3]int{0, 8, size}}, {"fill", [3]int{5, 9, 65_536}}, {"fill", [3]int{5, 9, 65_537}},
			{"fill", [3]int{1, 7, size}}, {"fill", [3]int{size, 7, 0}}, {"fill", [3]int{size + 1, 7, 0}}, {"fill", [3]int{-1, 7, 70_000}}, {"fill", [3]int{4, 7, -4}},
			{"init", [3]int{0, 0, 300_000}}, {"init", [3]int{17, 3, 299_997}}, {"init", [3]int{17, 4, 299_997}}, {"init", [3]int{size - 100_000, 0, 100_001}},
			{"copy", [3]int{0, 100_000, 200_000}}, {"copy", [3]int{100_001, 0, 300_000}}, {"copy", [3]int{3, 3, 300_000}}, {"copy", [3]int{1, 0, size - 1}},
			{"copy", [3]int{0, 1, size}}, {"copy", [3]int{1, 0, size}}, {"copy", [3]int{0, -1, 100_000}}, {"copy", [3]int{70_000, 0, 70_001}}, {"copy", [3]int{0, 70_000, 70_001}},
			{"drop", [3]int{}}, {"init", [3]int{0, 0, 0}}, {"init", [3]int{0, 0, 70_000}}, {"init", [3]int{0, 1, 0}},
		} {
			args := []uint64{uint64(uint32(c.args[0])), uint64(uint32(c.args[1])), uint64(uint32(c.args[2]))}
			_, want := plain.ExportedFunction(c.name).Call(ctx, args...)
			_, got := cut.ExportedFunction(c.name).Call(ctx, args...)
			if class(got) != class(want) {
				t.Errorf("%s: %s %v: %v, uncut %v", tier.name, c.name, c.args, class(got), class(want))
			}
			a, _ := plain.Memory().Read(0, uint32(size))
			b, _ := cut.Memory().Read(0, uint32(size))
			if !bytes.Equal(a, b) {
				t.Fatalf("%s: %s %v: memories differ", tier.name, c.name, c.args)
			}
		}
	}
}

// The stack trace of a trap names functions as the module's author knows them.
func TestTrace(t *testing.T) {
	wasm := Module{Imports: []Import{{Module: "env", Name: "f"}}, Funcs: []Func{
		{Export: "run", Code: Code(0x10, 2)}, {Code: Code(0x00)}}}.Bytes()
	out, _, err := meter.Rewrite(wasm)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var traces []string
	for _, b := range [][]byte{wasm, out} {
		h := newHost(t, wazero.NewRuntimeConfigCompiler(), budget{slice: 100, stack: 100})
		if _, err := h.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("f").Instantiate(ctx); err != nil {
			t.Fatal(err)
		}
		inst, err := h.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		_, err = inst.ExportedFunction("run").Call(ctx)
		traces = append(traces, err.Error())
	}
	if traces[0] != traces[1] || !strings.Contains(traces[1], "$2") {
		t.Errorf("without counting:\n%s\nwith it:\n%s", traces[0], traces[1])
	}
}

// What a module could use to reach the counter is refused.
func TestReserved(t *testing.T) {
	call := func(code []byte) Module {
		return Module{Globals: []int64{0}, Funcs: []Func{{Export: "run", Code: code}}}
	}
	imports := Module{Imports: []Import{{Module: meter.Module, Name: meter.Yield}}, Funcs: []Func{{}}}
	exports := Module{Funcs: []Func{{Export: meter.Export}}}
	for name, c := range map[string]struct {
		m    Module
		want string
	}{
		"reads the counter":   {call(Code(0x23, 1, 0x1a)), "code section, offset 0x36: malformed: uses global 1 of 1"},
		"writes the counter":  {call(Code(I64Const(9, nil), 0x24, 1)), "uses global 1 of 1"},
		"calls a helper":      {call(Code(0x10, 1)), "calls function 1 of 1"},
		"refers to a helper":  {call(Code(0xd2, 1, 0x1a)), "refers to function 1 of 1"},
		"element of a helper": {Module{Table: 1, Elements: []uint32{1}, Funcs: []Func{{}}}, "element section"},
		"type of a helper":    {call(Code(0x02, 1, 0x0b)), "a block has type 1 of 1"},
		"leaves too much":     {call(Code(0x0c, 1)), "leaves 2 blocks of 1"},
		"imports":             {imports, `the module name "wnode:meter" is reserved`},
		"exports":             {exports, `the export name "wnode:meter" is reserved`},
	} {
		_, _, err := meter.Rewrite(c.m.Bytes())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Bytes that wazero would take for other instructions than the pass are refused:
// all that was counted would be something else.
func TestOneReading(t *testing.T) {
	for name, code := range map[string][]byte{
		"vector instruction in another encoding": Code(0xfd, 0x0c, make([]byte, 16), 0xfd, 0x8c, 0, make([]byte, 16), 0x1a),
		"block of a typed reference":             Code(0x02, 0x63, 0x70, 0xd0, 0x70, 0x0b, 0x1a),
		"null of a typed reference":              Code(0xd0, 0xf0, 0, 0x1a),
		"null of a type":                         Code(0xd0, 0, 0x1a),
		"select of a typed reference":            Code(0xd0, 0x70, 0xd0, 0x70, I32Const(0), 0x1c, 1, 0x63, 0x70, 0x1a),
		"select of two":                          Code(I32Const(0), 0x1c, 2, I32, I32, 0x1a),
	} {
		if _, _, err := meter.Rewrite(Module{Funcs: []Func{{Export: "run", Code: code}}}.Bytes()); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	local := Module{Funcs: []Func{{Export: "run", Locals: []byte{0x63}}}}.Bytes()
	if _, _, err := meter.Rewrite(local); err == nil {
		t.Error("a local of a typed reference is taken")
	}
}

// FuzzRewrite: the pass ends on any bytes without a panic; what wazero takes as
// it is it takes rewritten.
func FuzzRewrite(f *testing.F) {
	for _, p := range programs() {
		f.Add(p.wasm)
	}
	for _, s := range Hostile() {
		if len(s.Wasm) < 2000 {
			f.Add(s.Wasm)
		}
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		out, _, err := meter.Rewrite(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
		if !Sane(b) {
			return
		}
		if code, e := rt.CompileModule(ctx, b); e == nil {
			code.Close(ctx)
			if err != nil {
				for _, known := range []string{
					"reserved",
					"not supported",
					"no number of 3", // wazero does not look at the highest bit of five bytes
				} {
					if strings.Contains(err.Error(), known) {
						return
					}
				}
				t.Fatalf("refused: %v", err)
			}
			code, e := rt.CompileModule(ctx, out)
			if e != nil {
				t.Fatalf("rewritten: %v", e)
			}
			code.Close(ctx)
		}
	})
}

// BenchmarkRewrite is the pass over the largest module of wazero's tests.
func BenchmarkRewrite(b *testing.B) {
	var most []byte
	Corpus(b, func(_ string, wasm []byte) {
		if len(wasm) > len(most) {
			most = wasm
		}
	})
	b.SetBytes(int64(len(most)))
	for b.Loop() {
		if _, _, err := meter.Rewrite(most); err != nil {
			b.Fatal(err)
		}
	}
}

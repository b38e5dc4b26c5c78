package guesttest

// Shape is a module that never ends by itself, or only after very long.
type Shape struct {
	Name string
	Wasm []byte
	// Ends is how it ends without being killed, a word of a reason; "" it does not.
	Ends string

	// Blocks is set for those that wait in a call of the host.
	Blocks bool
}

const wasi = "wasi_snapshot_preview1"

func start(code []byte, locals ...byte) Func {
	return Func{Export: "_start", Locals: locals, Code: code}
}

func forever(body ...any) []byte {
	return Code(0x03, 0x40, Code(body...), 0x0c, 0, 0x0b)
}

func call(i int) []byte { return []byte{0x10, byte(i)} }

// Hostile returns modules of which each holds on to its processor in a way of its own.
func Hostile() []Shape {
	one := func(code []byte, locals ...byte) []byte {
		return Module{Memory: 1, Funcs: []Func{start(code, locals...)}}.Bytes()
	}
	big := func(code []byte, locals ...byte) Module {
		return Module{Memory: 1000, Funcs: []Func{start(code, locals...)}}
	}
	const n = 60 << 20
	nop := Func{Code: nil}
	// Functions that call the next one twice: 2 to the power of their number.
	var tower []Func
	for i := range 60 {
		tower = append(tower, Func{Code: Code(call(i+2), call(i+2))})
	}
	tower = append([]Func{start(call(1))}, append(tower, nop)...)
	// The same through a table.
	var tableTower []Func
	elements := []uint32{}
	for i := range 60 {
		to := Code(I32Const(int32(i+1)), 0x11, 1, 0)
		tableTower = append(tableTower, Func{Code: Code(to, to)})
		elements = append(elements, uint32(i+1))
	}
	elements = append(elements, 61)
	tableTower = append([]Func{start(Code(I32Const(0), 0x11, 1, 0))}, append(tableTower, nop)...)
	var chains []Func // long code between loops, and calls of it
	for range 20 {
		chains = append(chains, Func{Code: Repeat(1000, Code(I32Const(0), 0x28, 2, 0, 0x1a))})
	}
	var callChains []byte
	for i := range chains {
		callChains = append(callChains, call(i+1)...)
	}
	deep := func(locals int, before, after []byte) []byte {
		l := make([]byte, locals)
		for i := range l {
			l[i] = I64
		}
		return Module{Memory: 1, Funcs: []Func{
			start(forever(call(1))),
			{Locals: l, Code: Code(before, call(1), after)},
		}}.Bytes()
	}
	fib := Func{Params: []byte{I64}, Results: []byte{I64}, Code: Code(
		0x20, 0, I64Const(2, nil), 0x53, 0x04, I64, 0x20, 0, 0x05,
		0x20, 0, I64Const(1, nil), 0x7d, call(1), 0x20, 0, I64Const(2, nil), 0x7d, call(1), 0x7c, 0x0b)}
	table := func(size uint32, code []byte, locals ...byte) []byte {
		return Module{Memory: 1, Table: size, Elements: []uint32{0}, Passive: []uint32{0, 0, 0}, Funcs: []Func{start(code, locals...)}}.Bytes()
	}
	host := func(name string, params int, code []byte) []byte {
		return Module{Memory: 1, Imports: []Import{{Module: wasi, Name: name, Params: Repeat(params, []byte{I32}), Results: []byte{I32}}},
			Funcs: []Func{start(code)}}.Bytes()
	}
	args := func(v ...int32) (b []byte) {
		for _, a := range v {
			b = append(b, I32Const(a)...)
		}
		return b
	}
	// One buffer of 100 bytes at 64, its vector at 0.
	vector := Code(I32Const(0), I32Const(64), 0x36, 2, 0, I32Const(4), I32Const(100), 0x36, 2, 0)
	brTable := Code(0x02, 0x40, I32Const(1), 0x0e, 1, 0, 1, 0x0b)
	return []Shape{
		{Name: "loop", Wasm: one(forever())},
		{Name: "loop with work", Wasm: one(forever(0x20, 0, I64Const(1, nil), 0x7c, 0x21, 0), I64)},
		{Name: "nested loops", Wasm: one(forever(forever(forever())))},
		{Name: "conditional loop", Wasm: one(Code(0x03, 0x40, I32Const(1), 0x0d, 0, 0x0b))},
		{Name: "br_table to the head", Wasm: one(Code(0x03, 0x40, brTable, 0x0b, 0x03, 0x40, I32Const(0), 0x0e, 1, 0, 0, 0x0b))},
		{Name: "loop with parameters", Wasm: Module{Memory: 1, Funcs: []Func{
			start(Code(I64Const(1, nil), 0x03, 1, I64Const(1, nil), 0x7c, 0x0c, 0, 0x0b, 0x1a)),
			{Params: []byte{I64}, Results: []byte{I64}, Code: Code(0x20, 0)}}}.Bytes()},
		{Name: "straight code in a loop", Wasm: one(forever(Repeat(20_000, Code(0x20, 0, I64Const(3, nil), 0x7c, 0x21, 0))), I64)},
		{Name: "divisions", Wasm: one(forever(Repeat(1000, Code(0x20, 0, I64Const(3, nil), 0x84, I64Const(7, nil), 0x7f, 0x21, 0))), I64)},
		{Name: "square roots", Wasm: one(forever(Repeat(1000, Code(0x20, 0, 0x9f, 0x21, 0))), F64)},
		{Name: "loads that miss", Wasm: big(forever(Repeat(100, Code(
			// x = x*1664525+1013904223; load at x & (n-1)
			0x20, 0, I32Const(1664525), 0x6c, I32Const(1013904223), 0x6a, 0x22, 0, I32Const(1<<25-4), 0x71, 0x28, 2, 0, 0x20, 0, 0x6a, 0x21, 0))), I32).Bytes()},
		{Name: "exponential calls", Wasm: Module{Memory: 1, Funcs: tower}.Bytes()},
		{Name: "exponential calls through a table", Wasm: Module{Memory: 1, Table: 61, Elements: elements, Funcs: tableTower}.Bytes()},
		{Name: "recursion that returns", Wasm: Module{Memory: 1, Funcs: []Func{start(Code(I64Const(90, nil), call(1), 0x1a)), fib}}.Bytes()},
		{Name: "long functions", Wasm: Module{Memory: 1, Funcs: append([]Func{start(forever(callChains))}, chains...)}.Bytes()},
		{Name: "deep recursion", Wasm: deep(0, nil, nil), Ends: "stack"},
		{Name: "deep recursion, many locals", Wasm: deep(1000, nil, nil), Ends: "stack"},
		{Name: "deep recursion, work on the way back", Wasm: deep(1, nil, Repeat(100, Code(0x20, 0, I64Const(1, nil), 0x7c, 0x21, 0))), Ends: "stack"},
		{Name: "deep recursion through a table", Wasm: Module{Memory: 1, Table: 1, Elements: []uint32{0}, Funcs: []Func{start(Code(I32Const(0), 0x11, 0, 0))}}.Bytes(), Ends: "stack"},
		{Name: "deep recursion of two", Wasm: Module{Memory: 1, Funcs: []Func{start(call(1)), {Code: Code(call(2))}, {Code: Code(call(1))}}}.Bytes(), Ends: "stack"},
		{Name: "memory.fill", Wasm: big(forever(args(0, 1, n), 0xfc, 11, 0)).Bytes()},
		{Name: "memory.copy", Wasm: big(forever(args(1, 0, n), 0xfc, 10, 0, 0)).Bytes()},
		{Name: "memory.copy downwards", Wasm: big(forever(args(0, 1, n), 0xfc, 10, 0, 0)).Bytes()},
		{Name: "memory.init", Wasm: Module{Memory: 1000, PassiveData: make([]byte, 1<<20), Funcs: []Func{start(forever(args(0, 0, 1<<20), 0xfc, 8, 0, 0))}}.Bytes()},
		{Name: "small fills", Wasm: one(forever(args(0, 1, 250), 0xfc, 11, 0))},
		{Name: "memory.grow of nothing", Wasm: one(forever(I32Const(0), 0x40, 0, 0x1a))},
		{Name: "memory.grow that fails", Wasm: Module{Memory: 1, MaxPages: 2, Funcs: []Func{start(forever(I32Const(9), 0x40, 0, 0x1a))}}.Bytes()},
		{Name: "table.grow", Wasm: table(1000, forever(0xd2, 0, I32Const(1000), 0xfc, 15, 0, 0x1a))},
		{Name: "table.fill", Wasm: table(900_000, forever(I32Const(0), 0xd2, 0, I32Const(900_000), 0xfc, 17, 0))},
		{Name: "table.copy", Wasm: table(900_000, forever(args(0, 1, 899_999), 0xfc, 14, 0, 0))},
		{Name: "ref.func", Wasm: table(1000, forever(0xd2, 0, 0x1a))},
		{Name: "table.init", Wasm: table(1000, forever(args(0, 0, 3), 0xfc, 12, 1, 0))},
		{Name: "start function", Wasm: Module{Memory: 1, Funcs: []Func{start(nil), {Code: forever()}}, Start: 1}.Bytes()},
		{Name: "first touch", Wasm: big(Code(0x03, 0x40, 0x20, 0, I32Const(1), 0x3a, 0, 0, 0x20, 0, I32Const(4096), 0x6a, 0x22, 0, I32Const(n), 0x48, 0x0d, 0, 0x0b, forever()), I32).Bytes()},
		{Name: "host calls: clock_time_get", Wasm: Module{Memory: 1, Imports: []Import{{wasi, "clock_time_get", []byte{I32, I64, I32}, []byte{I32}}},
			Funcs: []Func{start(forever(I32Const(0), I64Const(0, nil), I32Const(0), call(0), 0x1a))}}.Bytes()},
		{Name: "host calls: sched_yield", Wasm: host("sched_yield", 0, forever(call(0), 0x1a))},
		{Name: "host calls: fd_write of nothing", Wasm: host("fd_write", 4, forever(args(1, 0, 0, 32), call(0), 0x1a))},
		{Name: "host calls: fd_write", Wasm: host("fd_write", 4, Code(vector, forever(args(1, 0, 1, 32), call(0), 0x1a)))},
		{Name: "host calls: random_get", Wasm: host("random_get", 2, forever(args(0, 60000), call(0), 0x1a))},
		{Name: "host calls that fail", Wasm: host("fd_read", 4, forever(args(77, 0, 1, 32), call(0), 0x1a))},
		{Name: "blocked in fd_read", Blocks: true, Wasm: host("fd_read", 4, Code(vector, forever(args(0, 0, 1, 32), call(0), 0x1a)))},
		{Name: "blocked in poll_oneoff", Blocks: true, Wasm: host("poll_oneoff", 4, // a subscription to the clock at 0: an hour
			Code(I32Const(16), I32Const(1), 0x36, 2, 0, I32Const(24), I64Const(3600_000_000_000, nil), 0x37, 3, 0,
				forever(args(0, 200, 1, 300), call(0), 0x1a)))},
	}
}

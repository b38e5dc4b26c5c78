package wasmcode_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"go.uber.org/goleak"

	. "github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/wasmcode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func zeros(n int) []byte { return make([]byte, n) }

// Each kind of instruction, with what is read of it.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   []byte
		op     int
		x, y   int64
		effect int
	}{
		{"nop", Code(0x01), 0x01, 0, 0, 0},
		{"block", Code(0x02, 0x40), wasmcode.Block, wasmcode.VoidBlock, 0, 0},
		{"loop with a result", Code(0x03, I64), wasmcode.Loop, I64 - 0x80, 0, 0},
		{"if with a type", Code(0x04, 0xc0, 0), wasmcode.If, 0x40, 0, -1},
		{"br_if", Code(0x0d, 0x85, 0x80, 0x80, 0x80, 0), wasmcode.BrIf, 5, 0, -1},
		{"br_table", Code(0x0e, 2, 1, 2, 3), wasmcode.BrTable, 0, 0, -1},
		{"call", Code(0x10, 0xff, 0xff, 0xff, 0xff, 0x0f), wasmcode.Call, 1<<32 - 1, 0, 0},
		{"call_indirect", Code(0x11, 3, 4), wasmcode.CallIndirect, 3, 4, 0},
		{"select", Code(0x1b), wasmcode.Select, 0, 0, -2},
		{"select of a type", Code(0x1c, 1, I32), 0x1c, 0, 0, -2},
		{"local.get", Code(0x20, 0x80, 1), wasmcode.LocalGet, 128, 0, 1},
		{"table.set", Code(0x26, 7), wasmcode.TableSet, 7, 0, -2},
		{"load", Code(0x28, 2, 0xff, 0xff, 0xff, 0xff, 0x0f), 0x28, 0, 0, 0},
		{"store", Code(0x3e, 2, 3), 0x3e, 0, 0, -2},
		{"memory.size", Code(0x3f, 0), wasmcode.MemorySize, 0, 0, 1},
		{"i32.const", Code(0x41, 0x7f), wasmcode.I32Const, -1, 0, 1},
		{"i32.const, lowest", Code(0x41, 0x80, 0x80, 0x80, 0x80, 0x78), wasmcode.I32Const, -1 << 31, 0, 1},
		{"i64.const, highest", Code(0x42, bytes.Repeat([]byte{0xff}, 9), 0), wasmcode.I64Const, 1<<63 - 1, 0, 1},
		{"i64.const, lowest", Code(0x42, bytes.Repeat([]byte{0x80}, 9), 0x7f), wasmcode.I64Const, -1 << 63, 0, 1},
		{"f32.const", Code(0x43, zeros(4)), wasmcode.F32Const, 0, 0, 1},
		{"f64.const", Code(0x44, zeros(8)), wasmcode.F64Const, 0, 0, 1},
		{"i32.add", Code(0x6a), wasmcode.I32Add, 0, 0, -1},
		{"i64.extend32_s", Code(0xc4), 0xc4, 0, 0, 0},
		{"ref.null", Code(0xd0, FuncRef), wasmcode.RefNull, 0, 0, 1},
		{"ref.func", Code(0xd2, 9), wasmcode.RefFunc, 9, 0, 1},
		{"i32.trunc_sat_f32_s", Code(0xfc, 0x80, 0), wasmcode.Misc << 8, 0, 0, 0},
		{"memory.init", Code(0xfc, 8, 3, 0), wasmcode.MemoryInit, 3, 0, -3},
		{"memory.fill", Code(0xfc, 0x8b, 0x80, 0, 0), wasmcode.MemoryFill, 0, 0, -3},
		{"table.copy", Code(0xfc, 14, 1, 2), wasmcode.TableCopy, 1, 2, -3},
		{"table.grow", Code(0xfc, 15, 1), wasmcode.TableGrow, 1, 0, -1},
		{"v128.load", Code(0xfd, 0, 4, 0), wasmcode.Vector << 8, 0, 0, 0},
		{"v128.store", Code(0xfd, 11, 4, 0), wasmcode.Vector<<8 | 11, 0, 0, -2},
		{"v128.const", Code(0xfd, 12, zeros(16)), wasmcode.V128Const, 0, 0, 1},
		{"i8x16.extract_lane_s", Code(0xfd, 21, 15), wasmcode.Vector<<8 | 21, 0, 0, 0},
		{"v128.load8_lane", Code(0xfd, 84, 0, 0, 15), wasmcode.Vector<<8 | 84, 0, 0, 0},
		{"f64x2.convert_low_i32x4_u", Code(0xfd, 0xff, 1), wasmcode.Vector<<8 | 0xff, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := wasmcode.Reader{B: append(c.code[:len(c.code):len(c.code)], 0xff), End: len(c.code)}
			if r.Next(); r.Err != nil {
				t.Fatal(r.Err)
			}
			if r.Op != c.op || r.X != c.x || r.Y != c.y || r.At != 0 || r.Pos != len(c.code) {
				t.Errorf("got 0x%x %d %d, %d bytes of %d", r.Op, r.X, r.Y, r.Pos, len(c.code))
			}
			if c.op == wasmcode.BrTable && fmt.Sprint(r.Labels) != "[1 2 3]" {
				t.Errorf("labels %v", r.Labels)
			}
			if got := wasmcode.Effect(c.op); got != c.effect {
				t.Errorf("effect %d, want %d", got, c.effect)
			}
			// Cut anywhere, it is refused; reads then return zeros.
			for end := range len(c.code) {
				r := wasmcode.Reader{B: c.code, End: end}
				if r.Next(); r.Err == nil || r.Pos != end || r.Err.Offset > end {
					t.Errorf("cut after %d bytes: %v at %d", end, r.Err, r.Pos)
				}
				if r.Byte() != 0 || r.U32() != 0 || r.Count() != 0 || len(r.Bytes()) != 0 || r.More() {
					t.Error("there is more after an error")
				}
			}
		})
	}
}

// What is not of WebAssembly 2.0, or that wazero would read as something else.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		code []byte
		want string
	}{
		{"exceptions", Code(0x06, 0x40), "uses the instruction 0x06, which is not supported: build for"},
		{"tail call", Code(0x12, 0), "0x12"},
		{"typed call", Code(0x14, 0), "0x14"},
		{"garbage collection", Code(0xfb, 0), "0xfb"},
		{"threads", Code(0xfe, 0x10, 2, 0), "0xfe"},
		{"misc", Code(0xfc, 18), "0xfc 0x12"},
		{"misc beyond a byte", Code(0xfc, 0x88, 2, 0, 0), "0xfc 0x08"},
		{"relaxed vectors", Code(0xfd, 0x80, 2), "0xfd 0x80"},
		{"vector in two bytes for one", Code(0xfd, 0x8c, 0, zeros(16)), "0xfd 0x8c"},
		{"vector in three bytes", Code(0xfd, 0x80, 0x81, 0), "0xfd 0x80"},
		{"block of a typed reference", Code(0x02, 0x63, 0x70), "unknown value type 0x63"},
		{"block of a type below all", Code(0x02, 0xff, 0x7e), "a block of type -129"},
		{"null of a typed reference", Code(0xd0, 0xf0, 0), "unknown reference type 0xf0"},
		{"null of a type", Code(0xd0, 0), "unknown reference type 0x00"},
		{"select of two", Code(0x1c, 2, I32, I32), "a select of 2"},
		{"select of a typed reference", Code(0x1c, 1, 0x64, 0x70), "unknown value type 0x64"},
		{"too many labels", Code(0x0e, 0xff, 0xff, 3, 0), "65535 elements do not fit"},
		{"index of six bytes", Code(0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "no number of 32 bits"},
		{"index of 33 bits", Code(0x20, 0xff, 0xff, 0xff, 0xff, 0x1f), "no number of 32 bits"},
		{"offset of 33 bits", Code(0x28, 0, 0xff, 0xff, 0xff, 0xff, 0x1f), "no number of 32 bits"},
		{"i32.const of six bytes", Code(0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0), "no number of 32 bits"},
		{"i32.const with a bit too many", Code(0x41, 0x80, 0x80, 0x80, 0x80, 0x48), "no number of 32 bits"},
		{"i32.const with a sign too few", Code(0x41, 0xff, 0xff, 0xff, 0xff, 0x3f), "no number of 32 bits"},
		{"i64.const of eleven bytes", Code(0x42, bytes.Repeat([]byte{0x80}, 10), 0), "no number of 64 bits"},
		{"i64.const with a bit too many", Code(0x42, bytes.Repeat([]byte{0x80}, 9), 2), "no number of 64 bits"},
		{"block of 34 bits", Code(0x02, 0xff, 0xff, 0xff, 0xff, 0x1f), "no number of 33 bits"},
	} {
		r := wasmcode.Reader{B: c.code, End: len(c.code), Section: "code"}
		if r.Next(); r.Err == nil || !strings.HasPrefix(r.Err.Error(), "code section, offset 0x") || !strings.Contains(r.Err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, r.Err)
		}
	}
}

// harness is a module with one function of that code, and something for all
// instructions to work on.
func harness(code []byte) []byte {
	return Module{
		Imports: []Import{{Module: "m", Name: "f", Params: []byte{I32}, Results: []byte{I64}}},
		Funcs:   []Func{{Export: "run", Locals: []byte{I32, I64, wasmcode.F32, F64, wasmcode.V128, FuncRef, wasmcode.ExternRef}, Code: code}},
		Memory:  1, Table: 4, Elements: []uint32{0, 1}, Passive: []uint32{1}, PassiveData: []byte("data"), Globals: []int64{1},
	}.Bytes()
}

// fuzzSeeds are functions of the examples, and instructions of all prefixes.
func fuzzSeeds(f *testing.F) {
	files, err := filepath.Glob("../../../wasm-examples/*/*.wasm")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[len(b)/2:][:min(len(b)/2, 200)])
	}
	f.Add(Code(0x20, 0, 0x41, 0xc0, 0xbb, 0x78, 0x6a, 0x1a))
	f.Add(Code(0x02, 0x40, 0x20, 0, 0x0e, 1, 0, 1, 0x0b))
	f.Add(Code(0xfd, 12, zeros(16), 0xfd, 0x83, 1, 0x1a, 0x41, 0, 0xfd, 84, 0, 0, 1))
	f.Add(Code(0x41, 0, 0x41, 0, 0x41, 4, 0xfc, 8, 0, 0, 0xfc, 9, 0))
	f.Add(Code(0xd0, FuncRef, 0x41, 1, 0xfc, 15, 0, 0x1a, 0x41, 0, 0xd2, 1, 0x26, 0))
	f.Add(Code(0x41, 1, 0x10, 0, 0x24, 0, 0x23, 0, 0x42, 0xff, 0xff, 0x7f, 0x7c, 0x1a))
}

// FuzzNext: code that wazero takes as it stands is read, and as so many
// instructions and blocks that it ends where it does. Of any other nothing is
// read that is not there.
func FuzzNext(f *testing.F) {
	fuzzSeeds(f)
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	f.Cleanup(func() { _ = rt.Close(ctx) })
	f.Fuzz(func(t *testing.T, code []byte) {
		b := append(bytes.Clone(code), wasmcode.End)
		r := wasmcode.Reader{B: b, End: len(b)}
		open, labels := 1, 0
		for r.More() && r.Err == nil {
			at := r.Pos
			r.Next()
			if r.Err == nil && (r.At != at || r.Pos <= at || r.Pos > r.End) {
				t.Fatalf("an instruction at %d from %d to %d of %d", r.At, at, r.Pos, r.End)
			}
			switch r.Op {
			case wasmcode.Block, wasmcode.Loop, wasmcode.If:
				open++
			case wasmcode.End:
				open--
			case wasmcode.BrTable:
				labels += len(r.Labels)
			}
		}
		if r.Err != nil && (r.Err.Offset < 0 || r.Err.Offset > len(b)) || labels > len(b) {
			t.Fatalf("%v, %d labels", r.Err, labels)
		}
		m, err := rt.CompileModule(ctx, harness(code))
		if err != nil {
			return
		}
		_ = m.Close(ctx)
		switch {
		case r.Err == nil && open != 0:
			t.Fatalf("%d blocks are open at the end", open)
		case r.Err != nil && !lenient(&r):
			t.Fatalf("refused: %v", r.Err)
		}
	})
}

// lenient reports an error about what wazero takes in spite of the
// specification: proposals, and signed numbers of five bytes, at whose highest
// bit it does not look.
func lenient(r *wasmcode.Reader) bool {
	switch r.Op {
	case wasmcode.I32Const, wasmcode.Block, wasmcode.Loop, wasmcode.If:
		if strings.HasPrefix(r.Err.Msg, "malformed: no number of") {
			return true
		}
	}
	return strings.Contains(r.Err.Msg, "not supported")
}

// FuzzNumbers: a number that is encoded as it should be is read as what it is.
func FuzzNumbers(f *testing.F) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 1<<31 - 1, -1 << 31, 1<<63 - 1, -1 << 63} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v int64) {
		i64 := appendSigned([]byte{wasmcode.I64Const}, v)
		r := wasmcode.Reader{B: i64, End: len(i64)}
		if r.Next(); r.Err != nil || r.X != v || r.More() {
			t.Errorf("%d in %x: %d, %v", v, i64, r.X, r.Err)
		}
		i32 := appendSigned([]byte{wasmcode.I32Const}, v)
		r = wasmcode.Reader{B: i32, End: len(i32)}
		if r.Next(); (r.Err == nil) != (v == int64(int32(v))) || r.Err == nil && r.X != v {
			t.Errorf("%d in %x: %d, %v", v, i32, r.X, r.Err)
		}
		u32 := binary.AppendUvarint(nil, uint64(v))
		r = wasmcode.Reader{B: u32, End: len(u32)}
		if got := r.U32(); (r.Err == nil) != (v == int64(uint32(v))) || r.Err == nil && int64(got) != v {
			t.Errorf("%d in %x: %d, %v", v, u32, got, r.Err)
		}
	})
}

// appendSigned appends a signed LEB128 number, by its definition.
func appendSigned(b []byte, v int64) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// BenchmarkNext reads the code of a mix of instructions.
func BenchmarkNext(b *testing.B) {
	code := bytes.Repeat(Code(0x20, 1, 0x41, 0x80, 0x10, 0x6a, 0x28, 2, 0x10, 0x21, 3, 0x02, 0x40, 0x0d, 0, 0x0b), 1000)
	b.SetBytes(int64(len(code)))
	for b.Loop() {
		r := wasmcode.Reader{B: code, End: len(code)}
		for r.More() {
			r.Next()
		}
	}
}

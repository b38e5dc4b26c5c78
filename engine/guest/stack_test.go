package guest

import (
	"context"
	"encoding/hex"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// A function begins with the small stack, which grows: the wazero that is built
// with looks inside as shrinkStack has it.
func TestStackGrows(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	t.Cleanup(func() {
		if err := rt.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	// (module (func $f (export "f") (param i32) (result i32) (if (result i32) (local.get 0)
	//   (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))
	b, err := hex.DecodeString("0061736d0100000001060160017f017f030201000705010166" + "00000a16011400" + "2000047f4101200041016b10006a0541000b0b")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := rt.Instantiate(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, depth := range []uint64{0, 10, 1000, 100_000} {
		f := newFunction(mod.ExportedFunction("f"))
		if size, known := f.stackSize(); size != firstStack || !known {
			t.Fatalf("it begins with %d bytes, want %d", size, firstStack)
		}
		for range 2 {
			got, err := f.f.Call(ctx, depth)
			if err != nil || api.DecodeU32(got[0]) != uint32(depth) {
				t.Errorf("%d calls: got %d, %v", depth, got, err)
			}
		}
		if size, _ := f.stackSize(); (size > firstStack) != (depth >= 1000) {
			t.Errorf("%d calls left a stack of %d bytes", depth, size)
		}
	}
}

// What does not look as it should is left alone, as is a function with many values.
func TestStackLeftAlone(t *testing.T) {
	ctx := context.Background()
	for name, rt := range map[string]wazero.Runtime{
		"interpreter":     wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter()),
		"many parameters": wazero.NewRuntime(ctx),
	} {
		t.Cleanup(func() {
			if err := rt.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		const n = fewValues + 1
		b := []byte("\x00asm\x01\x00\x00\x00\x01")
		b = append(b, 4+n, 1, 0x60, n)
		for range n {
			b = append(b, byte(api.ValueTypeI32))
		}
		b = append(b, 0)
		b = append(b, "\x03\x02\x01\x00\x07\x05\x01\x01f\x00\x00\x0a\x04\x01\x02\x00\x0b"...)
		mod, err := rt.Instantiate(ctx, b)
		if err != nil {
			t.Fatal(name, err)
		}
		f := newFunction(mod.ExportedFunction("f"))
		if size, _ := f.stackSize(); size == firstStack {
			t.Errorf("%s: a stack of %d bytes", name, size)
		}
		if _, err := f.f.Call(ctx, make([]uint64, n)...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

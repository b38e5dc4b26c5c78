package image

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
)

// world instantiates modules in the interpreter, with imports that do nothing.
type world struct {
	t   testing.TB
	ctx context.Context
	rt  wazero.Runtime
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, ctx: context.Background()}
	w.rt = wazero.NewRuntimeWithConfig(w.ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(2048))
	t.Cleanup(func() { _ = w.rt.Close(w.ctx) })
	return w
}

// instance returns an instance of the module, nil if it does not compile, and
// whether it compiles.
func (w *world) instance(b []byte) (mod api.Module, valid bool) {
	code, err := w.rt.CompileModule(w.ctx, b)
	if err != nil {
		return nil, false
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, f := range code.ImportedFunctions() {
		module, name, _ := f.Import()
		if w.rt.Module(module) != nil {
			continue
		}
		if hosts[module] == nil {
			hosts[module] = w.rt.NewHostModuleBuilder(module)
		}
		hosts[module].NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, h := range hosts {
		if _, err := h.Instantiate(w.ctx); err != nil {
			return nil, true // as of a module whose imports have no name
		}
	}
	mod, err = w.rt.InstantiateModule(w.ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, true
	}
	return mod, true
}

func memoryOf(m api.Module) []byte {
	mem := m.Memory()
	if mem == nil || reflect.ValueOf(mem).IsNil() {
		return nil
	}
	b, _ := mem.Read(0, mem.Size())
	return b
}

// compare checks that a module and its image make equal instances. It reports
// whether there were instances to compare.
func compare(t testing.TB, b []byte) bool {
	im := Split(b)
	if !guesttest.Sane(b) {
		return false
	}
	if m, err := wasmfile.Parse(b); err != nil || m.Start {
		if err == nil && (im.Resettable || im.Data != nil && im.Why == "") {
			t.Errorf("resettable with a start function: %+v", im)
		}
		return false // what a start function does depends on what it imports
	}
	was, valid := newWorld(t).instance(b)
	is, stillValid := newWorld(t).instance(im.Code)
	if valid != stillValid {
		t.Fatalf("the module is valid: %v; what Split made of it: %v (%s)", valid, stillValid, im.Why)
	}
	if (was == nil) != (is == nil) {
		t.Fatalf("the module has an instance: %v; what Split made of it: %v", was != nil, is != nil)
	}
	if was == nil {
		return false
	}
	want, got := memoryOf(was), memoryOf(is)
	for _, d := range im.Data {
		copy(got[d.Offset:][:len(d.Bytes)], d.Bytes)
	}
	if !bytes.Equal(want, got) {
		t.Fatal("the memories differ")
	}
	for name := range was.ExportedFunctionDefinitions() {
		if is.ExportedFunction(name) == nil {
			t.Errorf("the export %q is lost", name)
		}
	}
	for _, g := range im.Globals {
		e, ok := is.ExportedGlobal(g.Name).(api.MutableGlobal)
		if !ok || e.Get() != g.Value {
			t.Errorf("global %+v is %v", g, e)
			continue
		}
		e.Set(math.MaxUint64)
		if e.Set(g.Value); e.Get() != g.Value {
			t.Errorf("global %+v cannot be put back: %v", g, e)
		}
	}
	return true
}

func TestCorpus(t *testing.T) {
	files, compared, stripped, resettable := 0, 0, 0, 0
	why := map[string]int{}
	guesttest.Corpus(t, func(path string, b []byte) {
		files++
		if len(b) > 1<<20 && testing.Short() {
			return
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			im := Split(b)
			if im.Data != nil {
				stripped++
			}
			if im.Resettable {
				resettable++
			} else {
				why[im.Why]++
			}
			if strings.Contains(path, "wasm-examples") && !im.Resettable {
				t.Errorf("not resettable: %s", im.Why)
			}
			if compare(t, b) {
				compared++
			}
		})
	})
	t.Logf("%d files, %d compared, %d with data, %d resettable; others: %v", files, compared, stripped, resettable, why)
	if compared < 100 || stripped < 10 {
		t.Errorf("only %d compared, %d with data", compared, stripped)
	}
}

func FuzzSplit(f *testing.F) {
	guesttest.Corpus(f, func(_ string, b []byte) {
		if len(b) < 16<<10 {
			f.Add(b)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) { compare(t, b) })
}

// BenchmarkSplit is the pass over the largest example.
func BenchmarkSplit(b *testing.B) {
	var largest []byte
	guesttest.Corpus(b, func(_ string, m []byte) {
		if len(m) > len(largest) {
			largest = m
		}
	})
	b.SetBytes(int64(len(largest)))
	for b.Loop() {
		Split(largest)
	}
}

package guest

import (
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero/api"
)

// keptStack is the largest stack, in bytes, that a function keeps between runs:
// wazero grows it as the guest recurses and never shrinks it.
const keptStack = 64 << 10

// A function of wazero begins with a stack of wazeroStack bytes, which is half of
// what a process takes that waits. Ours begins with firstStack, if it takes no
// more than fewValues; it grows when it is too small, as any stack does.
const (
	wazeroStack = 10 << 10
	firstStack  = 4 << 10
	fewValues   = 32 // parameters and results: they are on the stack twice
)

// function is an exported function; it has a stack of its own.
type function struct {
	f     api.Function
	stack reflect.Value // as wazero holds it; not valid if it holds it otherwise
}

func newFunction(f api.Function) function {
	out := function{f: f}
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return out
	}
	v = v.Elem()
	out.stack = v.FieldByName("stack")
	if d := f.Definition(); len(d.ParamTypes())+len(d.ResultTypes()) <= fewValues {
		shrinkStack(v)
	}
	return out
}

// shrinkStack gives a function that was never called, the struct behind an
// api.Function of wazero's compiler, a smaller stack, and says whether it did.
// wazero has no way to ask for that. It notes the stack in three places; if one of
// them is not there, or is not what it has to be, all stay as they are.
func shrinkStack(f reflect.Value) bool {
	stack, okStack := field[[]byte](f, "stack")
	top, okTop := field[uintptr](f, "stackTop")
	bottom, okBottom := field[*byte](f.FieldByName("execCtx"), "stackBottomPtr")
	if !okStack || !okTop || !okBottom ||
		len(*stack) != wazeroStack || *top != stackTop(*stack) || *bottom != &(*stack)[0] {
		return false
	}
	*stack = make([]byte, firstStack)
	*top, *bottom = stackTop(*stack), &(*stack)[0]
	return true
}

// stackTop is the last place in a stack that is aligned as wazero aligns it.
func stackTop(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[len(b)-1])) &^ 15 }

// field returns where a struct has a field, which need not be exported.
func field[T any](v reflect.Value, name string) (*T, bool) {
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	f := v.FieldByName(name)
	if !f.IsValid() || !f.CanAddr() || f.Type() != reflect.TypeFor[T]() {
		return nil, false
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr())), true
}

// exportedFunction is as of api.Module, and keeps what it returned last for the
// next process: looking it up takes as long as a short run.
func (i *instance) exportedFunction(name string) api.Function {
	if i.f == nil || i.name != name {
		i.name, i.function = name, newFunction(i.mod.ExportedFunction(name))
	}
	return i.f
}

// stackSize returns how many bytes of stack the function holds, false if that
// is not known. wazero has no way to ask.
func (f *function) stackSize() (int, bool) {
	if f.f == nil {
		return 0, true
	}
	if f.stack.Kind() != reflect.Slice {
		return 0, false
	}
	return f.stack.Cap() * int(f.stack.Type().Elem().Size()), true
}

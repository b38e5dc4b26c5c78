package wasmfile

import (
	"fmt"
	"strings"
)

// Missing returns an [*Error] for the first import that the host does not offer,
// or offers with another signature; nil when there is none. has answers for a
// function; other imports (memories, tables, globals, tags) no host here has.
func (m *Module) Missing(has func(module, name string) (FuncType, bool)) error {
	for _, im := range m.Imports {
		fail := func(format string, args ...any) error {
			return &Error{Offset: im.offset, Section: "import", Msg: fmt.Sprintf(format, args...), Remedy: importRemedy(im)}
		}
		name := quoteName(im.Module) + "." + quoteName(im.Name)
		if im.Kind != Func {
			return fail("the module needs %s %s, which this host does not offer", im.Kind, name)
		}
		offered, ok := has(im.Module, im.Name)
		if !ok {
			return fail("the module needs function %s %s, which this host does not offer", name, im.Func)
		}
		if !offered.Equal(im.Func) {
			return fail("the module needs function %s %s, but this host's is %s", name, im.Func, offered)
		}
	}
	return nil
}

// quoteName leaves plain names as they are, and quotes others: they come from a
// file that may hold anything.
func quoteName(s string) string {
	plain := func(c rune) bool {
		return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '.'
	}
	if s != "" && len(s) <= 100 && strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return s
	}
	return fmt.Sprintf("%.100q", s)
}

// importRemedy knows the hosts that modules are commonly built for.
func importRemedy(im Import) string {
	const wasip1 = "build for WASI preview 1"
	switch {
	case im.Module == "wasi_snapshot_preview1":
		return "it is no function of WASI preview 1 with this signature: build with a current toolchain for wasm32-wasip1"
	case im.Module == "wasi_unstable":
		return "that is an older WASI: build with a current toolchain for wasm32-wasip1"
	case im.Module == "wasi" && im.Name == "thread-spawn":
		return "threads are not supported: build without them (-pthread, wasm32-wasip1-threads)"
	case strings.HasPrefix(im.Module, "wasi:"), strings.HasPrefix(im.Module, "cm32p2"):
		return "that is WASI 0.2 (components): build for wasm32-wasip1"
	case im.Module == "go", im.Module == "gojs":
		return "the module was built for a browser: build it with GOOS=wasip1 GOARCH=wasm"
	case im.Module == "wbg", strings.HasPrefix(im.Module, "__wbindgen"):
		return "the module was built by wasm-bindgen for a browser: " + wasip1 + " (--target wasm32-wasip1) without it"
	case im.Module == "env" && im.Name == "abort":
		return "AssemblyScript: compile with --use abort= or with @assemblyscript/wasi-shim"
	case im.Module == "env" && strings.HasPrefix(im.Name, "emscripten_"), im.Module == "a", strings.HasPrefix(im.Name, "__syscall_"):
		return "the module was built by Emscripten for a browser: " + wasip1 + " (-sSTANDALONE_WASM, or clang --target=wasm32-wasi)"
	case im.Module == "env" && im.Kind == Memory:
		return "link without --import-memory"
	case im.Module == "env" && im.Kind == Func:
		return "the linker left this symbol undefined: link the library that has it"
	case im.Module == "wnode":
		return "a newer wnode may have it: look at wnode version on the node that runs the module"
	case strings.HasPrefix(im.Module, "extism:"):
		return "Extism plugins are not supported"
	}
	return wasip1 + ", or give the module a host that has it"
}

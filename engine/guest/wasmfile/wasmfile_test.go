package wasmfile

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// section makes a section of its id and content.
func section(id byte, content ...byte) []byte {
	return append(binary.AppendUvarint([]byte{id}, uint64(len(content))), content...)
}

func module(sections ...[]byte) []byte {
	out := []byte(magic + "\x01\x00\x00\x00")
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

func str(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case string:
			out = append(out, str(p)...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// example has a bit of everything.
func example() []byte {
	return module(
		section(1, join(2, 0x60, 2, []byte{I32, I64}, 1, []byte{F64}, 0x60, 0, 0)...),
		section(2, join(2, "wnode", "self", 0, 0, "env", "memory", 2, 1, 2, 16)...),
		section(3, join(1, 1)...),
		section(4, join(1, 0x70, 0, 5)...),
		section(7, join(2, "_start", 0, 1, "memory", 2, 0)...),
		section(8, 1),
		section(10, 1, 2, 0, 0x0b),
		section(0, join("producers", 2, "language", 1, "Rust", "", "processed-by", 2, "rustc", "1.63.0 (4b91a6ea7 2022-08-08)", "clang", "14")...),
	)
}

func TestParse(t *testing.T) {
	m, err := Parse(example())
	if err != nil {
		t.Fatal(err)
	}
	if m.Kind != Command || m.Toolchain != "Rust 1.63.0" || m.Functions != 1 || m.Tables != 1 || m.Elements != 5 || !m.Start || len(m.Producers) != 3 {
		t.Errorf("%+v", m)
	}
	if m.Memory == nil || *m.Memory != (MemoryType{Min: 2, Max: 16, HasMax: true, Imported: true}) {
		t.Errorf("memory %+v", m.Memory)
	}
	if im := m.Imports[0]; im.Module != "wnode" || im.Name != "self" || im.Func.String() != "(i32, i64) -> f64" {
		t.Errorf("import %+v", im)
	}
	if e, ok := m.Export("_start"); !ok || e.Func.String() != "() -> ()" {
		t.Errorf("export %+v", e)
	}
}

func TestElements(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<63)
	for name, tc := range map[string]struct {
		in     []byte
		tables int
		want   uint64
	}{
		"none":     {module(), 0, 0},
		"imported": {module(section(2, join(1, "a", "b", 1, 0x70, 0, 7)...)), 1, 7},
		"several":  {module(section(2, join(1, "a", "b", 1, 0x70, 0, 7)...), section(4, join(2, 0x70, 1, 1, 9, 0x6f, 0, 2)...)), 3, 10},
		"too many": {module(section(4, join(2, 0x70, 4, huge, 0x70, 4, huge)...)), 2, math.MaxUint64},
	} {
		m, err := Parse(tc.in)
		if err != nil || m.Tables != tc.tables || m.Elements != tc.want {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestErrors(t *testing.T) {
	full := example()
	cutAt := func(n int) []byte { return full[:n] }
	many := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	for name, tc := range map[string]struct {
		in   []byte
		want string // in the message
	}{
		"empty":              {nil, "empty file"},
		"ELF":                {[]byte("\x7fELF\x02\x01\x01"), "not WebAssembly: starts with \\x7fELF, a native Linux program: build it for wasm32-wasip1"},
		"gzip":               {[]byte("\x1f\x8b\x08\x00"), "gzip header: decompress"},
		"wat":                {[]byte("\n  (module (func))"), `starts with "(module (func))", WebAssembly text (wat): assemble it first: wat2wasm`},
		"wat comment":        {[]byte(";; a comment\n(module)"), "WebAssembly text"},
		"Go":                 {[]byte("// Hello.\npackage main\n"), "a Go source: build it first: GOOS=wasip1"},
		"C":                  {[]byte("/* x */\n#include <stdio.h>\n"), "a C source: build it first: clang"},
		"Rust":               {[]byte("fn main() {}"), "a Rust source"},
		"HTML":               {[]byte("<!DOCTYPE html>"), "HTML"},
		"text":               {[]byte("Grüße an alle, die das hier lesen, und noch mehr"), `"Grüße an alle`},
		"bytes":              {[]byte{1, 2, 3, 0xff}, "the bytes 01 02 03 ff"},
		"control characters": {[]byte("\x1b[31mred"), "the bytes 1b 5b"},
		"component":          {[]byte("\x00asm\x0d\x00\x01\x00"), "a WebAssembly component, not a core module: build for wasm32-wasip1 (Rust: --target wasm32-wasip1"},
		"version 2":          {[]byte("\x00asm\x02\x00\x00\x00"), "version 2, layer 0"},
		"two bytes":          {[]byte("\x00a"), "truncated: the file ends at 2 bytes"},
		"six bytes":          {[]byte("\x00asm\x01\x00"), "truncated: the file ends at 6 bytes"},
		"within a section":   {cutAt(18), "type section, offset 0x8: truncated: the file ends at 18 bytes, the section at"},
		"no code":            {module(section(1, 1, 0x60, 0, 0), section(3, 1, 0)), "code section, offset 0x12: malformed: 1 functions are declared, 0 have code: copy"},
		"unknown section":    {module(section(77)), "unknown section 77 at offset 0x8"},
		"twice":              {module(section(1, 0), section(1, 0)), "out of order or there twice"},
		"order":              {module(section(3, 0), section(1, 0)), "out of order"},
		"left over":          {module(section(1, 0, 0)), "1 bytes are left over"},
		"many types":         {module(section(1, many(1<<32-1)...)), "4294967295 types"},
		"number too long":    {module(section(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0)), "no number of 32 bits"},
		"number too large":   {module(section(1, 0xff, 0xff, 0xff, 0xff, 0x1f)), "no number of 32 bits"},
		"section ends":       {module(section(1, 1, 0x60), section(0, 1, 'x')), "type section, offset 0xc: malformed"},
		"unknown type":       {module(section(1, 1, 0x61, 0, 0)), "0x61 begins no type"},
		"GC":                 {module(section(1, 1, 0x5f, 0)), "garbage collection"},
		"typed reference":    {module(section(1, 1, 0x60, 2, 0x64, 0x70, 0)), "typed references"},
		"value type":         {module(section(1, 1, 0x60, 1, 0x11, 0)), "unknown value type 0x11"},
		"import of no type":  {module(section(2, join(1, "a", "b", 0, 0)...)), "type 0 of 0"},
		"import kind":        {module(section(2, join(1, "a", "b", 9, 0)...)), "unknown kind 0x09"},
		"name":               {module(section(2, join(1, "a\xff", "b", 0, 0)...)), "not UTF-8"},
		"export":             {module(section(7, join(1, "x", 0, 7)...)), `export "x" is function 7 of 0`},
		"start":              {module(section(8, 3)), "no function 3"},
		"memory flags":       {module(section(5, 1, 9, 1)), "unknown flags"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tc.in)
			var e *Error
			if !errors.As(err, &e) || m != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v; want %q", m, err, tc.want)
			}
		})
	}
	// Every prefix is refused, or is a module by itself.
	for n := range full {
		if _, err := Parse(full[:n]); err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%d bytes: %q", n, err)
		}
	}
}

func TestMissing(t *testing.T) {
	sig := FuncType{Params: []byte{I32, I64}, Results: []byte{F64}}
	offer := func(f FuncType, ok bool) func(module, name string) (FuncType, bool) {
		return func(module, name string) (FuncType, bool) {
			if module != "wnode" || name != "self" {
				t.Errorf("asked for %s.%s", module, name)
			}
			return f, ok
		}
	}
	only := module(
		section(1, join(1, 0x60, 2, []byte{I32, I64}, 1, []byte{F64})...),
		section(2, join(1, "wnode", "self", 0, 0)...))
	m, err := Parse(only)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Missing(offer(sig, true)); err != nil {
		t.Error(err)
	}
	for want, has := range map[string]func(string, string) (FuncType, bool){
		"function wnode.self (i32, i64) -> f64, which this host does not offer": offer(FuncType{}, false),
		"but this host's is () -> i32":                                          offer(FuncType{Results: []byte{I32}}, true),
	} {
		if err := m.Missing(has); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for name, remedy := range map[[2]string]string{
		{"wasi_unstable", "fd_write"}:                "older WASI",
		{"wasi:cli/stdout@0.2.0", "get-stdout"}:      "WASI 0.2",
		{"gojs", "runtime.wasmExit"}:                 "GOOS=wasip1",
		{"env", "abort"}:                             "--use abort=",
		{"env", "emscripten_notify"}:                 "Emscripten",
		{"env", "sqlite3_open"}:                      "symbol undefined",
		{"__wbindgen_placeholder__", "describe"}:     "wasm-bindgen",
		{"ev\nil", "x\x1b[31m"}:                      `"ev\nil"."x\x1b[31m"`,
		{"wasi_snapshot_preview1", "sock_open_more"}: "no function of WASI preview 1",
	} {
		m := &Module{Imports: []Import{{Module: name[0], Name: name[1]}}}
		err := m.Missing(func(string, string) (FuncType, bool) { return FuncType{}, false })
		if err == nil || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestCorpus parses the modules that wazero tests itself with: each as wazero
// takes it, with the same imports and exports.
func TestCorpus(t *testing.T) {
	dir := wazeroDir(t)
	count, tools := 0, map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".wasm" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		count++
		m, err := Parse(b)
		compareWithWazero(t, strings.TrimPrefix(path, dir), b, m, err)
		if m != nil {
			name, _, _ := strings.Cut(m.Toolchain, " ")
			tools[name]++
		}
		return nil
	})
	if err != nil || count < 100 {
		t.Fatalf("%d files, %v", count, err)
	}
	t.Logf("%d files; toolchains %v", count, tools)
}

func wazeroDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("where is wazero: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestAllocations(t *testing.T) {
	// A short file that claims much gets little.
	claims := module(section(1, binary.AppendUvarint(nil, 1<<31)...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		_, _ = Parse(claims)
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 64<<10 {
		t.Errorf("%d bytes allocated for a file of %d", n, len(claims))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example())
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
	f.Add([]byte("package main"))
	f.Add(module(section(5, 1, 7, 0x80, 0x80, 1, 1), section(13, 1, 0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			var e *Error
			if m != nil || !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) {
				t.Fatalf("%v, %v", m, err)
			}
			for _, c := range err.Error() {
				if c < ' ' || c == 0x7f {
					t.Fatalf("control character in %q", err)
				}
			}
			return
		}
		if len(m.Imports)+len(m.Exports)+len(m.Producers)+len(m.Custom)+m.Functions > len(b) {
			t.Fatal("more things than bytes")
		}
		_ = m.Missing(func(string, string) (FuncType, bool) { return FuncType{}, false })
	})
}

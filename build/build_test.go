package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNoToolchain has the words that say what to install.
func TestNoToolchain(t *testing.T) {
	dir := tree(t, `
-- job/main.go --
package main
func main() {}
-- main.c --
int main(void) { return 0; }
-- main.rs --
fn main() {}
-- main.ts --
console.log("x")
-- make/wnode.toml --
build = "make"
output = "x.wasm"
`)
	t.Chdir(dir)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("WASI_SDK_PATH", "")
	for path, want := range map[string]string{
		"./job":   "./job needs Go 1.24 or later, and there is none: https://go.dev/dl/",
		"main.c":  "main.c needs clang for wasm32-wasi, and there is none: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32",
		"main.rs": "main.rs needs rustc with a standard library for WASI, and there is none: rustup target add wasm32-wasip1, or apt-get install rustc libstd-rust-dev-wasm32 lld",
		"main.ts": "main.ts needs AssemblyScript, and Node.js for it, and there is none: apt-get install nodejs npm, then npm install assemblyscript @assemblyscript/wasi-shim",
		"./make":  `./make needs sh, for "make", and there is none`,
	} {
		_, err := Build(t.Context(), path, Options{Dir: filepath.Join(dir, "cache")})
		if !errors.Is(err, ErrNoToolchain) || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", path, err, want)
		}
	}
}

// fake puts a program into a directory, and nothing else is in PATH.
func fake(t *testing.T, name, script string) string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh to write a compiler in")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!"+sh+"\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return path
}

// TestHalfToolchain is about compilers that are there and cannot do it.
func TestHalfToolchain(t *testing.T) {
	for _, c := range []struct{ name, file, tool, script, want string }{
		{"old Go", "main.go", "go", `if [ "$1" = version ]; then echo go version go1.19.8 linux/amd64; else echo "unsupported GOOS" >&2; exit 2; fi`,
			"main.go needs Go 1.24 or later, and TOOL is 1.19.8: https://go.dev/dl/"},
		{"rustc for this machine alone", "main.rs", "rustc", "echo /nowhere",
			"main.rs needs rustc with a standard library for WASI, and TOOL has none: rustup target add wasm32-wasip1, or apt-get install rustc libstd-rust-dev-wasm32 lld"},
		{"clang without a linker", "main.c", "clang", `case "$*" in --version) echo clang version 99.1;; *wasm-ld) echo wasm-ld;; *) echo "no linker" >&2; exit 1;; esac`,
			"main.c needs wasm-ld, and TOOL finds none: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"},
		{"clang without a libc", "main.c", "clang", `case "$*" in --version) echo clang version 99.1;; *wasm-ld) echo /usr/bin/wasm-ld;; *=crt1*) echo crt1-command.o;; *) exit 1;; esac`,
			"main.c needs crt1-command.o, and TOOL finds none: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"},
		{"node without AssemblyScript", "main.ts", "node", "exit 1",
			"main.ts needs AssemblyScript, and there is no node_modules/.bin/asc: npm install assemblyscript @assemblyscript/wasi-shim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, c.file, "")
			tool := fake(t, c.tool, c.script)
			var said bytes.Buffer
			_, err := Build(t.Context(), c.file, Options{Dir: "cache", Stderr: &said})
			if want := strings.ReplaceAll(c.want, "TOOL", tool); !errors.Is(err, ErrNoToolchain) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v\nwant %s", err, want)
			}
		})
	}
}

// have skips if the toolchain of a source is not there.
func have(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrNoToolchain) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestBuild builds, edits, and goes back, in each language that is here.
func TestBuild(t *testing.T) {
	sdkDir, err := filepath.Abs("../sdk/assemblyscript")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, edit, files string }{
		{"main.go", "main.go", "-- main.go --\npackage main\n\nfunc main() { println(`one`) }\n"},
		{".", "sub/sub.go", "-- go.mod --\nmodule job\n\ngo 1.24\n-- job.go --\npackage main\n\nimport \"job/sub\"\n\nfunc main() { println(sub.Word) }\n-- sub/sub.go --\npackage sub\n\nvar Word = `one`\n"},
		{"main.c", "a b.h", "-- main.c --\n#include <stdio.h>\n#include <wnode.h>\n#include \"a b.h\"\nint main(void) { puts(WORD); return 0; }\n-- a b.h --\n#define WORD \"one\"\n"},
		{"main.rs", "word.txt", "-- main.rs --\nfn main() { println!(\"{}\", include_str!(\"word.txt\")) }\n-- word.txt --\none\n"},
		{"main.ts", "lib.ts", "-- main.ts --\nimport { word } from \"./lib\";\nconsole.log(word);\n-- lib.ts --\nexport const word = \"one\";\n"},
		{".", "word", "-- wnode.toml --\nbuild = \"cmp -s word out.wasm || cp word out.wasm\"\noutput = \"out.wasm\"\n-- word --\n\x00asm one\n"},
	} {
		t.Run(c.edit, func(t *testing.T) {
			dir := tree(t, c.files)
			t.Chdir(dir)
			if c.path == "main.ts" {
				modules := filepath.Join(sdkDir, "node_modules")
				if _, err := os.Stat(modules); err != nil {
					t.Skip("no AssemblyScript: make sdk")
				}
				if err := os.Symlink(modules, "node_modules"); err != nil {
					t.Fatal(err)
				}
			}
			started := 0
			o := Options{Dir: filepath.Join(dir, "cache"), Stderr: t.Output(), Starting: func(string) { started++ }}
			build := func(cached bool) (Result, []byte) {
				t.Helper()
				r, err := Build(t.Context(), c.path, o)
				have(t, err)
				b, err := os.ReadFile(r.Module)
				if err != nil {
					t.Fatal(err)
				}
				if r.Cached != cached || !bytes.HasPrefix(b, []byte("\x00asm")) || r.Duration <= 0 {
					t.Errorf("cached %v, want %v; %d bytes; took %v", r.Cached, cached, len(b), r.Duration)
				}
				return r, b
			}
			first, one := build(false)
			again, same := build(true)
			if first.Module != again.Module || !bytes.Equal(one, same) {
				t.Error("the same source is another module")
			}
			text, err := os.ReadFile(c.edit)
			if err != nil {
				t.Fatal(err)
			}
			put(t, c.edit, strings.Replace(string(text), "one", "two", 1))
			_, two := build(false)
			if bytes.Equal(one, two) {
				t.Error("an edit changed nothing")
			}
			put(t, c.edit, string(text))
			r, back := build(strings.HasPrefix(c.path, "main.") && c.path != "main.go") // those kept by content
			if !bytes.Equal(one, back) {
				t.Error("the source of before is another module than before")
			}
			if started == 0 {
				t.Error("Starting was never told")
			}
			in, err := ReadInputs(t.Context(), c.path, o)
			if err != nil {
				t.Fatal(err)
			}
			if edited := filepath.Join(dir, c.edit); !in.Has(edited) {
				t.Errorf("%s is not in %+v", edited, in)
			}
			if in.Has(r.Module) {
				t.Errorf("the module is among what it is made of: %+v", in)
			}
			if left, err := os.ReadDir(o.temp()); err != nil || len(left) > 0 {
				t.Errorf("left in tmp: %v, %v", left, err)
			}
		})
	}
}

// TestFails has a compiler's own words, and no module.
func TestFails(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"main.go", "package main\nfunc main() { undefined() }\n", "undefined: undefined"},
		{"main.c", "int main(void) { return nothing; }\n", "use of undeclared identifier 'nothing'"},
		{"main.rs", "fn main() { nothing() }\n", "cannot find function `nothing`"},
		{"wnode.toml", "build = \"echo oh dear; exit 3\"\noutput = \"a.wasm\"\n", "oh dear"},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Chdir(t.TempDir())
			put(t, c.file, c.text)
			path := c.file
			if path == configFile {
				path = "."
			}
			var said bytes.Buffer
			_, err := Build(t.Context(), path, Options{Dir: "cache", Stderr: &said})
			if errors.Is(err, ErrNoToolchain) {
				t.Skip(err)
			}
			if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), path+": building it failed: ") {
				t.Errorf("error %v", err)
			}
			if !strings.Contains(said.String(), c.want) {
				t.Errorf("it said %s, want %s", &said, c.want)
			}
		})
	}
}

func TestCommandWithoutOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, configFile, "build = \"true\"\noutput = \"a.wasm\"\n")
	if _, err := Build(t.Context(), ".", Options{Dir: "cache"}); !errors.Is(err, ErrFailed) || err.Error() != `.: "true" made no a.wasm` {
		t.Errorf("no output: %v", err)
	}
	put(t, configFile, "build = \"true\"\noutput = \"../a.wasm\"\n")
	if _, err := Build(t.Context(), ".", Options{Dir: "cache"}); !errors.Is(err, ErrNoSource) {
		t.Errorf("an output elsewhere: %v", err)
	}
}

// TestEditedMeanwhile has a compiler whose input changes while it reads it: the module is
// handed out, and never again for other bytes.
func TestEditedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	input := filepath.Join(dir, "in")
	put(t, input, "one")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh to write a compiler in")
	}
	runs := 0
	c := &compiler{
		tool: sh, args: []string{"-c"},
		output: func(module, _ string) []string {
			runs++
			return []string{fmt.Sprintf("cp '%s' '%s'; echo two > '%s'", input, module, input)}
		},
		inputs: func(string) ([]string, error) { return []string{input}, nil },
	}
	o := Options{Dir: filepath.Join(dir, "cache")}
	if err := os.MkdirAll(o.temp(), 0o700); err != nil {
		t.Fatal(err)
	}
	s := source{path: "in", dir: dir, file: "in"}
	for i, want := range []string{"one", "two\n"} {
		r, err := o.compile(t.Context(), s, c)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(r.Module); err != nil || string(b) != want || r.Cached || runs != i+1 {
			t.Errorf("build %d: %q, %v, cached %v; want %q", i, b, err, r.Cached, want)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, configFile, "build = \"echo begun; exec sleep 60\"\noutput = \"a.wasm\"\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Build(ctx, ".", Options{Dir: "cache", Stderr: onWrite(cancel)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

type onWrite func()

func (f onWrite) Write(b []byte) (int, error) { f(); return len(b), nil }

func TestTrim(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	now := time.Now()
	file := func(age time.Duration, names ...string) {
		path := filepath.Join(append([]string{o.Dir}, names...)...)
		put(t, path, "")
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range kept + 5 {
		file(time.Duration(i)*time.Hour, fmt.Sprintf("%03d.wasm", i))
	}
	file(48*time.Hour, "tmp", "old")
	file(time.Hour, "tmp", "new")
	file(1000*time.Hour, "include", "wnode.h")
	if err := o.trim(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(o.Dir, "*.wasm"))
	if err != nil || len(left) != kept || filepath.Base(slices.Max(left)) != fmt.Sprintf("%03d.wasm", kept-1) {
		t.Errorf("%d files are left, the last %s, %v", len(left), slices.Max(left), err)
	}
	for name, want := range map[string]bool{"tmp/old": false, "tmp/new": true, "include/wnode.h": true} {
		if _, err := os.Stat(filepath.Join(o.Dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
}

func TestReadMake(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"out: a.c /usr/b.h\n", []string{"/d/a.c", "/usr/b.h"}},
		{"out: b.c \\\n  a\\ b.h \\\n  b.c\n", []string{"/d/a b.h", "/d/b.c"}},
		{"out: main.rs\n\nmain.rs:\n# env\n", []string{"/d/main.rs"}},
		{"out:\n", nil},
		{"", nil},
	} {
		list := filepath.Join(t.TempDir(), "list")
		put(t, list, c.text)
		if got, err := readMake(list, "/d"); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func FuzzReadMake(f *testing.F) {
	f.Add("out: a.c \\\n a\\ b.h")
	f.Add("out: \\")
	f.Fuzz(func(t *testing.T, text string) {
		list := filepath.Join(t.TempDir(), "list")
		put(t, list, text)
		paths, err := readMake(list, "/d")
		for _, p := range paths {
			if err != nil || !filepath.IsAbs(p) {
				t.Errorf("%q: %q, %v", text, p, err)
			}
		}
	})
}

func TestImports(t *testing.T) {
	dir := tree(t, `
-- main.ts --
import * as a from "./a";
import { b } from '../gone';
import "./c/";
export { d } from "assemblyscript";
-- a.ts --
import { x } from "./main";
-- c/index.ts --
import "../e.ts";
-- e.ts --
-- f.ts --
`)
	got, err := tsFiles(filepath.Join(dir, "main.ts"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.ts", "c/index.ts", "e.ts", "main.ts"}
	for i := range want {
		want[i] = filepath.Join(dir, want[i])
	}
	if got = unique(got); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree writes files, given as a txtar archive, into a directory of their own.
func tree(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		put(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return dir
}

// put writes a file as of a second ago: what is newer than that might have changed while a
// compiler read it.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := tree(t, `
-- go/job.go --
-- go/main.c --
-- test/job_test.go --
-- c/main.c --
-- c/other.c --
-- rust/main.rs --
-- as/main.ts --
-- two/main.c --
-- two/main.rs --
-- toml/wnode.toml --
-- toml/main.go --
-- none/README --
-- module.wasm --
`)
	t.Chdir(dir)
	for _, c := range []struct {
		path string
		lang language
		file string
		err  string
	}{
		{path: "./go", lang: golang},
		{path: "go/job.go", lang: golang, file: "job.go"},
		{path: "go/main.c", lang: clang, file: "main.c"},
		{path: "./c", lang: clang, file: "main.c"},
		{path: "c/other.c", lang: clang, file: "other.c"},
		{path: "./rust", lang: rust, file: "main.rs"},
		{path: "./as", lang: assemblyscript, file: "main.ts"},
		{path: "./toml", lang: command},
		{path: "toml/main.go", lang: golang, file: "main.go"},
		{path: "./two", err: "./two: there are main.c and main.rs: name the one to build"},
		{path: "./none", err: "./none: nothing to build: want Go files, a main.c, main.rs or main.ts, or a wnode.toml with build and output"},
		{path: "./test", err: "./test: nothing to build: want Go files, a main.c, main.rs or main.ts, or a wnode.toml with build and output"},
		{path: "module.wasm", err: "module.wasm: nothing to build: want a directory, or a name that ends in .go, .c, .rs or .ts"},
	} {
		s, err := find(c.path)
		if c.err != "" {
			if err == nil || err.Error() != c.err || !errors.Is(err, ErrNoSource) {
				t.Errorf("%s: error %v, want %s", c.path, err, c.err)
			}
			continue
		}
		if err != nil || s.lang != c.lang || s.file != c.file || s.path != c.path {
			t.Errorf("%s: %+v, %v; want %s %q", c.path, s, err, c.lang, c.file)
		}
		want, err := filepath.Abs(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if s.full() != want && s.full() != filepath.Join(want, c.file) {
			t.Errorf("%s is at %s", c.path, s.full())
		}
		if !IsSource(c.path) {
			t.Errorf("%s is not taken for source", c.path)
		}
	}
	if _, err := find("gone.c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for path, want := range map[string]bool{"module.wasm": false, "gone": false, "gone.rs": true, ".": true} {
		if IsSource(path) != want {
			t.Errorf("IsSource(%s) is not %v", path, want)
		}
	}
}

func TestLibrary(t *testing.T) {
	const server = `import _ "github.com/wnode-project/wnode/sdk/go/server"` + "\n"
	for _, c := range []struct {
		name, file, text string
		want             bool
	}{
		{"C with main", "a.c", "int main(void) { return 0; }", false},
		{"C with main on its own line", "a.c", "int\nmain (int argc, char **argv)\n{}", false},
		{"C without", "a.c", "int add(int a, int b) { return a + b; }", true},
		{"C with main in a comment", "a.c", "/* main() is\n not here */ // main()\nint remain(int a);", true},
		{"C with main in a text", "a.c", `const char *s = "\"main(";`, true},
		{"C with main behind a quote", "a.c", `char q = '"'; int main() {}`, false},
		{"Rust with main", "a.rs", "pub fn main() {}", false},
		{"Rust without", "a.rs", "// fn main()\n#[no_mangle] pub extern \"C\" fn add() {}", true},
		{"Rust with lifetimes", "a.rs", "struct S<'a>(&'a str);\nfn main() {}", false},
		{"AssemblyScript that exports", "a.ts", "export function add(a: i32, b: i32): i32 { return a + b }", true},
		{"AssemblyScript that exports others' functions", "a.ts", "export {\n  wnode_init } from \"./server\";", true},
		{"AssemblyScript program", "a.ts", "// export\nconsole.log(\"export function\")", false},
		{"Go program", "a.go", "package main\nfunc main() { println() }", false},
		{"Go program that does nothing", "a.go", "package main\nfunc main() {}", false},
		{"Go server", "a.go", "package main\n" + server + "func main() {}", true},
		{"Go library", "a.go", "package main\n//go:wasmexport add\nfunc add(a, b int32) int32 { return a + b }\nfunc main() {}", true},
		{"Go program with exports", "a.go", "package main\n//go:wasmexport add\nfunc add(a, b int32) int32 { return a + b }\nfunc main() { println() }", false},
		{"Go with an export in words", "a.go", "package main\n// It has no //go:wasmexport add\nfunc main() {}", false},
		{"Go that does not parse", "a.go", "package main\nfunc {", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, c.file), c.text)
			s, err := find(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			library := s.library
			if s.lang == golang {
				library = s.goLibrary
			}
			if got, err := library(); err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// TestGoPackage is about which files of a package count.
func TestGoPackage(t *testing.T) {
	const export = "package main\n//go:wasmexport add\nfunc add() {}\n"
	for _, c := range []struct {
		name, files string
		want        bool
		err         string
	}{
		{"in another file", "-- a.go --\npackage main\nfunc main() {}\n-- b.go --\n" + export, true, ""},
		{"in a file for others", "-- a.go --\npackage main\nfunc main() {}\n-- b_linux.go --\n" + export, false, ""},
		{"in a file for WASI", "-- a.go --\npackage main\nfunc main() {}\n-- b.go --\n//go:build wasip1\n\n" + export, true, ""},
		{"in a test", "-- a.go --\npackage main\nfunc main() {}\n-- a_test.go --\n" + export, false, ""},
		{"no program", "-- a.go --\npackage shapes\n", false, "nothing to build: it is package shapes, and a module is made of a package main"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := find(tree(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.goLibrary()
			if c.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), c.err) || !errors.Is(err, ErrNoSource) {
					t.Errorf("error %v, want %s", err, c.err)
				}
			} else if err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ name, text, err string }{
		{"whole", "build = \"make\"\noutput = \"a.wasm\"\n", ""},
		{"no output", "build = \"make\"\n", "want build = \"COMMAND\" and output = \"FILE.wasm\""},
		{"unknown key", "build = \"make\"\noutput = \"a\"\nouput = \"a\"\n", ":3:1: unknown key \"ouput\": there are build and output"},
		{"not TOML", "build = make\n", ":1:9: toml: "},
		{"wrong type", "build = 1\noutput = \"a\"\n", "toml: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, configFile), c.text)
			s, err := find(dir)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.config()
			switch {
			case c.err == "" && (err != nil || got != config{"make", "a.wasm"}):
				t.Errorf("%+v, %v", got, err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || !errors.Is(err, ErrNoSource)):
				t.Errorf("error %v, want %s", err, c.err)
			}
		})
	}
}

package codecache

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged is a log whose lines can be counted.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.b.String(), func(r rune) bool { return r == '\n' })
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func openTest(t *testing.T, c Config) *Cache {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	cache, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return cache
}

// compile does what the compiler does: it asks for the code and adds what it did
// not get. It returns the code it would run.
func compile(t testing.TB, c *Cache, id string, key Key, fresh string) (code string, hit bool) {
	t.Helper()
	hit, err := c.Compile(id, func() error {
		r, ok, err := c.Get(key)
		if err != nil {
			t.Error(err)
		}
		if !ok {
			code = fresh
			if err := c.Add(key, strings.NewReader(fresh)); err != nil {
				t.Error(err)
			}
			return nil
		}
		b, err := io.ReadAll(r)
		code = string(b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return code, hit
}

// theFile returns the only file of a cache.
func theFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	return filepath.Join(dir, files[0].Name())
}

func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	a := openTest(t, Config{Dir: dir, Scope: "v1"})
	if a.Has("m") {
		t.Error("an empty cache has it")
	}
	if code, hit := compile(t, a, "m", Key{1}, "machine code"); hit || code != "machine code" || !a.Has("m") {
		t.Errorf("%q, %v", code, hit)
	}
	for name, mode := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, theFile(t, dir): 0o600, dir + ".key": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	b := openTest(t, Config{Dir: dir, Scope: "v1"}) // as another process would
	if code, hit := compile(t, b, "m", Key{1}, "compiled again"); !hit || code != "machine code" || !b.Has("m") {
		t.Errorf("%q, %v", code, hit)
	}
}

// Whatever is changed of a file, its code is not used: it is deleted, logged in
// one line, and compiled again.
func TestTampered(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	compile(t, openTest(t, Config{Dir: other, Scope: "v1"}), "m", Key{1}, "evil")
	forged, err := os.ReadFile(theFile(t, other)) // right in all but the key
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 0x40; return b }
	}
	for name, change := range map[string]func([]byte) []byte{
		"magic":           flip(0),
		"mac":             flip(len(magic)),
		"end of mac":      flip(len(magic) + macSize - 1),
		"key":             flip(len(magic) + macSize),
		"code":            flip(header),
		"end of the code": flip(header + len("machine code") - 1),
		"cut":             func(b []byte) []byte { return b[:len(b)-1] },
		"cut to a header": func(b []byte) []byte { return b[:header] },
		"cut in a header": func(b []byte) []byte { return b[:header-1] },
		"empty":           func([]byte) []byte { return nil },
		"longer":          func(b []byte) []byte { return append(b, 0) },
		"another key's":   func([]byte) []byte { return forged },
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			dir := filepath.Join(t.TempDir(), "cache")
			c := openTest(t, Config{Dir: dir, Scope: "v1", Log: log.logger()})
			compile(t, c, "m", Key{1}, "machine code")
			file := theFile(t, dir)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, hit := compile(t, c, "m", Key{1}, "fresh"); hit || code != "fresh" {
				t.Errorf("ran %q", code)
			}
			if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "is not used") {
				t.Errorf("log: %q", lines)
			}
			if code, hit := compile(t, c, "m", Key{1}, ""); !hit || code != "fresh" {
				t.Errorf("after that: %q, %v", code, hit)
			}
		})
	}
}

// Code is not used for another module, version or processor, even if somebody
// gives the file the right name.
func TestNotThisOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := openTest(t, Config{Dir: dir, Scope: "v1"})
	compile(t, c, "m", Key{1}, "machine code")
	file := theFile(t, dir)
	for _, o := range []struct {
		name, scope, id string
		key             Key
	}{{"module", "v1", "n", Key{1}}, {"version", "v2", "m", Key{1}}, {"processor", "v1", "m", Key{2}}} {
		t.Run(o.name, func(t *testing.T) {
			d := openTest(t, Config{Dir: dir, Scope: o.scope})
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, d.name(o.id)), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if code, hit := compile(t, d, o.id, o.key, "fresh"); hit || code != "fresh" {
				t.Errorf("ran %q", code)
			}
		})
	}
}

// What is at the place of a file and is none, is no code.
func TestNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := openTest(t, Config{Dir: dir})
	for name, make := range map[string]func(string) error{
		"directory": func(p string) error { return os.MkdirAll(filepath.Join(p, "x"), 0o700) },
		"symlink":   func(p string) error { return os.Symlink(os.Args[0], p) },
	} {
		path := filepath.Join(dir, c.name(name))
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if code, hit := compile(t, c, name, Key{1}, "fresh"); hit || code != "fresh" {
			t.Errorf("%s: ran %q", name, code)
		}
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: it is still there: %v", name, err)
		}
	}
}

// A directory or key that others could have got at.
func TestPrivate(t *testing.T) {
	open := func(dir string) error {
		c, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = c.Close()
		}
		return err
	}
	at := func() string { return filepath.Join(t.TempDir(), "cache") }
	dir := at()
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := open(dir); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, prepare := range map[string]func(dir string) error{
		"remove it": func(d string) error { return os.WriteFile(d+".key", make([]byte, keySize-1), 0o600) },
		"known to others": func(d string) error {
			return errors.Join(os.WriteFile(d+".key", make([]byte, keySize), 0o600), os.Chmod(d+".key", 0o604))
		},
		"not a directory": func(d string) error { return os.WriteFile(d, nil, 0o600) },
		"is a directory":  func(d string) error { return os.Mkdir(d+".key", 0o700) },
		"another user's":  func(d string) error { return errors.Join(os.Mkdir(d, 0o700), os.Chown(d, 12345, 12345)) },
		"may be known to ": func(d string) error {
			return errors.Join(os.WriteFile(d+".key", make([]byte, keySize), 0o600), os.Chown(d+".key", 12345, 12345))
		},
	} {
		dir := at()
		if err := prepare(dir); errors.Is(err, fs.ErrPermission) {
			t.Logf("%s: not tested: changing owners needs root", name)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := open(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
}

// The least recently used go when there is too much, and what a dead process
// left unfinished.
func TestShrink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	code := strings.Repeat("x", 1000)
	c := openTest(t, Config{Dir: dir, Max: 3 * int64(header+len(code))})
	age := func(name string, by time.Duration) {
		then := time.Now().Add(-by)
		if err := os.Chtimes(filepath.Join(dir, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"a", "b", "c"} {
		compile(t, c, id, Key{byte(i)}, code)
		age(c.name(id), time.Duration(10-i)*time.Hour)
	}
	for _, temp := range []string{"tmp-old", "tmp-new"} {
		if err := os.WriteFile(filepath.Join(dir, temp), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	age("tmp-old", 2*tempAge)
	if _, hit := compile(t, c, "a", Key{0}, ""); !hit { // used again
		t.Error("a is gone")
	}
	compile(t, c, "d", Key{3}, code)
	compile(t, c, "large", Key{4}, strings.Repeat(code, 4)) // never fits
	for name, want := range map[string]bool{c.name("a"): true, c.name("b"): false, c.name("c"): true, c.name("d"): true, c.name("large"): false, "tmp-old": false, "tmp-new": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// failing fails all operations after the first n.
type failing struct {
	files
	mu   sync.Mutex
	left int
}

var errFull = errors.New("no space left")

func (f *failing) may() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 {
		return errFull
	}
	return nil
}

func (f *failing) read(name string) ([]byte, error) {
	if err := f.may(); err != nil {
		return nil, err
	}
	return f.files.read(name)
}

func (f *failing) write(name string, parts ...[]byte) error {
	if err := f.may(); err != nil {
		return err
	}
	return f.files.write(name, parts...)
}

func (f *failing) remove(name string) error { return errors.Join(f.may(), f.files.remove(name)) }
func (f *failing) used(name string) error   { return errors.Join(f.may(), f.files.used(name)) }

func (f *failing) list() ([]fs.FileInfo, error) {
	if err := f.may(); err != nil {
		return nil, err
	}
	return f.files.list()
}

// Wherever the file system begins to fail, compilations do not, and that is said
// once.
func TestFailing(t *testing.T) {
	for n := range 12 {
		var log logged
		d, err := openDir(filepath.Join(t.TempDir(), "cache"))
		if err != nil {
			t.Fatal(err)
		}
		c := open(Config{Log: log.logger()}, &failing{files: d, left: n}, make([]byte, keySize))
		for range 3 {
			for i, id := range []string{"a", "b"} {
				if code, _ := compile(t, c, id, Key{byte(i)}, id); code != id {
					t.Errorf("%d: %s ran %q", n, id, code)
				}
			}
		}
		if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "in memory only") || !strings.Contains(lines[0], errFull.Error()) {
			t.Errorf("%d: log %q", n, lines)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A compiler that does not ask, or fails, keeps nobody waiting.
func TestNotAsked(t *testing.T) {
	c := openTest(t, Config{Dir: filepath.Join(t.TempDir(), "cache")})
	bad := errors.New("bad module")
	for range 2 {
		if hit, err := c.Compile("bad", func() error { return bad }); hit || err != bad {
			t.Errorf("%v, %v", hit, err)
		}
	}
	if len(c.keys) != 0 {
		t.Errorf("%v", c.keys)
	}
}

// hammer compiles all over a directory and returns what came out wrong.
func hammer(t *testing.T, dir string) {
	c, err := Open(Config{Dir: dir, Scope: "v1", Max: 4000, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Error(err)
		return
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				id := string(rune('a' + i%8))
				want := strings.Repeat(id, 500+i%8)
				if code, _ := compile(t, c, id, Key{id[0]}, want); code != want {
					t.Errorf("%s: %d bytes", id, len(code))
				}
			}
		})
	}
	wg.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(c.keys) != 0 {
		t.Errorf("%d keys are left", len(c.keys))
	}
}

// Several caches in one process, and several processes, use one directory that
// is too small for them, from the very first start.
func TestTogether(t *testing.T) {
	const env = "WNODE_TEST_CODECACHE"
	if dir := os.Getenv(env); dir != "" {
		hammer(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { hammer(t, dir) })
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestTogether$")
			cmd.Env = append(os.Environ(), env+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	c := openTest(t, Config{Dir: dir, Scope: "v1", Max: 4000})
	infos, err := c.files.list()
	var total int64
	for _, i := range infos {
		total += i.Size()
		if strings.HasPrefix(i.Name(), tempPrefix) {
			t.Errorf("%s is left", i.Name())
		}
	}
	if err != nil || total > 4000+2000 { // what another process writes meanwhile may be above
		t.Errorf("%d bytes, %v", total, err)
	}
}

package modstore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
)

func TestCheckTag(t *testing.T) {
	long := strings.Repeat("a", 63)
	full := rawCID([]byte("x")).String()
	for _, name := range []string{"kate", "kate:v2", "0", "a_b.c-d", "a:0.1.0", long, long + ":" + long, "bafkrei", "bafkreiab", "bafkrei-abc", "bafkreiabcd1"} {
		if err := CheckTag(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", ":", "kate:", ":v2", "a:b:c", "Kate", "-a", ".", "..", ".a", "_a", "a/b", "a b", "a\n", "ä", "a@b", "a\x00", long + "a", "a:" + long + "a", full, full[:10], full[:30]} {
		if err := CheckTag(name); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A tag that was read is another one as soon as its file is and a look is too old, whoever
// replaced it and whatever its times are.
func TestTagReplaced(t *testing.T) {
	synctest.Test(t, testTagReplaced)
}

func testTagReplaced(t *testing.T) {
	s := openTemp(t)
	other, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	modules := []cid.Cid{mustAdd(t, s, []byte("a")), mustAdd(t, s, []byte("b"))}
	for i := range 6 {
		want := modules[i%2]
		if err := other.Tag("x", want); err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			if err := os.Chtimes(s.tagPath("x"), long, long); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(lookTime)
		for range 2 {
			if c, err := s.Resolve("x"); err != nil || c != want {
				t.Errorf("%d: %v, %v", i, c, err)
			}
		}
	}
	if err := other.Untag("x"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookTime)
	if c, err := s.Resolve("x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v, %v", c, err)
	}
}

// A tag that is old is not read again.
func BenchmarkResolveTag(b *testing.B) {
	s := openTemp(b)
	if err := s.Tag("x", mustAdd(b, s, []byte("a"))); err != nil {
		b.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.tagPath("x"), long, long); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Resolve("x"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTags(t *testing.T) {
	s := openTemp(t)
	a, b := mustAdd(t, s, []byte("a")), mustAdd(t, s, []byte("b"))
	if err := s.Tag("x", rawCID([]byte("absent"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("tag of an absent module: %v", err)
	}
	if err := s.Tag("../x", a); !errors.Is(err, ErrBadName) {
		t.Errorf("bad name: %v", err)
	}
	for name, c := range map[string]cid.Cid{"x": a, "x:v1": b, "y": a} {
		if err := s.Tag(name, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Tag("x", b); err != nil {
		t.Fatal(err)
	}
	if err := s.Untag("y"); err != nil {
		t.Fatal(err)
	}
	if err := s.Untag("y"); !errors.Is(err, ErrNotFound) {
		t.Errorf("untag twice: %v", err)
	}
	tags, err := s.Tags()
	if err != nil || len(tags) != 2 || tags["x"] != b || tags["x:v1"] != b {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if c, err := s.Resolve("x:v1"); err != nil || c != b {
		t.Errorf("resolve: %v, %v", c, err)
	}
	if _, err := s.Resolve("y"); !errors.Is(err, ErrNotFound) {
		t.Errorf("resolve a removed tag: %v", err)
	}
}

// fakeRoots writes records of made-up CIDs that share a prefix.
func fakeRoots(t testing.TB, s *Store, n int) []cid.Cid {
	t.Helper()
	var out []cid.Cid
	for i := range n {
		hash := append([]byte{0x12, 32}, make([]byte, 32)...)
		binary.BigEndian.PutUint16(hash[30:], uint16(i))
		c := cid.NewCidV1(cid.Raw, hash)
		path := s.recordPath(c)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func TestResolve(t *testing.T) {
	s := openTemp(t)
	c := mustAdd(t, s, []byte("hello world"))
	text := c.String()
	base16, err := c.StringOfBase('f')
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{text, text[:10], text[:30], text[:58], base16} {
		if got, err := s.Resolve(name); err != nil || got != c {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", text[:9], text[:10] + "a", text + "a", strings.ToUpper(text[:20]), "bafkrei/../x", rawCID(nil).String(), "bafybei" + text[7:], "QmXoypizjW3WknFiJnKLwHCnL72vedxjQkDDP1mXWo6uco"} {
		if got, err := s.Resolve(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	many := fakeRoots(t, s, 7)
	_, err = s.Resolve(many[0].String()[:20])
	if !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), many[1].String()) || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("ambiguous: %v", err)
	}
	if got, err := s.Resolve(many[3].String()); err != nil || got != many[3] {
		t.Errorf("full CID among many: %v, %v", got, err)
	}
}

func FuzzNames(f *testing.F) {
	s := openTemp(f)
	c := mustAdd(f, s, []byte("hello world"))
	fakeRoots(f, s, 3)
	for _, name := range []string{"kate", "kate:v2", "../../x", c.String(), c.String()[:12], "bafkreiaaaaaaa", "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := s.Resolve(name)
		if err == nil && !s.recorded(got) {
			t.Fatalf("%q resolves to %v, which is not here", name, got)
		}
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrAmbiguous) {
			t.Fatalf("%q: %v", name, err)
		}
		err = s.Tag(name, c)
		if errors.Is(err, ErrBadName) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if got, err := s.Resolve(name); err != nil || got != c {
			t.Fatalf("tagged %q: %v, %v", name, got, err)
		}
		if tags, err := s.Tags(); err != nil || len(tags) != 1 || tags[name] != c {
			t.Fatalf("tagged %q: %v, %v", name, tags, err)
		}
		if err := s.Untag(name); err != nil {
			t.Fatal(err)
		}
	})
}

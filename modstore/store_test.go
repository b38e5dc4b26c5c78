package modstore

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
)

func openTemp(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAdd(t testing.TB, s *Store, data []byte) cid.Cid {
	t.Helper()
	c, size, err := s.Add(ctx, bytes.NewReader(data))
	if err != nil || size != uint64(len(data)) {
		t.Fatalf("add: %d, %v", size, err)
	}
	return c
}

// blockFiles lists the files of blocks, by name below the store.
func blockFiles(t testing.TB, s *Store) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "blocks", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestStore(t *testing.T) {
	s := openTemp(t)
	before := time.Now()
	small, large := []byte("small"), pattern(3<<20+17, 5)
	cs, cl := mustAdd(t, s, small), mustAdd(t, s, large)
	if err := s.Tag("big:v1", cl); err != nil {
		t.Fatal(err)
	}
	if err := s.Tag("a", cl); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range map[cid.Cid][]byte{cs: small, cl: large} {
		if got, err := again.Bytes(ctx, c); err != nil || !bytes.Equal(got, want) || !again.Has(ctx, c) {
			t.Errorf("%v: %d bytes, %v", c, len(got), err)
		}
		var blocks []block
		err := again.Blocks(ctx, c, func(c cid.Cid, data []byte) error {
			blocks = append(blocks, block{c, data})
			return nil
		})
		want := blocksOf(want)
		same := slices.EqualFunc(blocks, want, func(a, b block) bool { return a.c == b.c && bytes.Equal(a.data, b.data) })
		if err != nil || !same {
			t.Errorf("%v: %d blocks, want %d; %v", c, len(blocks), len(want), err)
		}
	}
	list, err := again.List(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("list: %v, %v", list, err)
	}
	if e := list[0]; e.CID != cs || e.Size != 5 || len(e.Tags) != 0 || e.Added.Before(before.Add(-time.Second)) {
		t.Errorf("first: %+v", e)
	}
	if e := list[1]; e.CID != cl || e.Size != uint64(len(large)) || !slices.Equal(e.Tags, []string{"a", "big:v1"}) {
		t.Errorf("second: %+v", e)
	}
	stop := errors.New("stop")
	if err := s.Blocks(ctx, cl, func(cid.Cid, []byte) error { return stop }); err != stop {
		t.Errorf("error of yield: %v", err)
	}
	checkNoOrphans(t, s)
}

func TestModes(t *testing.T) {
	s := openTemp(t)
	c := mustAdd(t, s, pattern(1<<21, 1))
	if err := s.Tag("t", c); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFlips damages each block in turn: each time it is found, named, and
// repaired by adding again.
func TestFlips(t *testing.T) {
	s := openTemp(t)
	data := pattern(2<<20+100, 8)
	c := mustAdd(t, s, data)
	files := blockFiles(t, s)
	if len(files) != 4 {
		t.Fatalf("%d blocks", len(files))
	}
	damage := map[string]func(string, []byte) error{
		"flip": func(f string, b []byte) error {
			b = bytes.Clone(b)
			b[len(b)/3] ^= 4
			return os.WriteFile(f, b, 0o600)
		},
		"cut":    func(f string, b []byte) error { return os.WriteFile(f, b[:len(b)/2], 0o600) },
		"longer": func(f string, b []byte) error { return os.WriteFile(f, append(bytes.Clone(b), b...), 0o600) },
		"empty":  func(f string, _ []byte) error { return os.Truncate(f, 0) },
		"gone":   func(f string, _ []byte) error { return os.Remove(f) },
	}
	for name, hurt := range damage {
		for i, f := range files {
			intact, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := hurt(f, intact); err != nil {
				t.Fatal(err)
			}
			_, err = s.Bytes(ctx, c)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "block ba") {
				t.Errorf("%s in block %d: %v", name, i, err)
			}
			err = s.Blocks(ctx, c, func(c cid.Cid, data []byte) error { return verify(c, data) })
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s in block %d: Blocks: %v", name, i, err)
			}
			if name != "flip" && s.Has(ctx, c) {
				t.Errorf("%s in block %d: Has", name, i)
			}
			if i%2 == 0 {
				mustAdd(t, s, data)
			} else if _, err := importBytes(s, data); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Bytes(ctx, c); err != nil || !bytes.Equal(got, data) || !s.Has(ctx, c) {
				t.Errorf("%s in block %d: not repaired: %v", name, i, err)
			}
		}
	}
}

func TestDamagedRecords(t *testing.T) {
	s := openTemp(t)
	a, b := mustAdd(t, s, []byte("a")), mustAdd(t, s, []byte("b"))
	if err := s.Tag("tag", a); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{s.recordPath(a), s.tagPath("tag")} {
		if err := os.WriteFile(f, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List(ctx)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), a.String()) || !strings.Contains(err.Error(), "tag tag") {
		t.Errorf("list: %v", err)
	}
	if len(list) != 1 || list[0].CID != b {
		t.Errorf("list: %v", list)
	}
	if _, err := s.Resolve("tag"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("resolve: %v", err)
	}
	mustAdd(t, s, []byte("a"))
	if err := s.Tag("tag", a); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 2 {
		t.Errorf("after repair: %v, %v", list, err)
	}
}

func TestRemoveKeepsShared(t *testing.T) {
	s := openTemp(t)
	head := pattern(1<<20, 1)
	chunk := mustAdd(t, s, head) // a module that is also a chunk of the others
	x := mustAdd(t, s, append(bytes.Clone(head), "x"...))
	y := mustAdd(t, s, append(bytes.Clone(head), "y"...))
	if err := s.Tag("x", x); err != nil {
		t.Fatal(err)
	}
	for i, c := range []cid.Cid{x, chunk, y} {
		if err := s.Remove(ctx, c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bytes(ctx, c); !errors.Is(err, ErrNotFound) || s.Has(ctx, c) {
			t.Errorf("removed: %v", err)
		}
		if err := s.Remove(ctx, c); !errors.Is(err, ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		for _, c := range []cid.Cid{x, chunk, y}[i+1:] {
			if _, err := s.Bytes(ctx, c); err != nil {
				t.Errorf("kept: %v", err)
			}
		}
		checkNoOrphans(t, s)
	}
	if tags, err := s.Tags(); err != nil || len(tags) != 0 {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if n, err := s.Size(); n != 0 || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
}

// TestRemoveBesideDamage: while a root that may share blocks cannot be read,
// none is removed; when it is readable or gone, GC removes them.
func TestRemoveBesideDamage(t *testing.T) {
	s := openTemp(t)
	head := pattern(1<<20, 1)
	dataX := append(bytes.Clone(head), "x"...)
	x := mustAdd(t, s, dataX)
	y := mustAdd(t, s, append(bytes.Clone(head), "y"...))
	_, file, err := s.files.path(keyOf(x))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, y); err != nil {
		t.Fatal(err)
	}
	if _, err := sweep(s); !errors.Is(err, ErrCorrupt) {
		t.Errorf("sweep beside damage: %v", err)
	}
	if err := os.WriteFile(file, blocksOf(dataX)[0].data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Bytes(ctx, x); err != nil || !bytes.Equal(got, dataX) {
		t.Errorf("x lost a block: %v", err)
	}
	if freed, err := sweep(s); err != nil || freed == 0 {
		t.Errorf("sweep: %d, %v", freed, err)
	}
	checkNoOrphans(t, s)
}

package modstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
)

// sweep removes only what no module refers to.
func sweep(s *Store) (freed uint64, err error) {
	r, err := s.GC(ctx, GCOptions{})
	if len(r.Removed) > 0 {
		err = errors.Join(err, errors.New("a sweep removed modules"))
	}
	return r.Freed, err
}

// all lets GC take everything, however lately it was used.
func all() GCOptions { return GCOptions{UsedBefore: time.Now().Add(time.Hour)} }

func TestGC(t *testing.T) {
	big := pattern(chunkSize+5, 9)
	for _, c := range []struct {
		name string
		prep func(t *testing.T, s *Store, c cid.Cid) GCOptions
		kept bool
	}{
		{"unused", func(*testing.T, *Store, cid.Cid) GCOptions { return all() }, false},
		{"used lately", func(*testing.T, *Store, cid.Cid) GCOptions {
			return GCOptions{UsedBefore: time.Now().Add(-time.Hour)}
		}, true},
		{"used long ago", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			setUsed(t, s, c, time.Now().Add(-2*time.Hour))
			return GCOptions{UsedBefore: time.Now().Add(-time.Hour)}
		}, false},
		{"used long ago and again", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			setUsed(t, s, c, time.Now().Add(-2*time.Hour))
			later := reopen(t, s)
			if !later.Use(c) {
				t.Error("Use of what is here")
			}
			_ = later.Close() // now only the time says it
			return GCOptions{UsedBefore: time.Now().Add(-time.Hour)}
		}, true},
		{"added again", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			setUsed(t, s, c, time.Now().Add(-2*time.Hour))
			mustAdd(t, s, big)
			return GCOptions{UsedBefore: time.Now().Add(-time.Hour)}
		}, true},
		{"tagged", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			return all().after(t, s.Tag("name", c))
		}, true},
		{"untagged", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			return all().after(t, s.Tag("name", c)).after(t, s.Untag("name"))
		}, false},
		{"pinned", func(t *testing.T, s *Store, c cid.Cid) GCOptions { return all().after(t, s.Pin(c)) }, true},
		{"unpinned", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			return all().after(t, s.Pin(c)).after(t, s.Unpin(c))
		}, false},
		{"run by its owner", func(_ *testing.T, _ *Store, c cid.Cid) GCOptions {
			o := all()
			o.InUse = func() map[cid.Cid]bool { return map[cid.Cid]bool{c: true} }
			return o
		}, true},
		{"used by another", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			if !reopen(t, s).Use(c) {
				t.Error("Use of what is here")
			}
			return all()
		}, true},
		{"used by another that closed", func(t *testing.T, s *Store, c cid.Cid) GCOptions {
			other := reopen(t, s)
			if !other.Use(c) {
				t.Error("Use of what is here")
			}
			return all().after(t, other.Close())
		}, false},
		{"used by another that died", func(t *testing.T, s *Store, _ cid.Cid) GCOptions {
			files, err := os.ReadDir(filepath.Join(s.dir, "users"))
			if err != nil || len(files) != 1 {
				t.Fatalf("users: %v, %v", files, err)
			}
			return all().after(t, os.WriteFile(filepath.Join(s.dir, "users", "dead"), []byte(cidOf(big).String()+"\n"), 0o600))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openTemp(t)
			other := mustAdd(t, s, pattern(chunkSize, 9)) // which is a chunk of big
			if err := s.Tag("other", other); err != nil {
				t.Fatal(err)
			}
			id := mustAdd(t, s, big)
			o := c.prep(t, s, id)
			dry := o
			dry.DryRun = true
			would, err := s.GC(ctx, dry)
			if err != nil || !s.Has(ctx, id) {
				t.Fatalf("dry run: %v, still there: %v", err, s.Has(ctx, id))
			}
			r, err := s.GC(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if len(would.Removed) != len(r.Removed) || would.Freed != r.Freed || would.Kept != r.Kept {
				t.Errorf("a dry run said %+v, then %+v", would, r)
			}
			if s.Has(ctx, id) != c.kept || s.Use(id) != c.kept || !s.Has(ctx, other) {
				t.Errorf("it is here: %v, want %v; the other one: %v", s.Has(ctx, id), c.kept, s.Has(ctx, other))
			}
			if freed := r.Freed > 0 && len(r.Removed) == 1 && r.Removed[0].CID == id; freed == c.kept {
				t.Errorf("removed %v, freed %d", r.Removed, r.Freed)
			}
			checkNoOrphans(t, s)
			if files, _ := os.ReadDir(filepath.Join(s.dir, "users")); len(files) > 2 {
				t.Errorf("files of those that died stay: %v", files)
			}
		})
	}
}

func (o GCOptions) after(t *testing.T, err error) GCOptions {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func cidOf(data []byte) cid.Cid { return blocksOf(data)[0].c }

func setUsed(t testing.TB, s *Store, c cid.Cid, at time.Time) {
	t.Helper()
	if err := os.Chtimes(s.recordPath(c), at, at); err != nil {
		t.Fatal(err)
	}
}

// reopen opens the directory of s a second time, as another process does.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	other, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	return other
}

// TestGCWaitsForUse: what begins to be used while GC asks what is in use waits, and
// then finds the module gone; what did before is known to the owner.
func TestGCWaitsForUse(t *testing.T) {
	s := openTemp(t)
	c := mustAdd(t, s, []byte("module"))
	late := make(chan bool, 1)
	o := all()
	o.InUse = func() map[cid.Cid]bool {
		go func() { late <- s.Use(c) }()
		return nil
	}
	if r, err := s.GC(ctx, o); err != nil || len(r.Removed) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if <-late {
		t.Error("a module was used that GC removed")
	}
}

// TestGCBesideDamage: what cannot be read might refer to anything.
func TestGCBesideDamage(t *testing.T) {
	for name, hurt := range map[string]func(s *Store, big cid.Cid) error{
		"root": func(s *Store, big cid.Cid) error {
			_, file, err := s.files.path(keyOf(big))
			return errors.Join(err, os.Truncate(file, 3))
		},
		"tag": func(s *Store, _ cid.Cid) error { return os.WriteFile(s.tagPath("big"), []byte("?"), 0o600) },
	} {
		s := openTemp(t)
		big := mustAdd(t, s, pattern(chunkSize+1, 3))
		small := mustAdd(t, s, []byte("small"))
		if err := errors.Join(s.Tag("big", big), hurt(s, big)); err != nil {
			t.Fatal(err)
		}
		if r, err := s.GC(ctx, all()); !errors.Is(err, ErrCorrupt) || len(r.Removed) > 0 || !s.Has(ctx, small) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestPins(t *testing.T) {
	s := openTemp(t)
	c := mustAdd(t, s, []byte("module"))
	if err := errors.Join(s.Pin(c), s.Pin(c)); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, c); !errors.Is(err, ErrPinned) || !s.Has(ctx, c) {
		t.Errorf("remove: %v", err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 1 || !list[0].Pinned || list[0].Used.IsZero() {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := errors.Join(s.Unpin(c), s.Remove(ctx, c)); err != nil {
		t.Error(err)
	}
	_, entryErr := s.Entry(c)
	for name, err := range map[string]error{"pin": s.Pin(c), "unpin": s.Unpin(c), "entry": entryErr} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of what is not here: %v", name, err)
		}
	}
}

package modstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
)

// TestVerifyFlips flips one bit in each of many blocks: all are found, named and set
// aside as they were, and what is added again is whole.
func TestVerifyFlips(t *testing.T) {
	s := openTemp(t)
	r := rand.New(rand.NewPCG(1, 2))
	var contents [][]byte
	for i := range rounds(30, 980) {
		contents = append(contents, pattern(1+i*7, uint32(i)))
	}
	for i := range 5 { // of 4 blocks each
		contents = append(contents, pattern(2<<20+1+i, uint32(i)))
	}
	for _, data := range contents {
		mustAdd(t, s, data)
	}
	spared := mustAdd(t, s, []byte("spared"))
	_, sparedFile, err := s.files.path(keyOf(spared))
	if err != nil {
		t.Fatal(err)
	}
	flipped := map[string][]byte{}
	for _, file := range blockFiles(t, s) {
		if file == sparedFile {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		flipped[filepath.Base(file)] = b
	}
	v, err := s.Verify(ctx)
	if err != nil || len(v.Damage) != len(flipped) || v.Blocks != len(flipped)+1 || v.Modules != len(contents)+1 {
		t.Fatalf("%d found of %d flipped bits, in %d blocks of %d modules: %v", len(v.Damage), len(flipped), v.Blocks, v.Modules, err)
	}
	for _, d := range v.Damage {
		name, _, _ := cutLast(filepath.Base(d.Kept), '.')
		kept, err := os.ReadFile(d.Kept)
		if err != nil || !bytes.Equal(kept, flipped[name]) {
			t.Errorf("%+v: quarantine has %d bytes, %v", d, len(kept), err)
		}
		if _, file, _ := s.files.path(keyOf(d.Block)); filepath.Base(file) != name {
			t.Errorf("block %v is kept as %s", d.Block, d.Kept)
		}
		delete(flipped, name)
	}
	if len(flipped) > 0 {
		t.Errorf("not found: %d", len(flipped))
	}
	// The leaves of a damaged root were found as blocks of no module.
	if v, err := s.Verify(ctx); err != nil || len(v.Damage) != len(contents) || v.Damage[0].Why != "it is missing" {
		t.Errorf("again: %d of %d modules, %v", len(v.Damage), len(contents), err)
	}
	for _, data := range contents {
		mustAdd(t, s, data)
	}
	if v, err := s.Verify(ctx); err != nil || len(v.Damage) != 0 {
		t.Errorf("after repair: %v, %v", v.Damage, err)
	}
	checkNoOrphans(t, s)
}

func TestVerify(t *testing.T) {
	a, b := pattern(chunkSize+1, 1), pattern(chunkSize+2, 1) // with a common first chunk
	shared := blocksOf(pattern(chunkSize, 1))[0].c
	blockFile := func(s *Store, c cid.Cid) string {
		_, file, err := s.files.path(keyOf(c))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, c := range []struct {
		name    string
		hurt    func(s *Store) error
		only    []cid.Cid
		why     string // of one damage; "": none
		modules []cid.Cid
		kept    bool
		again   int // damages that a second look finds
	}{
		{name: "intact", hurt: func(*Store) error { return nil }},
		{"shared chunk", func(s *Store) error { return os.Truncate(blockFile(s, shared), 5) }, nil,
			"another hash", []cid.Cid{cidOf(a), cidOf(b)}, true, 1},
		{"shared chunk, one module looked at", func(s *Store) error { return os.Truncate(blockFile(s, shared), 5) }, []cid.Cid{cidOf(b)},
			"another hash", []cid.Cid{cidOf(b)}, true, 1},
		{"damage elsewhere", func(s *Store) error { return os.Truncate(blockFile(s, cidOf(a)), 0) }, []cid.Cid{cidOf(b)}, "", nil, false, 0},
		{"missing", func(s *Store) error { return os.Remove(blockFile(s, cidOf(a))) }, nil, "missing", []cid.Cid{cidOf(a)}, false, 1},
		{"of no module", func(s *Store) error {
			c := cidOf([]byte("lost"))
			err := s.files.Put(ctx, keyOf(c), []byte("lost"))
			return errors.Join(err, os.Truncate(blockFile(s, c), 2))
		}, nil, "another hash", nil, true, 0},
		{"not ours", func(s *Store) error {
			return os.WriteFile(filepath.Join(filepath.Dir(blockFile(s, shared)), "NOTAHASH.data"), nil, 0o600)
		}, nil, "", nil, false, 0},
		{"record", func(s *Store) error { return os.Truncate(s.recordPath(cidOf(a)), 3) }, nil, "record", []cid.Cid{cidOf(a)}, true, 0},
		{"tag", func(s *Store) error { return os.WriteFile(s.tagPath("name:v1"), []byte("x"), 0o600) }, nil, "names no module", nil, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openTemp(t)
			mustAdd(t, s, a)
			mustAdd(t, s, b)
			if err := errors.Join(s.Tag("name:v1", cidOf(a)), c.hurt(s)); err != nil {
				t.Fatal(err)
			}
			v, err := s.Verify(ctx, c.only...)
			if err != nil {
				t.Fatal(err)
			}
			if c.why == "" {
				if len(v.Damage) > 0 {
					t.Fatalf("found %+v", v.Damage)
				}
				return
			}
			if len(v.Damage) != 1 || !strings.Contains(v.Damage[0].Why, c.why) || (v.Damage[0].Kept != "") != c.kept {
				t.Fatalf("found %+v", v.Damage)
			}
			order := func(a, b cid.Cid) int { return strings.Compare(a.String(), b.String()) }
			slices.SortFunc(c.modules, order)
			slices.SortFunc(v.Damage[0].Modules, order)
			if !slices.Equal(v.Damage[0].Modules, c.modules) {
				t.Errorf("of %v", v.Damage[0].Modules)
			}
			if v, err := s.Verify(ctx, c.only...); err != nil || len(v.Damage) != c.again {
				t.Errorf("again: %+v, %v", v.Damage, err)
			}
			mustAdd(t, s, a)
			if list, err := s.List(ctx); err != nil || len(list) != 2 || list[0].Size+list[1].Size != uint64(len(a)+len(b)) {
				t.Errorf("list: %v, %v", list, err)
			}
			if got, err := s.Bytes(ctx, cidOf(b)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("repaired: %v", err)
			}
		})
	}
	if _, err := openTemp(t).Verify(ctx, shared); !errors.Is(err, ErrNotFound) {
		t.Errorf("not here: %v", err)
	}
}

// TestVerifyBesideRepair: what is repaired while Verify looks is not set aside, and
// what is set aside stays repairable.
func TestVerifyBesideRepair(t *testing.T) {
	s := openTemp(t)
	data := pattern(chunkSize+9, 4)
	c := mustAdd(t, s, data)
	files := blockFiles(t, s)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Verify(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range rounds(20, 500) {
		if err := os.Truncate(files[i%len(files)], 7); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		mustAdd(t, s, data)
		// A bad block may be seen once more, but only as it was before the add.
		if got, err := s.Bytes(ctx, c); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	close(stop)
	wg.Wait()
	if v, err := s.Verify(ctx); err != nil || len(v.Damage) > 0 {
		t.Errorf("%v, %v", v.Damage, err)
	}
}

package modstore

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"pgregory.net/rapid"
)

// TestModel compares the store with maps, over random sequences of calls: what GC
// removes above all.
func TestModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	// Contents that share chunks, and one that is a chunk of others.
	a, b := pattern(chunkSize, 1), pattern(chunkSize, 2)
	contents := [][]byte{
		{}, []byte("x"), a, append(bytes.Clone(a), "x"...), append(bytes.Clone(a), b...),
		append(bytes.Clone(b), a...), append(bytes.Clone(a), a...),
	}
	cids := make([]cid.Cid, len(contents))
	parts := make([][]block, len(contents))
	for i, data := range contents {
		parts[i] = blocksOf(data)
		cids[i] = parts[i][0].c
	}
	tagNames := []string{"k", "k:v1", "other"}

	// By default fewer runs than rapid's 100.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue && os.Getenv("WNODE_SOAK") == "" {
		if err := f.Value.Set("10"); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "modstore")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s, err := Open(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		other, err := Open(dir) // of another process
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		have, pins, old, usedThere := map[int]bool{}, map[int]bool{}, map[int]bool{}, map[int]bool{}
		tags := map[string]int{}
		pick := func(rt *rapid.T) int { return rapid.IntRange(0, len(contents)-1).Draw(rt, "content") }
		tagName := func(rt *rapid.T) string { return rapid.SampledFrom(tagNames).Draw(rt, "tag") }
		expect := func(rt *rapid.T, err, want error) {
			rt.Helper()
			if !errors.Is(err, want) || want == nil && err != nil {
				rt.Fatalf("got %v, want %v", err, want)
			}
		}
		ifHere := func(ok bool) error {
			if ok {
				return nil
			}
			return ErrNotFound
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				i := pick(rt)
				c, _, err := s.Add(ctx, bytes.NewReader(contents[i]))
				expect(rt, err, nil)
				if c != cids[i] {
					rt.Fatalf("%v, want %v", c, cids[i])
				}
				have[i] = true
				delete(old, i)
			},
			"import": func(rt *rapid.T) {
				i := pick(rt)
				blocks := parts[i]
				stop := rapid.IntRange(0, len(blocks)).Draw(rt, "blocks")
				im := s.NewImport(cids[i])
				defer im.Discard()
				for _, b := range blocks[:stop] {
					_, err := im.Put(b.c, b.data)
					expect(rt, err, nil)
				}
				if stop < len(blocks) {
					expect(rt, im.Commit(), ErrIncomplete)
					return
				}
				expect(rt, im.Commit(), nil)
				have[i] = true
				delete(old, i)
			},
			"remove": func(rt *rapid.T) {
				i := pick(rt)
				if pins[i] {
					expect(rt, s.Remove(ctx, cids[i]), ErrPinned)
					return
				}
				expect(rt, s.Remove(ctx, cids[i]), ifHere(have[i]))
				delete(have, i)
				maps.DeleteFunc(tags, func(_ string, j int) bool { return i == j })
			},
			"tag": func(rt *rapid.T) {
				i, name := pick(rt), tagName(rt)
				expect(rt, s.Tag(name, cids[i]), ifHere(have[i]))
				if have[i] {
					tags[name] = i
				}
			},
			"untag": func(rt *rapid.T) {
				name := tagName(rt)
				_, ok := tags[name]
				expect(rt, s.Untag(name), ifHere(ok))
				delete(tags, name)
			},
			"resolve": func(rt *rapid.T) {
				name := tagName(rt)
				i, ok := tags[name]
				c, err := s.Resolve(name)
				expect(rt, err, ifHere(ok))
				if ok && c != cids[i] {
					rt.Fatalf("%s: %v", name, c)
				}
			},
			"pin": func(rt *rapid.T) {
				i := pick(rt)
				expect(rt, s.Pin(cids[i]), ifHere(have[i]))
				pins[i] = have[i]
			},
			"unpin": func(rt *rapid.T) {
				i := pick(rt)
				expect(rt, s.Unpin(cids[i]), ifHere(pins[i]))
				delete(pins, i)
			},
			"use elsewhere": func(rt *rapid.T) {
				i := pick(rt)
				if other.Use(cids[i]) != have[i] {
					rt.Fatalf("use: %v", !have[i])
				}
				if have[i] {
					usedThere[i] = true // for good, also when it is removed and comes again
				}
			},
			"grow old": func(rt *rapid.T) {
				if i := pick(rt); have[i] {
					setUsed(t, s, cids[i], time.Now().Add(-48*time.Hour))
					old[i] = true
				}
			},
			"gc": func(rt *rapid.T) {
				run := map[cid.Cid]bool{cids[pick(rt)]: true}
				dry := rapid.Bool().Draw(rt, "dry")
				want := map[cid.Cid]bool{}
				for i := range have {
					if old[i] && !pins[i] && !usedThere[i] && !run[cids[i]] && !slices.Contains(slices.Collect(maps.Values(tags)), i) {
						want[cids[i]] = true
						if !dry {
							delete(have, i)
							delete(old, i)
						}
					}
				}
				r, err := s.GC(ctx, GCOptions{
					UsedBefore: time.Now().Add(-24 * time.Hour), DryRun: dry,
					InUse: func() map[cid.Cid]bool { return run },
				})
				expect(rt, err, nil)
				got := map[cid.Cid]bool{}
				for _, e := range r.Removed {
					got[e.CID] = true
				}
				if !maps.Equal(got, want) {
					rt.Fatalf("removed %v, want %v", got, want)
				}
			},
			"sweep": func(rt *rapid.T) {
				freed, err := sweep(s)
				expect(rt, err, nil)
				if freed != 0 {
					rt.Fatalf("%d bytes were left over", freed)
				}
			},
			"reopen": func(rt *rapid.T) {
				var err error
				_ = s.Close()
				s, err = Open(dir)
				expect(rt, err, nil)
			},
			"": func(rt *rapid.T) {
				list, err := s.List(ctx)
				expect(rt, err, nil)
				if len(list) != len(have) {
					rt.Fatalf("%d modules, want %d", len(list), len(have))
				}
				for _, e := range list {
					i := slices.Index(cids, e.CID)
					if i < 0 || !have[i] || e.Size != uint64(len(contents[i])) {
						rt.Fatalf("unexpected %v", e)
					}
					if e.Pinned != pins[i] {
						rt.Fatalf("pinned: %v", e)
					}
					if one, err := s.Entry(e.CID); err != nil || !reflect.DeepEqual(one, e) {
						rt.Fatalf("%v alone is %v, %v", e, one, err)
					}
					for _, name := range e.Tags {
						if tags[name] != i {
							rt.Fatalf("%s names %v", name, e.CID)
						}
					}
				}
				distinct := map[string]int{}
				for i, c := range cids {
					if s.Has(ctx, c) != have[i] {
						rt.Fatalf("has %d: %v", i, !have[i])
					}
					got, err := s.Bytes(ctx, c)
					expect(rt, err, ifHere(have[i]))
					if !have[i] {
						continue
					}
					if !bytes.Equal(got, contents[i]) {
						rt.Fatalf("content %d differs", i)
					}
					for _, b := range parts[i] {
						distinct[string(b.c.Hash())] = len(b.data)
					}
				}
				var sum uint64
				for _, n := range distinct {
					sum += uint64(n)
				}
				if n, err := s.Size(); err != nil || n != sum {
					rt.Fatalf("size %d, %v; want %d", n, err, sum)
				}
			},
		})
	})
}

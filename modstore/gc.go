package modstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
)

// GCOptions say what [Store.GC] may remove.
type GCOptions struct {
	// UsedBefore spares modules that were used, or added, since then; the time of
	// a use is kept to the hour. The zero time spares all: only blocks go that no
	// module has.
	UsedBefore time.Time
	// InUse returns what the owner of the Store runs now; nil is nothing. It is
	// called once, and every [Store.Use] that it does not know of yet waits.
	InUse func() map[cid.Cid]bool
	// DryRun removes nothing, and reports what it would.
	DryRun bool
}

// GCResult is what a collection removed.
type GCResult struct {
	Removed []Entry // in no order; without tags and pins, as they had none
	Kept    int     // modules that stay
	Freed   uint64  // bytes of blocks, those of unfinished adds included
}

// GC removes the modules that have no tag and no pin, are in use by no process,
// and were not used for a time; and the blocks that no module refers to, left by
// processes that died while they added or removed. It waits until nobody adds, and
// who adds meanwhile waits for it.
//
// It reads the root blocks of all modules above 1 MiB that stay. If one of those, or
// a tag, is damaged, it removes nothing and returns [ErrCorrupt]: [Store.Verify]
// helps. After another error, or a crash, each module is here as a whole or gone.
func (s *Store) GC(ctx context.Context, o GCOptions) (GCResult, error) {
	if err := s.open(); err != nil {
		return GCResult{}, err
	}
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return GCResult{}, fmt.Errorf("gc: %w", err)
	}
	defer unlock()
	r, err := s.collect(ctx, o)
	if err != nil {
		return r, fmt.Errorf("gc: %w", err)
	}
	return r, nil
}

func (s *Store) collect(ctx context.Context, o GCOptions) (r GCResult, err error) {
	needed, err := s.needed(o)
	if err != nil {
		return r, err
	}
	var keep []cid.Cid
	err = s.eachRoot(ctx, func(c cid.Cid, path string) error {
		rec, err := readRecord(path)
		if err == nil && !needed[c] && rec.used.Before(o.UsedBefore) {
			r.Removed = append(r.Removed, Entry{CID: c, Size: rec.Size, Added: rec.Added, Used: rec.used})
			return nil
		}
		keep = append(keep, c)
		if errors.Is(err, ErrCorrupt) {
			return nil // nobody knows when it was used
		}
		return err
	})
	if err != nil {
		return GCResult{}, err
	}
	r.Kept = len(keep)
	live, err := s.mark(ctx, keep)
	if err != nil {
		return GCResult{}, err
	}
	if !o.DryRun {
		if err := s.removeRecords(r.Removed); err != nil {
			return r, err
		}
	}
	err = s.files.walk(ctx, func(key ds.Key, size int64) error {
		if live[key] {
			return nil
		}
		if !o.DryRun {
			if err := s.files.Delete(ctx, key); err != nil {
				return err
			}
		}
		r.Freed += uint64(size)
		return nil
	})
	return r, err
}

// needed returns what must stay whatever its age. The caller holds the lock
// exclusively.
func (s *Store) needed(o GCOptions) (map[cid.Cid]bool, error) {
	needed, err := s.usedByOthers()
	if err != nil {
		return nil, err
	}
	var own map[cid.Cid]bool
	if !o.DryRun {
		own, err = s.uses.retain(o.InUse)
	} else if o.InUse != nil {
		own = o.InUse()
	}
	if err != nil {
		return nil, err
	}
	for c := range own {
		needed[c] = true
	}
	tags, err := s.Tags()
	if err != nil {
		return nil, err
	}
	for _, c := range tags {
		needed[c] = true
	}
	pins, err := s.pins()
	for c := range pins {
		needed[c] = true
	}
	return needed, err
}

// removeRecords makes modules invisible, durably, before their blocks go.
func (s *Store) removeRecords(gone []Entry) error {
	shards := map[string]bool{}
	for _, e := range gone {
		path := s.recordPath(e.CID)
		if err := removeFile(path); err != nil {
			return err
		}
		shards[filepath.Dir(path)] = true
	}
	return syncDirs(shards)
}

// mark returns the keys of all blocks that the modules refer to. The caller holds
// the lock exclusively.
func (s *Store) mark(ctx context.Context, modules []cid.Cid) (map[ds.Key]bool, error) {
	live := make(map[ds.Key]bool)
	for _, c := range modules {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		live[keyOf(c)] = true
		if c.Type() == cid.Raw {
			continue
		}
		b, err := s.blocks.Get(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%w: block %s: %w", ErrCorrupt, c, err)
		}
		leaves, _, err := parseRoot(c, b.RawData())
		if err != nil {
			return nil, err
		}
		for _, l := range leaves {
			live[keyOf(l.cid)] = true
		}
	}
	return live, nil
}

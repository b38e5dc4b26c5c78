package modstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
)

// Entry is a stored module.
type Entry struct {
	CID    cid.Cid
	Size   uint64    // bytes of the file
	Tags   []string  // sorted
	Pinned bool      // see [Store.Pin]
	Added  time.Time // when it was first added, in UTC
	Used   time.Time // when it was last added or used, to the hour, in UTC
}

// record is the content of a file below roots. Fields are only added.
type record struct {
	Size  uint64    `json:"size"`
	Added time.Time `json:"added"`

	used time.Time // that of its file
}

// shardLen is how much of a CID names the directory of its record: what all of
// our CIDs begin with ("bafkrei", "bafybei") and two characters, so that a
// prefix of minPrefix is looked up in one directory.
const shardLen = 9

func (s *Store) recordPath(c cid.Cid) string {
	text := c.String()
	return filepath.Join(s.dir, "roots", text[:shardLen], text)
}

// recorded says whether c is visible.
func (s *Store) recorded(c cid.Cid) bool {
	if checkCID(c) != nil {
		return false
	}
	_, err := os.Stat(s.recordPath(c))
	return err == nil
}

// record makes c visible; its blocks are durable. The caller holds the lock.
func (s *Store) record(c cid.Cid, size uint64) error {
	path := s.recordPath(c)
	shard := filepath.Dir(path)
	if _, err := readRecord(path); err == nil {
		s.use(c)
		// Made durable again, as its maker may have died before that.
		return errors.Join(syncDir(shard), syncDir(filepath.Dir(shard)))
	}
	text, err := json.Marshal(record{Size: size, Added: time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := makeDir(shard); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(shard)); err != nil {
		return err
	}
	if err := replaceFile(s.files.tmp, path, append(text, '\n')); err != nil {
		return err
	}
	s.use(c)
	return nil
}

// readRecord fails with ErrCorrupt for a damaged record, and with the error of
// the file system otherwise.
func readRecord(path string) (record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return record{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return record{}, err
	}
	r := record{used: info.ModTime().UTC()}
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("%w: record of module %s: %w", ErrCorrupt, filepath.Base(path), err)
	}
	return r, nil
}

// eachRoot calls visit for each recorded module.
func (s *Store) eachRoot(ctx context.Context, visit func(c cid.Cid, path string) error) error {
	return eachShard(ctx, filepath.Join(s.dir, "roots"), func(shard string, files []os.DirEntry) error {
		for _, f := range files {
			c, err := cid.Decode(f.Name())
			if err != nil || checkCID(c) != nil {
				continue // not ours
			}
			if err := visit(c, filepath.Join(shard, f.Name())); err != nil {
				return err
			}
		}
		return nil
	})
}

// List returns the modules, in the order they were added. A record or tag that
// cannot be read gives [ErrCorrupt] together with all the others.
func (s *Store) List(ctx context.Context) ([]Entry, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	tags, damage := s.Tags()
	if damage != nil && !errors.Is(damage, ErrCorrupt) {
		return nil, damage
	}
	byCID := make(map[cid.Cid][]string, len(tags))
	for name, c := range tags {
		byCID[c] = append(byCID[c], name)
	}
	pins, err := s.pins()
	if err != nil {
		return nil, err
	}
	var list []Entry
	err = s.eachRoot(ctx, func(c cid.Cid, path string) error {
		r, err := readRecord(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile
		case errors.Is(err, ErrCorrupt):
			damage = errors.Join(damage, err)
			return nil
		case err != nil:
			return err
		}
		names := byCID[c]
		slices.Sort(names)
		list = append(list, Entry{CID: c, Size: r.Size, Tags: names, Pinned: pins[c], Added: r.Added, Used: r.used})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if d := a.Added.Compare(b.Added); d != 0 {
			return d
		}
		return strings.Compare(a.CID.String(), b.CID.String())
	})
	return list, damage
}

// Entry returns what List does of the module c, without reading the records of
// others. [ErrNotFound] when it is not here, [ErrCorrupt] when its record or a tag
// cannot be read.
func (s *Store) Entry(c cid.Cid) (Entry, error) {
	if err := s.open(); err != nil {
		return Entry{}, err
	}
	if checkCID(c) != nil {
		return Entry{}, notHere(c)
	}
	r, err := readRecord(s.recordPath(c))
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, notHere(c)
	}
	if err != nil {
		return Entry{}, err
	}
	tags, err := s.Tags()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{CID: c, Size: r.Size, Pinned: s.pinned(c), Added: r.Added, Used: r.used}
	for name, of := range tags {
		if of.Equals(c) {
			e.Tags = append(e.Tags, name)
		}
	}
	slices.Sort(e.Tags)
	return e, nil
}

// Remove removes the module c and its tags. Blocks that other modules have too
// stay. It waits until nobody adds. [ErrNotFound] when c is not here, [ErrPinned]
// when it is pinned. After another error, or a crash, c may be here or not; it is not here in part.
//
// It reads the root blocks of all modules above 1 MiB. If one of those is
// damaged, the blocks of c stay as well, as some may be shared.
func (s *Store) Remove(ctx context.Context, c cid.Cid) error {
	if err := s.open(); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	defer unlock()
	if !s.recorded(c) {
		return fmt.Errorf("remove: %w", notHere(c))
	}
	if s.pinned(c) {
		return fmt.Errorf("remove: module %s: %w", c, ErrPinned)
	}
	mine := []ds.Key{keyOf(c)}
	if b, err := s.blocks.Get(ctx, c); err == nil {
		leaves, _, err := parseRoot(c, b.RawData())
		if err != nil {
			leaves = nil
		}
		for _, l := range leaves {
			mine = append(mine, keyOf(l.cid))
		}
	} // else only the root block goes; GC finds the others

	if err := s.untagAll(c); err != nil {
		return fmt.Errorf("remove %s: %w", c, err)
	}
	path := s.recordPath(c)
	if err := removeFile(path); err != nil {
		return fmt.Errorf("remove %s: %w", c, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("remove %s: %w", c, err)
	}
	var others []cid.Cid
	err = s.eachRoot(ctx, func(c cid.Cid, _ string) error {
		others = append(others, c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove %s: %w", c, err)
	}
	live, err := s.mark(ctx, others)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrBadDAG) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", c, err)
	}
	for _, key := range mine {
		if !live[key] {
			err = errors.Join(err, s.files.Delete(ctx, key))
		}
	}
	return err
}

func keyOf(c cid.Cid) ds.Key { return dshelp.MultihashToDsKey(c.Hash()) }

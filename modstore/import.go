package modstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ipfs/go-cid"
)

// Import receives a module block by block, from a peer that is not trusted. It
// is used by one goroutine at a time, and must end with Commit or Discard.
//
// The first error of Put ends it: further calls of Put and Commit return that
// error again. Memory is bounded by one block, disk by [MaxModule] and 8 KiB.
type Import interface {
	// Put takes the next block: the root first, then each in the order of
	// [Store.Blocks]. It verifies the hash ([ErrCorrupt]), the order
	// ([ErrUnexpected]), shape and size of the DAG ([ErrBadDAG], [ErrTooLarge]),
	// and writes the block to a staging file; it does not wait for the disk.
	// done says that this was the last one. The data stays the caller's.
	Put(c cid.Cid, data []byte) (done bool, err error)
	// Commit makes the module durable and visible. [ErrIncomplete] when blocks
	// are missing; the import can then go on. After another error the module
	// is not visible, unless it was before.
	Commit() error
	// Discard removes what was staged. After Commit, and a second time, it does
	// nothing, so it can be deferred.
	Discard()
}

// NewImport starts to receive the module root. Nothing is written before the
// first block. A process that dies leaves staged blocks in the directory tmp,
// which the next [Open] removes.
func (s *Store) NewImport(root cid.Cid) Import {
	return &importer{store: s, root: root, want: []leaf{{cid: root, size: -1}}}
}

type importer struct {
	store *Store
	root  cid.Cid
	want  []leaf // all blocks in order, as far as known; size -1: any
	next  int    // index in want
	size  uint64 // of the file, when the root was read

	dir   string // staging directory, "" before the first block
	owner *os.File
	err   error // the first failure, or the end
}

func (im *importer) Put(c cid.Cid, data []byte) (done bool, err error) {
	if im.err != nil {
		return false, im.err
	}
	if err := im.put(c, data); err != nil {
		im.err = fmt.Errorf("import %s: %w", im.root, err)
		return false, im.err
	}
	return im.complete(), nil
}

func (im *importer) complete() bool { return im.next == len(im.want) }

func (im *importer) put(c cid.Cid, data []byte) error {
	if err := im.store.open(); err != nil {
		return err
	}
	if im.complete() {
		return fmt.Errorf("%w: %s after the last one", ErrUnexpected, c)
	}
	if err := checkCID(c); err != nil {
		return err
	}
	want := im.want[im.next]
	if !c.Equals(want.cid) {
		return fmt.Errorf("%w: %s, not %s", ErrUnexpected, c, want.cid)
	}
	// Before hashing: a peer may send what it likes.
	if len(data) > maxBlock || want.size >= 0 && len(data) != want.size {
		return fmt.Errorf("%w: block %s has %d bytes", ErrBadDAG, c, len(data))
	}
	if err := verify(c, data); err != nil {
		return err
	}
	if im.next == 0 {
		leaves, size, err := parseRoot(c, data)
		if err != nil {
			return err
		}
		im.want = append(im.want, distinct(leaves)...)
		im.size = size
	}
	if err := im.stage(data); err != nil {
		return err
	}
	im.next++
	return nil
}

// stage writes the block of index next.
func (im *importer) stage(data []byte) error {
	if im.dir == "" {
		dir, owner, err := im.store.newStaging()
		if err != nil {
			return err
		}
		im.dir, im.owner = dir, owner
	}
	return os.WriteFile(im.staged(im.next), data, 0o600)
}

func (im *importer) staged(i int) string { return filepath.Join(im.dir, strconv.Itoa(i)) }

func (im *importer) Commit() error {
	if im.err != nil {
		return im.err
	}
	if !im.complete() {
		return fmt.Errorf("import %s: %w: %d blocks so far", im.root, ErrIncomplete, im.next)
	}
	err := im.commit()
	if err != nil {
		err = fmt.Errorf("import %s: %w", im.root, err)
	}
	im.end(err)
	return err
}

func (im *importer) commit() error {
	s := im.store
	if err := s.open(); err != nil {
		return err
	}
	ctx := context.Background()
	unlock, err := s.lock(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	puts := make([]placement, len(im.want))
	for i, w := range im.want {
		puts[i] = placement{key: keyOf(w.cid), staged: im.staged(i)}
	}
	if err := s.files.store(ctx, puts); err != nil {
		return err
	}
	return s.record(im.root, im.size)
}

func (im *importer) Discard() { im.end(nil) }

// end removes the staging directory, and makes further calls fail.
func (im *importer) end(err error) {
	if im.dir != "" {
		_ = os.RemoveAll(im.dir)
		_ = im.owner.Close()
		im.dir, im.owner = "", nil
	}
	if im.err == nil {
		im.err = errors.Join(err, fmt.Errorf("import %s: %w", im.root, ErrClosed))
	}
}

// ownerFile in a staging directory is locked as long as its import lives.
const ownerFile = "owner"

// newStaging makes a staging directory. The store's lock keeps sweepTemp from
// seeing it before it has its owner.
func (s *Store) newStaging() (dir string, owner *os.File, err error) {
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return "", nil, err
	}
	defer unlock()
	if dir, err = os.MkdirTemp(s.files.tmp, "import-"); err != nil {
		return "", nil, err
	}
	owner, err = tryFlock(filepath.Join(dir, ownerFile), syscall.LOCK_EX)
	if err == nil && owner == nil {
		err = errors.New("a new staging directory is locked by another process")
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, owner, nil
}

// sweepTemp removes temporary files and staging directories of processes that
// died. It does not wait: if anyone is writing, a later call does it.
func (s *Store) sweepTemp() error {
	entries, err := os.ReadDir(s.files.tmp)
	if err != nil || len(entries) == 0 {
		return err
	}
	f, err := tryFlock(filepath.Join(s.dir, "lock"), syscall.LOCK_EX)
	if err != nil || f == nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if entries, err = os.ReadDir(s.files.tmp); err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(s.files.tmp, e.Name())
		if e.IsDir() {
			owner, err := tryFlock(filepath.Join(path, ownerFile), syscall.LOCK_EX)
			if errors.Is(err, os.ErrNotExist) {
				continue // ended just now
			}
			if err != nil {
				return err
			}
			if owner == nil {
				continue // alive
			}
			err = os.RemoveAll(path)
			if err = errors.Join(err, owner.Close()); err != nil {
				return err
			}
			continue
		}
		if err := removeFile(path); err != nil {
			return err
		}
	}
	return nil
}

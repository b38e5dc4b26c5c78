package modstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	ipld "github.com/ipfs/go-ipld-format"
)

// Store is a module store in a directory. Its methods may be called from any
// goroutine; other processes may use the directory at the same time.
type Store struct {
	dir    string
	files  *blockDir
	blocks blockstore.Blockstore // verifies on read
	closed atomic.Bool
	tags   tagsRead
	looks  looks
	uses   uses
}

// The directories of a store: those that each has, and those made when they are
// needed, as older stores have none.
var (
	dirs      = []string{"tmp", "blocks", "roots", "tags"}
	laterDirs = []string{"pins", "users", "quarantine"}
)

// formatText is the content of the file FORMAT.
const formatText = "wnode module store 1\n"

// Open opens the store in dir, and makes one (mode 0700) if the directory is
// absent or empty. It fails with [ErrFormat] for a directory with other content
// or a store of another version. Opening an existing store reads one small file
// and lists one directory, which is empty unless someone is writing or died.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("module store: %w", err)
	}
	s := &Store{dir: dir, files: &blockDir{
		dir: filepath.Join(dir, "blocks"), tmp: filepath.Join(dir, "tmp"), quarantine: filepath.Join(dir, "quarantine"),
	}}
	s.blocks = &blockstore.ValidatingBlockstore{
		// Write through: blockDir itself looks whether a block is there, and
		// whether it is intact.
		Blockstore: blockstore.NewBlockstore(s.files, blockstore.NoPrefix(), blockstore.WriteThrough(true)),
	}
	text, err := os.ReadFile(filepath.Join(dir, "FORMAT"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = s.create()
	case err == nil && string(text) != formatText:
		err = fmt.Errorf("%w: %.40q", ErrFormat, text)
	case err == nil:
		err = s.sweepTemp()
	}
	if err != nil {
		return nil, fmt.Errorf("module store %s: %w", dir, err)
	}
	return s, nil
}

// create makes the directories of a new store. Several processes may do so at
// once, and one that died in the middle is carried on.
func (s *Store) create() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	ours := map[string]bool{"FORMAT": true, "lock": true, "turn": true}
	for _, name := range slices.Concat(dirs, laterDirs) {
		ours[name] = true
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !ours[e.Name()] {
			return fmt.Errorf("%w: it has no FORMAT but %q", ErrFormat, e.Name())
		}
	}
	for _, name := range dirs {
		if err := makeDir(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	// Locked, as another process may be done already, and sweep tmp.
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return err
	}
	defer unlock()
	if err := replaceFile(s.files.tmp, filepath.Join(s.dir, "FORMAT"), []byte(formatText)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.dir))
}

// subdir makes one of the later directories, durably.
func (s *Store) subdir(name string) error {
	if err := makeDir(filepath.Join(s.dir, name)); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// Close ends the use of s: further calls return [ErrClosed], and the modules it used
// are used no more. Calls under way are not waited for. It always returns nil.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.uses.end()
	return nil
}

func (s *Store) open() error {
	if s.closed.Load() {
		return fmt.Errorf("module store: %w", ErrClosed)
	}
	return nil
}

// Has says whether the module c is here with all its blocks. It looks at the
// lengths of the chunks, not at their bytes; what reads them verifies. After an
// error of the file system it says no.
func (s *Store) Has(ctx context.Context, c cid.Cid) bool {
	if s.open() != nil || !s.recorded(c) {
		return false
	}
	if c.Type() == cid.Raw {
		n, err := s.blocks.GetSize(ctx, c)
		r, recErr := readRecord(s.recordPath(c))
		return err == nil && (recErr != nil || uint64(n) == r.Size)
	}
	leaves, _, _, err := s.root(ctx, c)
	if err != nil {
		return false
	}
	for _, l := range leaves {
		if n, err := s.blocks.GetSize(ctx, l.cid); err != nil || n != l.size {
			return false
		}
	}
	return true
}

// Bytes returns the whole module c, each block verified against its hash. It
// fails with [ErrNotFound] when c is not here, and with [ErrCorrupt], naming the
// block, when one is damaged or gone.
func (s *Store) Bytes(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	if !s.recorded(c) {
		return nil, notHere(c)
	}
	leaves, size, data, err := s.root(ctx, c)
	if err != nil {
		return nil, s.unlessRemoved(c, err)
	}
	if leaves == nil {
		return data, nil
	}
	out := make([]byte, 0, size)
	for _, l := range leaves {
		data, err := s.block(ctx, l.cid)
		if err != nil {
			return nil, s.unlessRemoved(c, err)
		}
		out = append(out, data...)
	}
	return out, nil
}

// Blocks calls yield with each block of the module root: the root first, then
// the others in the order of the file, each distinct block once. It reads a
// block only when the previous yield has returned; the data is yield's to keep.
// An error of yield ends it and is returned as it is; other errors are those of
// [Store.Bytes].
func (s *Store) Blocks(ctx context.Context, root cid.Cid, yield func(c cid.Cid, data []byte) error) error {
	if err := s.open(); err != nil {
		return err
	}
	if !s.recorded(root) {
		return notHere(root)
	}
	leaves, _, data, err := s.root(ctx, root)
	if err != nil {
		return s.unlessRemoved(root, err)
	}
	if err := yield(root, data); err != nil {
		return err
	}
	for _, l := range distinct(leaves) {
		data, err := s.block(ctx, l.cid)
		if err != nil {
			return s.unlessRemoved(root, err)
		}
		if err := yield(l.cid, data); err != nil {
			return err
		}
	}
	return nil
}

// root reads and parses a root block.
func (s *Store) root(ctx context.Context, c cid.Cid) (leaves []leaf, size uint64, data []byte, err error) {
	if data, err = s.block(ctx, c); err != nil {
		return nil, 0, nil, err
	}
	leaves, size, err = parseRoot(c, data)
	return leaves, size, data, err
}

// block reads one block and verifies it. As readers take no lock, a block may
// be removed and added again while they look: what seems wrong is looked at
// once more while nobody removes.
func (s *Store) block(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.blocks.Get(ctx, c)
	if err != nil {
		unlock, lockErr := s.lock(ctx, false)
		if lockErr != nil {
			return nil, lockErr
		}
		b, err = s.blocks.Get(ctx, c)
		unlock()
	}
	switch {
	case err == nil:
		return b.RawData(), nil
	case ipld.IsNotFound(err):
		return nil, fmt.Errorf("%w: block %s is missing", ErrCorrupt, c)
	case errors.Is(err, blockstore.ErrHashMismatch):
		return nil, fmt.Errorf("%w: block %s: its bytes have another hash", ErrCorrupt, c)
	default:
		return nil, fmt.Errorf("block %s: %w", c, err)
	}
}

// unlessRemoved turns the failure to read a block of c into ErrNotFound if c
// was removed while it was read.
func (s *Store) unlessRemoved(c cid.Cid, err error) error {
	if errors.Is(err, ErrCorrupt) && !s.recorded(c) {
		return notHere(c)
	}
	return fmt.Errorf("module %s: %w", c, err)
}

func notHere(c cid.Cid) error { return fmt.Errorf("module %s: %w", c, ErrNotFound) }

// Size returns the bytes of all blocks, those that no module refers to
// included; not the records, tags and what the file system adds.
func (s *Store) Size() (bytes uint64, err error) {
	if err := s.open(); err != nil {
		return 0, err
	}
	err = s.files.walk(context.Background(), func(_ ds.Key, size int64) error {
		bytes += uint64(size)
		return nil
	})
	return bytes, err
}

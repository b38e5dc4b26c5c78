package modstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// blockDir is the directory of blocks, as the datastore that boxo's blockstore
// wants. Its keys are "/" and the multihash in upper-case base32.
//
// It is not go-ds-flatfs, whose files it shares the names of, because that one
// empties its directory of temporary files at each start, and so breaks the
// writes of every other process on the same directory.
type blockDir struct {
	dir        string // blocks
	tmp        string
	quarantine string
}

var _ ds.Batching = (*blockDir)(nil)

const blockSuffix = ".data"

// parallelSyncs bounds the fsyncs in flight in one batch: a journalling file
// system commits those that wait together at once.
const parallelSyncs = 8

// path gives the shard directory and the file of a key.
func (b *blockDir) path(key ds.Key) (shard, file string, err error) {
	name := strings.TrimPrefix(key.String(), "/")
	if len(name) < 3 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", "", fmt.Errorf("no block key: %q", key.String())
	}
	shard = filepath.Join(b.dir, name[len(name)-3:len(name)-1])
	return shard, filepath.Join(shard, name+blockSuffix), nil
}

// Get reads a block, at most one byte more than a block can have: a file that
// grew is found by its hash without being read whole.
func (b *blockDir) Get(_ context.Context, key ds.Key) ([]byte, error) {
	_, file, err := b.path(key)
	if err != nil {
		return nil, err
	}
	return readBlockFile(file)
}

func readBlockFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ds.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(info.Size(), maxBlock+1))
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // became shorter: the hash tells
	}
	return data[:n], err
}

// Has says whether the block's file is there, not whether it is intact.
func (b *blockDir) Has(ctx context.Context, key ds.Key) (bool, error) {
	_, err := b.GetSize(ctx, key)
	if errors.Is(err, ds.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// GetSize returns the length of the block's file.
func (b *blockDir) GetSize(_ context.Context, key ds.Key) (int, error) {
	_, file, err := b.path(key)
	if err != nil {
		return -1, err
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, ds.ErrNotFound
	}
	if err != nil {
		return -1, err
	}
	return int(info.Size()), nil
}

// Put stores one block, durably.
func (b *blockDir) Put(ctx context.Context, key ds.Key, value []byte) error {
	return b.store(ctx, []placement{{key: key, data: value}})
}

// Delete removes a block. The removal may be undone by a crash.
func (b *blockDir) Delete(_ context.Context, key ds.Key) error {
	_, file, err := b.path(key)
	if err != nil {
		return err
	}
	return removeFile(file)
}

// Sync does nothing: all that was put is durable.
func (b *blockDir) Sync(context.Context, ds.Key) error { return nil }

// Close does nothing: no file stays open between calls.
func (b *blockDir) Close() error { return nil }

// Query lists keys; it does not offer values.
func (b *blockDir) Query(ctx context.Context, q query.Query) (query.Results, error) {
	if !q.KeysOnly {
		return nil, errors.New("block directory: only queries of keys")
	}
	var entries []query.Entry
	err := b.walk(ctx, func(key ds.Key, size int64) error {
		entries = append(entries, query.Entry{Key: key.String(), Size: int(size)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return query.NaiveQueryApply(q, query.ResultsWithEntries(q, entries)), nil
}

// walk visits all blocks. Those added or removed meanwhile may be missed.
func (b *blockDir) walk(ctx context.Context, visit func(key ds.Key, size int64) error) error {
	return eachShard(ctx, b.dir, func(shard string, files []os.DirEntry) error {
		for _, f := range files {
			name, ok := strings.CutSuffix(f.Name(), blockSuffix)
			if !ok {
				continue
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := visit(ds.RawKey("/"+name), info.Size()); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachShard calls visit with the entries of each directory below dir.
func eachShard(ctx context.Context, dir string, visit func(shard string, files []os.DirEntry) error) error {
	shards, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !shard.IsDir() {
			continue
		}
		path := filepath.Join(dir, shard.Name())
		files, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		if err := visit(path, files); err != nil {
			return err
		}
	}
	return nil
}

// placement is a block to store: its bytes, or a file of them to move in.
type placement struct {
	key    ds.Key
	data   []byte
	staged string
}

// Batch collects puts and writes them together, so that their fsyncs run in
// parallel and a directory is synced once.
func (b *blockDir) Batch(context.Context) (ds.Batch, error) { return &blockBatch{dir: b}, nil }

type blockBatch struct {
	dir  *blockDir
	puts []placement
	dels []ds.Key
}

func (t *blockBatch) Put(_ context.Context, key ds.Key, value []byte) error {
	t.puts = append(t.puts, placement{key: key, data: value})
	return nil
}

func (t *blockBatch) Delete(_ context.Context, key ds.Key) error {
	t.dels = append(t.dels, key)
	return nil
}

func (t *blockBatch) Commit(ctx context.Context) error {
	err := t.dir.store(ctx, t.puts)
	for _, key := range t.dels {
		err = errors.Join(err, t.dir.Delete(ctx, key))
	}
	return err
}

// store makes all of the blocks durable, or returns an error; then some may be
// stored. A block already there is not written again, unless it is damaged.
func (b *blockDir) store(ctx context.Context, puts []placement) error {
	var (
		wg     sync.WaitGroup
		slots  = make(chan struct{}, parallelSyncs)
		errs   = make([]error, len(puts))
		shards = map[string]bool{b.dir: true}
	)
	for i, p := range puts {
		shard, file, err := b.path(p.key)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && !shards[shard] {
			err = makeDir(shard)
			shards[shard] = true
		}
		if err != nil {
			errs[i] = err
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = b.place(p, file)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Also for blocks that were there: whoever renamed them in may have died
	// before it synced the directory.
	return syncDirs(shards)
}

// setAside gives a damaged file a second name, in quarantine, which it returns: so
// whoever replaces or removes the file leaves the evidence.
func (b *blockDir) setAside(file string) (kept string, err error) {
	if err := makeDir(b.quarantine); err != nil {
		return "", err
	}
	kept = filepath.Join(b.quarantine, fmt.Sprintf("%s.%d", filepath.Base(file), time.Now().UnixNano()))
	if err := os.Link(file, kept); err != nil {
		return "", err
	}
	return kept, syncDir(b.quarantine)
}

func (b *blockDir) place(p placement, file string) error {
	have, err := readBlockFile(file)
	if err == nil {
		want := p.data
		if p.staged != "" {
			if want, err = readBlockFile(p.staged); err != nil {
				return err
			}
		}
		if bytes.Equal(have, want) {
			return nil
		}
		// Of a damaged one a trace stays if it can. To repair it matters more.
		_, _ = b.setAside(file)
	} // else: absent, or unreadable and so to be replaced
	from := p.staged
	if from == "" {
		if from, err = writeTemp(b.tmp, "block-", p.data); err != nil {
			return err
		}
	} else if err := syncFile(from); err != nil {
		return err
	}
	if err := os.Rename(from, file); err != nil {
		_ = os.Remove(from)
		return err
	}
	return nil
}

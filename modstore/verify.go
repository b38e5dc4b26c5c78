package modstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	ipld "github.com/ipfs/go-ipld-format"
)

// Damage is something that is not what it should be.
type Damage struct {
	Block   cid.Cid   // undefined: no block, but a record or a tag
	Tag     string    // "": no tag
	Modules []cid.Cid // that have the block or record, of those that were looked at
	Why     string
	Kept    string // the file that it is kept in now; "": there is none
}

// Verification is what [Store.Verify] found.
type Verification struct {
	Modules, Blocks int    // that were looked at, each once
	Bytes           uint64 // of those blocks
	Damage          []Damage
}

// Verify reads the blocks of the modules, or with none given all that is in the store,
// and compares each with its name. What is damaged it moves to the directory
// quarantine, where nothing looks for it and nothing removes it; what the modules
// lack then, adding or fetching them again brings back. A record it makes anew, if
// the module is whole; a tag is lost.
//
// It takes the lock only for what is damaged. [ErrNotFound] when a module is not
// here; another error is that of the system, and what was found until then is
// returned with it.
func (s *Store) Verify(ctx context.Context, modules ...cid.Cid) (Verification, error) {
	if err := s.open(); err != nil {
		return Verification{}, err
	}
	v := verifier{store: s, seen: map[ds.Key]int{}}
	err := v.run(ctx, modules)
	if err != nil {
		err = fmt.Errorf("verify: %w", err)
	}
	return v.Verification, err
}

type verifier struct {
	Verification
	store *Store
	seen  map[ds.Key]int // the index in Damage, or intact
}

const intact = -1

func (v *verifier) run(ctx context.Context, modules []cid.Cid) error {
	s := v.store
	if len(modules) > 0 {
		for _, c := range modules {
			if !s.recorded(c) {
				return notHere(c)
			}
			if err := v.module(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}
	err := s.eachRoot(ctx, func(c cid.Cid, _ string) error { return v.module(ctx, c) })
	if err != nil {
		return err
	}
	err = s.files.walk(ctx, func(key ds.Key, _ int64) error {
		if _, ok := v.seen[key]; ok {
			return nil
		}
		hash, err := dshelp.DsKeyToMultihash(key)
		c := cid.NewCidV1(cid.Raw, hash)
		if err != nil || checkCID(c) != nil {
			return nil // not ours
		}
		_, err = v.block(ctx, c, cid.Undef)
		return err
	})
	if err != nil {
		return err
	}
	return v.tags(ctx)
}

// module looks at one module. A removal meanwhile is no damage.
func (v *verifier) module(ctx context.Context, c cid.Cid) error {
	v.Modules++
	data, err := v.block(ctx, c, c)
	if err != nil {
		return err
	}
	whole := data != nil
	var size uint64
	if whole {
		var leaves []leaf
		if leaves, size, err = parseRoot(c, data); err != nil {
			v.Damage = append(v.Damage, Damage{Block: c, Modules: []cid.Cid{c}, Why: err.Error()})
			whole = false
		}
		for _, l := range distinct(leaves) {
			data, err := v.block(ctx, l.cid, c)
			if err != nil {
				return err
			}
			whole = whole && data != nil
		}
	}
	return v.record(ctx, c, size, whole)
}

// block looks at one block, of a module unless that is undefined, and returns its
// bytes, which are never nil, if they are intact. One that was looked at before is
// not read again, unless it is a root.
func (v *verifier) block(ctx context.Context, c, module cid.Cid) ([]byte, error) {
	s, key := v.store, keyOf(c)
	at, ok := v.seen[key]
	if ok && at != intact {
		if module.Defined() {
			v.Damage[at].Modules = append(v.Damage[at].Modules, module)
		}
		return nil, nil
	}
	if ok && !c.Equals(module) {
		return []byte{}, nil
	}
	data, err := s.block(ctx, c)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		if !ok {
			v.seen[key] = intact
			v.Blocks++
			v.Bytes += uint64(len(data))
		}
		if data == nil {
			data = []byte{}
		}
		return data, nil
	}
	d, err := s.setAsideBlock(ctx, c, module)
	if d == nil || err != nil {
		return nil, err
	}
	v.Blocks++
	v.seen[key] = len(v.Damage)
	v.Damage = append(v.Damage, *d)
	return nil, nil
}

// setAsideBlock moves a block, of a module unless that is undefined, into quarantine
// if it still is damaged when nobody else writes. Else, or if the module was
// removed, the damage is nil.
func (s *Store) setAsideBlock(ctx context.Context, c, module cid.Cid) (*Damage, error) {
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d := &Damage{Block: c}
	if module.Defined() {
		if !s.recorded(module) {
			return nil, nil
		}
		d.Modules = []cid.Cid{module}
	}
	_, err = s.blocks.Get(ctx, c)
	switch {
	case err == nil:
		return nil, nil
	case ipld.IsNotFound(err) && !module.Defined():
		return nil, nil // removed meanwhile
	case ipld.IsNotFound(err):
		d.Why = "it is missing"
		return d, nil
	case errors.Is(err, blockstore.ErrHashMismatch):
		d.Why = "its bytes have another hash"
	case errors.Is(err, syscall.EIO):
		d.Why = err.Error()
	default:
		return nil, fmt.Errorf("block %s: %w", c, err)
	}
	_, file, err := s.files.path(keyOf(c))
	if err == nil {
		d.Kept, err = s.files.setAside(file)
	}
	if err == nil {
		err = removeDurably(file)
	}
	return d, err
}

// record looks at the record of a module of a size, and makes a new one in place of a
// damaged one if the module is whole.
func (v *verifier) record(ctx context.Context, c cid.Cid, size uint64, whole bool) error {
	s := v.store
	path := s.recordPath(c)
	if _, err := readRecord(path); !errors.Is(err, ErrCorrupt) {
		return ignoreGone(err)
	}
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := readRecord(path); !errors.Is(err, ErrCorrupt) {
		return ignoreGone(err)
	}
	d := Damage{Modules: []cid.Cid{c}, Why: "its record cannot be read"}
	if whole { // else even a damaged one says that the module should be here
		if d.Kept, err = s.files.setAside(path); err != nil {
			return err
		}
		err = s.record(c, size)
	}
	v.Damage = append(v.Damage, d)
	return err
}

// tags looks at the tags.
func (v *verifier) tags(ctx context.Context) error {
	s := v.store
	entries, err := os.ReadDir(filepath.Join(s.dir, "tags"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := strings.Replace(e.Name(), "@", ":", 1)
		if CheckTag(name) != nil {
			continue
		}
		if _, err := s.tag(name); !errors.Is(err, ErrCorrupt) {
			continue
		}
		if err := v.setAsideTag(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) setAsideTag(ctx context.Context, name string) error {
	s := v.store
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.tag(name); !errors.Is(err, ErrCorrupt) {
		return nil // it is gone, or another one
	}
	kept, err := s.files.setAside(s.tagPath(name))
	if err == nil {
		err = removeDurably(s.tagPath(name))
	}
	if err != nil {
		return err
	}
	v.Damage = append(v.Damage, Damage{Tag: name, Why: "it names no module", Kept: kept})
	return nil
}

// removeDurably removes a file, which may be gone already.
func removeDurably(path string) error {
	return errors.Join(removeFile(path), syncDir(filepath.Dir(path)))
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

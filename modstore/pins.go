package modstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ipfs/go-cid"
)

func (s *Store) pinPath(c cid.Cid) string { return filepath.Join(s.dir, "pins", c.String()) }

// Pin keeps the module c until it is unpinned, durably: [Store.GC] leaves it, and
// [Store.Remove] refuses to. Pinning twice is as once. [ErrNotFound] when c is not
// here.
func (s *Store) Pin(c cid.Cid) error {
	if err := s.open(); err != nil {
		return err
	}
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return fmt.Errorf("pin %s: %w", c, err)
	}
	defer unlock()
	if !s.recorded(c) {
		return fmt.Errorf("pin: %w", notHere(c))
	}
	err = s.subdir("pins")
	if err == nil {
		err = replaceFile(s.files.tmp, s.pinPath(c), nil)
	}
	if err != nil {
		return fmt.Errorf("pin %s: %w", c, err)
	}
	return nil
}

// Unpin takes a pin away, durably; the module stays. [ErrNotFound] when c is not
// pinned.
func (s *Store) Unpin(c cid.Cid) error {
	if err := s.open(); err != nil {
		return err
	}
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return fmt.Errorf("unpin %s: %w", c, err)
	}
	defer unlock()
	err = os.Remove(s.pinPath(c))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pin of module %s: %w", c, ErrNotFound)
	}
	if err == nil {
		err = syncDir(filepath.Join(s.dir, "pins"))
	}
	if err != nil {
		return fmt.Errorf("unpin %s: %w", c, err)
	}
	return nil
}

func (s *Store) pinned(c cid.Cid) bool {
	_, err := os.Stat(s.pinPath(c))
	return err == nil
}

// pins returns what is pinned.
func (s *Store) pins() (map[cid.Cid]bool, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "pins"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pins: %w", err)
	}
	pins := make(map[cid.Cid]bool, len(entries))
	for _, e := range entries {
		if c, err := cid.Decode(e.Name()); err == nil {
			pins[c] = true
		}
	}
	return pins, nil
}

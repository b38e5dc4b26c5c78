package modstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"
)

// minPrefix is the fewest characters of a CID that name a module. The first
// seven are the same for all.
const minPrefix = 10

// Resolve finds the module that name means: a tag; a full CID, in any multibase,
// of a module that is here; or the beginning of one, of at least ten characters,
// that fits a single module here. No tag looks like a CID, so there is no order
// among these. [ErrNotFound], or [ErrAmbiguous] with the candidates.
func (s *Store) Resolve(name string) (cid.Cid, error) {
	if err := s.open(); err != nil {
		return cid.Undef, err
	}
	c, ok, since := s.looks.get(name) // of a tag: no key of a CID is one
	if ok {
		return c, nil
	}
	if CheckTag(name) == nil {
		c, err := s.tag(name)
		if err == nil {
			s.looks.put(name, c, since)
		}
		return c, err
	}
	if isPrefix(name) {
		return s.resolvePrefix(name)
	}
	c, err := cid.Decode(name)
	if err != nil {
		return cid.Undef, fmt.Errorf("module %.140q: %w", name, ErrNotFound)
	}
	if !s.recorded(c) {
		return cid.Undef, notHere(c)
	}
	return c, nil
}

// isPrefix says whether name has the form of the beginning of a module's CID,
// long enough to be looked up.
func isPrefix(name string) bool {
	const encodedLen = 59
	return len(name) >= minPrefix && len(name) <= encodedLen &&
		(strings.HasPrefix(name, "bafkrei") || strings.HasPrefix(name, "bafybei")) &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func (s *Store) resolvePrefix(prefix string) (cid.Cid, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, "roots", prefix[:shardLen]))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cid.Undef, fmt.Errorf("module %s: %w", prefix, err)
	}
	var found []cid.Cid
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), prefix) {
			continue
		}
		if c, err := cid.Decode(f.Name()); err == nil && checkCID(c) == nil {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return cid.Undef, fmt.Errorf("module %s: %w", prefix, ErrNotFound)
	case 1:
		return found[0], nil
	}
	const shown = 5
	var names []string
	for i, c := range found {
		if i == shown {
			names = append(names, fmt.Sprintf("and %d more", len(found)-shown))
			break
		}
		names = append(names, c.String())
	}
	return cid.Undef, fmt.Errorf("module %s: %w: %s", prefix, ErrAmbiguous, strings.Join(names, ", "))
}

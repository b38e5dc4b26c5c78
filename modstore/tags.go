package modstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
)

// The form of a tag: a name, or a name and a version.
var tagForm = regexp.MustCompile(`\A[a-z0-9][a-z0-9_.-]{0,62}(:[a-z0-9][a-z0-9_.-]{0,62})?\z`)

// CheckTag returns [ErrBadName], naming it, for what cannot be a tag: outside
// [a-z0-9][a-z0-9_.-]{0,62}, or two of those with a colon between; or what could
// be meant as a CID, or as the beginning of one.
func CheckTag(name string) error {
	if !tagForm.MatchString(name) {
		return fmt.Errorf("%w: %.140q: want letters a-z, digits, _ . - (63 at most), with :VERSION or without", ErrBadName, name)
	}
	if _, err := cid.Decode(name); err == nil || isPrefix(name) {
		return fmt.Errorf("%w: %q looks like a CID", ErrBadName, name)
	}
	return nil
}

// tagPath is the file of a tag. The colon is replaced, as some file systems
// forbid it; '@' is not in tags.
func (s *Store) tagPath(name string) string {
	return filepath.Join(s.dir, "tags", strings.Replace(name, ":", "@", 1))
}

// Tag makes name a name for the module c, durably, in place of what it named
// before. [ErrBadName]; [ErrNotFound] when c is not here.
func (s *Store) Tag(name string, c cid.Cid) error {
	if err := s.open(); err != nil {
		return err
	}
	if err := CheckTag(name); err != nil {
		return err
	}
	// Shared: against the removal of c, not against other tags.
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return fmt.Errorf("tag %s: %w", name, err)
	}
	defer unlock()
	if !s.recorded(c) {
		return fmt.Errorf("tag %s: %w", name, notHere(c))
	}
	if err := replaceFile(s.files.tmp, s.tagPath(name), []byte(c.String()+"\n")); err != nil {
		return fmt.Errorf("tag %s: %w", name, err)
	}
	return nil
}

// Untag removes a tag, durably; the module stays. [ErrBadName]; [ErrNotFound]
// when there is no such tag.
func (s *Store) Untag(name string) error {
	if err := s.open(); err != nil {
		return err
	}
	if err := CheckTag(name); err != nil {
		return err
	}
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return fmt.Errorf("untag %s: %w", name, err)
	}
	defer unlock()
	err = os.Remove(s.tagPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tag %s: %w", name, ErrNotFound)
	}
	if err == nil {
		err = syncDir(filepath.Join(s.dir, "tags"))
	}
	if err != nil {
		return fmt.Errorf("untag %s: %w", name, err)
	}
	return nil
}

// Tags returns all tags. Those that cannot be read are left out, and named in
// an [ErrCorrupt] that comes with the others.
func (s *Store) Tags() (map[string]cid.Cid, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "tags"))
	if err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	tags := make(map[string]cid.Cid, len(entries))
	var damage error
	for _, e := range entries {
		name := strings.Replace(e.Name(), "@", ":", 1)
		if CheckTag(name) != nil {
			continue // not ours
		}
		c, err := s.tag(name)
		switch {
		case errors.Is(err, ErrNotFound): // removed meanwhile
		case errors.Is(err, ErrCorrupt):
			damage = errors.Join(damage, err)
		case err != nil:
			return nil, err
		default:
			tags[name] = c
		}
	}
	return tags, damage
}

// tagsRead is what tags were when they were last read, so that a node that is asked
// for one thousands of times a second need not open its file each time.
type tagsRead struct {
	mu sync.Mutex
	by map[string]tagRead // of tags that there were
}

type tagRead struct {
	file fs.FileInfo
	c    cid.Cid
}

// settled is how old a file must be for its times to tell whether it is another one:
// no file system's clock is coarser.
const settled = 3 * time.Second

// get returns what a tag is that has this file.
func (t *tagsRead) get(name string, file fs.FileInfo) (cid.Cid, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.by[name]
	return r.c, ok && os.SameFile(r.file, file) && r.file.ModTime().Equal(file.ModTime())
}

// set notes what was read after the look at the file, or that there is none.
func (t *tagsRead) set(name string, file fs.FileInfo, c cid.Cid) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if file == nil || time.Since(file.ModTime()) < settled {
		delete(t.by, name)
		return
	}
	if t.by == nil {
		t.by = map[string]tagRead{}
	}
	t.by[name] = tagRead{file, c}
}

// tag reads one tag, whose name is valid.
func (s *Store) tag(name string) (cid.Cid, error) {
	path := s.tagPath(name)
	file, err := os.Stat(path)
	if err == nil {
		if c, ok := s.tags.get(name, file); ok {
			return c, nil
		}
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		s.tags.set(name, nil, cid.Undef)
		return cid.Undef, fmt.Errorf("tag %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return cid.Undef, fmt.Errorf("tag %s: %w", name, err)
	}
	c, err := cid.Decode(strings.TrimSuffix(string(text), "\n"))
	if err != nil || checkCID(c) != nil {
		return cid.Undef, fmt.Errorf("%w: tag %s names %.80q", ErrCorrupt, name, text)
	}
	s.tags.set(name, file, c)
	return c, nil
}

// untagAll removes the tags of c. The caller holds the lock exclusively.
func (s *Store) untagAll(c cid.Cid) error {
	tags, err := s.Tags()
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	for name, named := range tags {
		if named.Equals(c) {
			if err := removeFile(s.tagPath(name)); err != nil {
				return err
			}
		}
	}
	return syncDir(filepath.Join(s.dir, "tags"))
}

package modstore

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ipfs/go-cid"
)

// usedEvery is how exact the time of the last use is: it is written at most so
// often.
const usedEvery = time.Hour

// uses is what this Store used since it was opened. It is a file too, below users,
// that is locked as long as the Store is open: so GC of another process knows what
// is in use, and that the user died. A CID is added under the store's lock, so
// that a GC sees it or is seen to have removed the module.
type uses struct {
	mu    sync.Mutex
	file  *os.File              // nil: nothing was used yet
	noted map[cid.Cid]time.Time // when the time was written
}

// Use says whether the module c was added, and not removed since, at the price of
// one look at the file system: what became of its blocks [Store.Has] and who reads
// them find out. If so it is in use from now on: a GC of another process leaves it
// until s is closed, and a GC of s while its InUse names it. The first Use in an hour
// waits for those that remove.
//
// What cannot be noted, as the disk is full, is used all the same.
func (s *Store) Use(c cid.Cid) bool {
	if s.open() != nil {
		return false
	}
	s.uses.mu.Lock()
	at, ok := s.uses.noted[c]
	s.uses.mu.Unlock()
	if ok && time.Since(at) < usedEvery {
		return s.recordedLately(c)
	}
	unlock, err := s.lock(context.Background(), false)
	if err != nil {
		return s.recorded(c)
	}
	defer unlock()
	if !s.recorded(c) {
		return false
	}
	s.use(c)
	return true
}

// recordedLately is as recorded, as of a moment ago.
func (s *Store) recordedLately(c cid.Cid) bool {
	key := c.KeyString()
	_, ok, since := s.looks.get(key)
	if ok {
		return true
	}
	if ok = s.recorded(c); ok {
		s.looks.put(key, c, since)
	}
	return ok
}

// use notes that c, which is recorded, is in use. The caller holds the lock.
func (s *Store) use(c cid.Cid) {
	u := &s.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.closed.Load() {
		return
	}
	if u.file == nil {
		f, err := s.newUser()
		if err != nil {
			return
		}
		u.file, u.noted = f, map[cid.Cid]time.Time{}
	}
	if _, ok := u.noted[c]; !ok {
		if _, err := u.file.WriteString(c.String() + "\n"); err != nil {
			return
		}
	}
	now := time.Now()
	u.noted[c] = now
	// The time of a record's file is that of the last use: it need not survive a
	// crash, and so costs no wait for the disk.
	_ = os.Chtimes(s.recordPath(c), now, now)
}

// newUser makes the file of this Store's uses. The caller holds the lock, as GC
// removes files that nobody has locked.
func (s *Store) newUser() (*os.File, error) {
	dir := filepath.Join(s.dir, "users")
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "")
	if err == nil {
		err = flockFile(f, syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil && f != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, err
	}
	return f, err
}

// end gives up all uses.
func (u *uses) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file != nil {
		_ = os.Remove(u.file.Name())
		_ = u.file.Close()
		u.file, u.noted = nil, nil
	}
}

// retain gives up all uses but those of what inUse returns, which it calls when
// every further Use waits. The caller holds the lock exclusively.
func (u *uses) retain(inUse func() map[cid.Cid]bool) (map[cid.Cid]bool, error) {
	u.mu.Lock()
	clear(u.noted)
	u.mu.Unlock()
	var live map[cid.Cid]bool
	if inUse != nil {
		live = inUse()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return live, nil
	}
	var text []byte
	for c := range live {
		text = append(text, c.String()+"\n"...)
	}
	_, err := u.file.Seek(0, io.SeekStart)
	if err == nil {
		err = u.file.Truncate(0)
	}
	if err == nil {
		_, err = u.file.Write(text)
	}
	return live, err
}

// name is the file of this Store's uses, "" if there is none.
func (u *uses) name() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return ""
	}
	return u.file.Name()
}

// usedByOthers returns what other open stores use, and removes the files of those
// that died. The caller holds the lock exclusively.
func (s *Store) usedByOthers() (map[cid.Cid]bool, error) {
	dir := filepath.Join(s.dir, "users")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	used := map[cid.Cid]bool{}
	own := s.uses.name()
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if path == own {
			continue
		}
		f, err := tryFlock(path, syscall.LOCK_EX)
		if err != nil {
			return nil, err
		}
		if f != nil {
			if err := errors.Join(removeFile(path), f.Close()); err != nil {
				return nil, err
			}
			continue
		}
		if f, err = os.Open(path); errors.Is(err, fs.ErrNotExist) {
			continue // closed just now
		} else if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if c, err := cid.Decode(lines.Text()); err == nil {
				used[c] = true
			}
		}
		_ = f.Close()
	}
	return used, nil
}

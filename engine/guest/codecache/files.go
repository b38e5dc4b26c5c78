package codecache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// files is the directory: the real one, or one in tests that fails.
type files interface {
	has(name string) bool
	// read returns a regular file of at most maxFile bytes.
	read(name string) ([]byte, error)
	// write replaces a file as a whole, or leaves it as it was.
	write(name string, parts ...[]byte) error
	remove(name string) error
	// used makes it the file last used.
	used(name string) error
	list() ([]fs.FileInfo, error)
	close() error
}

const (
	tempPrefix = "tmp-"
	// tempAge is how old an unfinished file is when nobody works on it any more.
	tempAge = time.Hour
)

// dir implements files. Names are resolved inside the directory as it was when
// it was opened.
type dir struct{ root *os.Root }

// openDir opens or makes a directory that is the user's alone. One that others
// may enter is closed to them; one that is not the user's is an error.
func openDir(path string) (*dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if err := ensurePrivate(root); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), root.Close())
	}
	return &dir{root}, nil
}

func ensurePrivate(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if !ours(info) {
		return errors.New("the directory is another user's")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return root.Chmod(".", 0o700)
	}
	return nil
}

func (d *dir) has(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}

func (d *dir) read(name string) ([]byte, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil // not one of ours
	}
	return d.root.ReadFile(name)
}

func (d *dir) remove(name string) error { return d.root.RemoveAll(name) }
func (d *dir) close() error             { return d.root.Close() }

func (d *dir) used(name string) error {
	now := time.Now()
	return d.root.Chtimes(name, now, now)
}

// write does not sync: a file that a crash has cut is found by its MAC.
func (d *dir) write(name string, parts ...[]byte) (err error) {
	temp := tempPrefix + rand.Text()
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.root.Remove(temp))
		}
	}()
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return d.root.Rename(temp, name)
}

func (d *dir) list() ([]fs.FileInfo, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdir(-1)
}

// readKey returns the key in a file, which it makes if there is none. Several
// processes that make it at once agree on one.
func readKey(path string) ([]byte, error) {
	for range 2 {
		b, err := os.ReadFile(path)
		if err == nil {
			return checkKey(path, b)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		key := make([]byte, keySize)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		temp := path + "." + rand.Text()
		if err := os.WriteFile(temp, key, 0o600); err != nil {
			return nil, errors.Join(err, os.Remove(temp))
		}
		// Unlike a rename, a link does not replace what another has made.
		err = os.Link(temp, path)
		if err := errors.Join(ignore(err, fs.ErrExist), os.Remove(temp)); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s comes and goes", path)
}

func checkKey(path string, b []byte) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !ours(info) || info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s may be known to others: remove it", path)
	case len(b) != keySize:
		return nil, fmt.Errorf("%s has %d bytes, not %d: remove it", path, len(b), keySize)
	}
	return b, nil
}

// ignore returns err unless it is the other.
func ignore(err, other error) error {
	if errors.Is(err, other) {
		return nil
	}
	return err
}

package modstore

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// syncDirs makes the names in several directories durable, some at a time.
func syncDirs(dirs map[string]bool) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelSyncs)
	errs := make([]error, len(dirs))
	for i, dir := range slices.Collect(maps.Keys(dirs)) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = syncDir(dir)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// syncFile makes the content of a file durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// makeDir makes a directory whose parent exists. Its name is durable only after
// a syncDir of the parent, which callers do for existing directories too: the
// process that made them may have been killed in between.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeTemp writes data to a new file in dir and makes its content durable. On
// an error nothing is left behind.
func writeTemp(dir, pattern string, data []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// replaceFile gives path the content data: durable when it returns nil, and at
// any moment either the old content or the new, also after a crash.
func replaceFile(tmp, path string, data []byte) error {
	name, err := writeTemp(tmp, "new-", data)
	if err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		_ = os.Remove(name)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// removeFile removes path, which may be gone already.
func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

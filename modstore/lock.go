//go:build unix

package modstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lock takes the store's advisory lock, shared or exclusive, against other
// goroutines and other processes alike, and returns what releases it. A process
// that dies releases its locks.
//
// Whoever wants it first queues on the file turn, and gives the turn up once it
// has the lock. So one that waits to be exclusive lets no further sharer pass,
// and a stream of adds cannot starve a removal: flock alone would.
func (s *Store) lock(ctx context.Context, exclusive bool) (unlock func(), err error) {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	turn, err := flock(ctx, filepath.Join(s.dir, "turn"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	f, err := flock(ctx, filepath.Join(s.dir, "lock"), how)
	_ = turn.Close()
	if err != nil {
		return nil, err
	}
	return func() {
		s.looks.forget() // what it was for is done
		_ = f.Close()
	}, nil
}

// flock opens path and locks it until the file is closed.
func flock(ctx context.Context, path string, how int) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := tryFlock(path, how)
	if f != nil || err != nil {
		return f, err
	}
	if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	// The system call cannot be interrupted by a context. When the context
	// ends first, the goroutine lives on until it gets its turn, and lets go.
	got := make(chan error, 1)
	go func() { got <- flockFile(f, how) }()
	select {
	case err := <-got:
		if err != nil {
			_ = f.Close()
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		return f, nil
	case <-ctx.Done():
		go func() {
			<-got
			_ = f.Close()
		}()
		return nil, ctx.Err()
	}
}

// tryFlock is flock without waiting: the file is nil when another holds it.
func tryFlock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = flockFile(f, how|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}

func flockFile(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

package modstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpen(t *testing.T) {
	t.Run("other directory", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "letter.txt") {
			t.Error(err)
		}
	})
	t.Run("other version", func(t *testing.T) {
		s := openTemp(t)
		if err := os.WriteFile(filepath.Join(s.dir, "FORMAT"), []byte("wnode module store 9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(s.dir); !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	})
	t.Run("creation cut off", func(t *testing.T) {
		s := openTemp(t)
		for _, name := range []string{"FORMAT", "roots", "tags"} {
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := Open(s.dir); err != nil {
			t.Error(err)
		} else {
			mustAdd(t, s, []byte("x"))
		}
	})
	t.Run("at once", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s, err := Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := s.Add(ctx, strings.NewReader(strings.Repeat("x", i%3))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("closed", func(t *testing.T) {
		s := openTemp(t)
		c := mustAdd(t, s, []byte("x"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bytes(ctx, c); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if s.Has(ctx, c) {
			t.Error("has, closed")
		}
	})
}

// TestLockContext: who waits for the lock gives up with its context, and does
// not keep others out afterwards.
func TestLockContext(t *testing.T) {
	s := openTemp(t)
	unlock, err := s.lock(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, err := s.lock(waiting, true)
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	unlock()
	unlock, err = s.lock(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func BenchmarkOpen(b *testing.B) {
	s := openTemp(b)
	mustAdd(b, s, pattern(3<<20, 1))
	for b.Loop() {
		if _, err := Open(s.dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	s := openTemp(b)
	data := pattern(2_600_000, 1)
	b.SetBytes(int64(len(data)))
	for i := 0; b.Loop(); i++ {
		for at := 0; at < len(data); at += chunkSize {
			data[at] = byte(i)
			data[at+1] = byte(i >> 8)
		}
		mustAdd(b, s, data)
	}
}

func BenchmarkAddAgain(b *testing.B) {
	s := openTemp(b)
	data := pattern(2_600_000, 1)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		mustAdd(b, s, data)
	}
}

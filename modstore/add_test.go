package modstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestAddReaders: what is added depends on the bytes alone, not on the pieces
// they come in.
func TestAddReaders(t *testing.T) {
	s := openTemp(t)
	for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 2*chunkSize + 7} {
		data := pattern(n, 4)
		want, _, err := CIDOf(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{
			"whole":             bytes.NewReader(data),
			"halves":            iotest.HalfReader(bytes.NewReader(data)),
			"end with the data": iotest.DataErrReader(bytes.NewReader(data)),
			"says too little":   says{bytes.NewReader(data), n / 2},
			"says too much":     says{bytes.NewReader(data), n + 2*chunkSize},
			"says nonsense":     says{bytes.NewReader(data), -1},
		} {
			if c, size, err := s.Add(ctx, r); c != want || size != uint64(n) || err != nil {
				t.Errorf("%d bytes, %s: %v, %d, %v; want %v", n, name, c, size, err, want)
			}
		}
		if got, err := s.Bytes(ctx, want); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %d come back, %v", n, len(got), err)
		}
	}
}

// says is a reader that is wrong about its length.
type says struct {
	io.Reader
	length int
}

func (s says) Len() int { return s.length }

func TestAddErrors(t *testing.T) {
	s := openTemp(t)
	large := &io.LimitedReader{R: zeros{}, N: MaxModule + 3}
	if _, _, err := s.Add(ctx, large); !errors.Is(err, ErrTooLarge) || large.N != 2 {
		t.Errorf("too large: %v, %d bytes unread", err, large.N)
	}
	// Also with the error that means the end to some.
	for _, broken := range []error{errors.New("broken"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 3, chunkSize, chunkSize + 3} {
			r := io.MultiReader(bytes.NewReader(pattern(n, 1)), failing{broken})
			if _, _, err := s.Add(ctx, r); !errors.Is(err, broken) {
				t.Errorf("reader that fails after %d bytes: %v", n, err)
			}
		}
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := s.Add(done, strings.NewReader("abc")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if n, err := s.Size(); n != 0 || err != nil {
		t.Errorf("stored %d bytes, %v", n, err)
	}
}

func TestAddAgainWritesNothing(t *testing.T) {
	s := openTemp(t)
	data := pattern(2<<20+1, 1)
	c := mustAdd(t, s, data)
	old := time.Unix(1e9, 0)
	for _, f := range blockFiles(t, s) {
		if err := os.Chtimes(f, old, old); err != nil {
			t.Fatal(err)
		}
	}
	list, _ := s.List(ctx)
	if again := mustAdd(t, s, data); again != c {
		t.Errorf("%v, then %v", c, again)
	}
	if _, err := importBytes(s, data); err != nil {
		t.Error(err)
	}
	for _, f := range blockFiles(t, s) {
		if info, err := os.Stat(f); err != nil || !info.ModTime().Equal(old) {
			t.Errorf("%s was written again: %v", f, err)
		}
	}
	if now, _ := s.List(ctx); len(now) != 1 || !now[0].Added.Equal(list[0].Added) {
		t.Errorf("added %v, then %v", list, now)
	}
}

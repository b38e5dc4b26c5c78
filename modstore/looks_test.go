package modstore

import (
	"bytes"
	"testing"

	"github.com/ipfs/go-cid"
)

// What this process changes is seen at once, however short ago it was looked at.
func TestLooks(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var ids [2]cid.Cid
	for i := range ids {
		if ids[i], _, err = s.Add(t.Context(), bytes.NewReader([]byte{'x', byte(i)})); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		id := ids[i%2]
		if err := s.Tag("t", id); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := s.Resolve("t"); err != nil || got != id {
				t.Fatalf("%d: the tag is %v, %v; want %v", i, got, err, id)
			}
		}
	}
	for range 2 {
		if !s.Use(ids[0]) {
			t.Fatal("not added")
		}
	}
	if err := s.Untag("t"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Resolve("t"); err == nil {
		t.Errorf("a tag that was removed is %v", got)
	}
	if err := s.Remove(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if s.Use(ids[0]) {
		t.Error("a module that was removed is there")
	}
}

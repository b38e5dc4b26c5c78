package hostfuncs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// list reads a directory with a buffer of a size, as libc does, and returns the
// names in their order.
func (x *proxy) list(fd uint64, size uint32) (names []string) {
	x.t.Helper()
	cookie := uint64(0)
	for {
		x.want(0, "fd_readdir", fd, 8192, uint64(size), cookie, 68)
		used := x.u32(68)
		data := []byte(x.bytes(8192, used))
		for {
			entry, next, ok := dirent(data)
			if !ok {
				break
			}
			names = append(names, string(entry[abi.SizeDirent:]))
			data, cookie = data[len(entry):], next
		}
		if used < size {
			return names
		}
	}
}

func TestReaddir(t *testing.T) {
	x, dir := newFiles(t)
	want := map[string]bool{".": true, "..": true}
	for i := range 1500 { // more than one piece
		name := fmt.Sprintf("file.%d", i)
		want[name] = true
		os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
	for _, size := range []uint32{64, 256, 4096, 50000} {
		seen := map[string]bool{}
		for _, name := range x.list(3, size) {
			if seen[name] || !want[name] {
				t.Fatalf("buffer of %d: unexpected %q", size, name)
			}
			seen[name] = true
		}
		if len(seen) != len(want) {
			t.Errorf("buffer of %d: %d entries, want %d", size, len(seen), len(want))
		}
	}
	x.want(abi.ENOTDIR, "fd_readdir", 1, 0, 100, 0, 68)
	x.want(abi.EFAULT, "fd_readdir", 3, 65000, 1000, 0, 68)
	x.want(0, "fd_readdir", 3, 8192, 256, 1<<63-1, 68)
	if x.u32(68) != 0 {
		t.Errorf("%d bytes behind the end", x.u32(68))
	}
}

// A cookie stays good while the directory changes, and 0 shows the change.
func TestReaddirCookies(t *testing.T) {
	x, dir := newFiles(t)
	for _, name := range []string{"a", "b", "c"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
	all := x.list(3, 4096)
	x.want(0, "fd_readdir", 3, 8192, 4096, 3, 68) // behind ".", ".." and one more
	os.Remove(filepath.Join(dir, all[2]))
	os.WriteFile(filepath.Join(dir, "d"), nil, 0o600)
	x.want(0, "fd_readdir", 3, 8192, 4096, 3, 68)
	if got := x.u32(68); got != 2*(abi.SizeDirent+1) {
		t.Errorf("%d bytes from the middle, want two entries", got)
	}
	if got := x.list(3, 4096); len(got) != 5 {
		t.Errorf("anew: %q", got)
	}
}

// Two directories that are read in turns do not mix.
func TestReaddirInTurns(t *testing.T) {
	x, dir := newFiles(t)
	for _, d := range []string{"a", "b"} {
		os.Mkdir(filepath.Join(dir, d), 0o700)
		for i := range 20 {
			os.WriteFile(filepath.Join(dir, d, fmt.Sprint(d, i)), nil, 0o600)
		}
	}
	fds := [2]uint64{x.open("a", abi.OpenDirectory, dirRights, 0), x.open("b", abi.OpenDirectory, dirRights, 0)}
	var cookies [2]uint64
	var seen [2][]string
	for range 22 { // ".", ".." and the files, one at a time
		for i, fd := range fds {
			x.want(0, "fd_readdir", fd, 8192, 64, cookies[i], 68)
			entry, next, ok := dirent([]byte(x.bytes(8192, x.u32(68))))
			if !ok {
				t.Fatalf("no entry at cookie %d of directory %d", cookies[i], i)
			}
			cookies[i] = next
			seen[i] = append(seen[i], string(entry[abi.SizeDirent:]))
		}
	}
	for i, d := range []string{"a", "b"} {
		for _, name := range seen[i] {
			if name[0] != '.' && name[:1] != d {
				t.Errorf("%q in directory %s", name, d)
			}
		}
		slices.Sort(seen[i])
		if n := len(slices.Compact(seen[i])); n != 22 {
			t.Errorf("%d entries in directory %s", n, d)
		}
	}
}

func TestReaddirOfAWrongLeader(t *testing.T) {
	x, _ := newFiles(t)
	for name, data := range map[string]string{
		"half an entry":     "0123456789",
		"a name not there":  string(make([]byte, 16)) + "\xff\xff\xff\xff\x04\x00\x00\x00",
		"a name cut by one": string(make([]byte, 16)) + "\x02\x00\x00\x00\x04\x00\x00\x00x",
	} {
		x.p.file = func(*engine.FileRequest) *engine.FileReply { return &engine.FileReply{Data: []byte(data)} }
		if got := x.call("fd_readdir", 3, 8192, 4096, 0, 68); got != abi.EIO {
			t.Errorf("%s: errno %d", name, got)
		}
	}
}

func FuzzDirent(f *testing.F) {
	f.Add([]byte("0123456789012345\x01\x00\x00\x00\x04\x00\x00\x00x"), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, cookie uint64) {
		entry, _, ok := dirent(data)
		if ok && (len(entry) < abi.SizeDirent || len(entry) > len(data)) {
			t.Errorf("entry of %d bytes out of %d", len(entry), len(data))
		}
		d := &descriptor{}
		p := dirPiece{of: d, data: data}
		if p.at(&descriptor{}, cookie) != nil {
			t.Error("entries of another directory")
		}
		if rest := p.at(d, cookie); len(rest) > len(data) {
			t.Errorf("%d bytes out of %d", len(rest), len(data))
		}
	})
}

package hostfuncs

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

const (
	creat = abi.OpenCreate
	read  = abi.RightFdRead | abi.RightFdSeek | abi.RightFdTell | abi.RightFdFilestatGet
	rw    = uint64(fileRights)
)

// newFiles runs the proxy module with an empty directory as descriptor 3.
func newFiles(t *testing.T) (x *proxy, dir string) {
	dir = t.TempDir()
	return newProxy(t, &engine.Spec{}, origin.Dir{Host: dir, Guest: "/data"}), dir
}

func TestPreopen(t *testing.T) {
	x, _ := newFiles(t)
	x.want(0, "fd_prestat_get", 3, 0)
	if x.u32(0) != 0 || x.u32(4) != 5 {
		t.Errorf("prestat %d %d", x.u32(0), x.u32(4))
	}
	x.want(0, "fd_prestat_dir_name", 3, 0, 5)
	if got := x.bytes(0, 5); got != "/data" {
		t.Errorf("name %q", got)
	}
	x.want(0, "fd_prestat_dir_name", 3, 0, 6)
	x.want(abi.ENAMETOOLONG, "fd_prestat_dir_name", 3, 0, 4)
	x.want(abi.EBADF, "fd_prestat_get", 4, 0)
	x.want(0, "fd_close", 3)
	x.want(abi.EBADF, "fd_prestat_get", 3, 0)
}

func TestReadWriteSeek(t *testing.T) {
	x, dir := newFiles(t)
	fd := x.open("f", creat, rw, 0)
	if fd != 4 {
		t.Errorf("descriptor %d, want the lowest free", fd)
	}
	x.write(fd, "0123456789")
	for _, c := range []struct {
		offset int64
		whence uint64
		want   uint64
		errno  abi.Errno
	}{
		{offset: -3, whence: abi.SeekCur, want: 7},
		{offset: 2, whence: abi.SeekSet, want: 2},
		{offset: -1, whence: abi.SeekEnd, want: 9},
		{offset: 0, whence: abi.SeekCur, want: 9},
		{offset: -10, whence: abi.SeekCur, errno: abi.EINVAL},
		{offset: math.MaxInt64, whence: abi.SeekCur, errno: abi.EINVAL},
		{offset: -1, whence: abi.SeekSet, errno: abi.EINVAL},
		{offset: 0, whence: 3, errno: abi.EINVAL},
		{offset: math.MaxInt64, whence: abi.SeekSet, want: math.MaxInt64},
		{offset: 1000, whence: abi.SeekSet, want: 1000},
	} {
		x.want(c.errno, "fd_seek", fd, uint64(c.offset), c.whence, 72)
		if c.errno == 0 && x.u64(72) != c.want {
			t.Errorf("seek %d %d to %d, want %d", c.offset, c.whence, x.u64(72), c.want)
		}
	}
	if got := x.read(fd, 10); got != "" {
		t.Errorf("read %q behind the end", got)
	}
	x.want(0, "fd_seek", fd, 8, abi.SeekSet, 72)
	if got := x.read(fd, 10); got != "89" {
		t.Errorf("read %q", got)
	}
	x.want(0, "fd_tell", fd, 72)
	if x.u64(72) != 10 {
		t.Errorf("offset %d", x.u64(72))
	}
	iov, n := x.iovs(4096, 3, 4200, 3)
	x.want(0, "fd_pread", fd, iov, n, 2, 68)
	if x.u32(68) != 6 || x.bytes(4096, 3)+x.bytes(4200, 3) != "234567" {
		t.Errorf("pread %d: %q %q", x.u32(68), x.bytes(4096, 3), x.bytes(4200, 3))
	}
	x.want(abi.EINVAL, "fd_pread", fd, iov, n, 1<<63, 68)
	x.want(0, "fd_pwrite", fd, iov, n, 20, 68)
	x.want(abi.EFBIG, "fd_pwrite", fd, iov, n, math.MaxInt64, 68)
	x.want(0, "fd_pread", fd, iov, n, math.MaxInt64, 68)
	if b, _ := os.ReadFile(filepath.Join(dir, "f")); string(b) != "0123456789"+strings.Repeat("\x00", 10)+"234567" {
		t.Errorf("file holds %q", b)
	}
}

func TestLargeTransfersAreWhole(t *testing.T) {
	x, dir := newFiles(t)
	fd := x.open("f", creat, rw, 0)
	mem, _ := x.mod.Memory().Read(8192, 50000)
	for i := range mem {
		mem[i] = byte(i * 7 / 3)
	}
	want := string(mem)
	iov, n := x.iovs(8192, 20000, 28192, 1, 28193, 29999)
	x.want(0, "fd_write", fd, iov, n, 68)
	if b, _ := os.ReadFile(filepath.Join(dir, "f")); x.u32(68) != 50000 || string(b) != want {
		t.Fatalf("wrote %d, file has %d bytes", x.u32(68), len(b))
	}
	clear(mem)
	x.want(0, "fd_seek", fd, 0, 0, 72)
	x.want(0, "fd_read", fd, iov, n, 68)
	if x.u32(68) != 50000 || string(mem) != want {
		t.Errorf("read %d bytes back, equal: %v", x.u32(68), string(mem) == want)
	}
	// One buffer many times over is more than a window of requests.
	x.iovs(8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000, 8192, 50000)
	x.want(0, "fd_write", fd, 512, 7, 68)
	x.want(0, "fd_seek", fd, 0, 0, 72)
	x.want(0, "fd_read", fd, 512, 7, 68)
	if x.u32(68) != 350000 || string(mem) != want {
		t.Errorf("read %d bytes back, equal: %v", x.u32(68), string(mem) == want)
	}
}

func TestAppend(t *testing.T) {
	x, dir := newFiles(t)
	os.WriteFile(filepath.Join(dir, "f"), []byte("abc"), 0o600)
	fd := x.open("f", 0, rw, uint64(abi.FdAppend))
	x.write(fd, "de")
	x.want(0, "fd_tell", fd, 72)
	if x.u64(72) != 5 {
		t.Errorf("offset %d after an append", x.u64(72))
	}
	x.want(0, "fd_seek", fd, 0, 0, 72)
	x.write(fd, "f")
	x.want(0, "fd_fdstat_set_flags", fd, 0)
	x.want(0, "fd_seek", fd, 0, 0, 72)
	x.write(fd, "X")
	x.want(abi.ENOTSUP, "fd_fdstat_set_flags", fd, uint64(abi.FdSync))
	x.want(abi.EINVAL, "fd_fdstat_set_flags", fd, 1<<5)
	if b, _ := os.ReadFile(filepath.Join(dir, "f")); string(b) != "Xbcdef" {
		t.Errorf("file holds %q", b)
	}
}

func TestRights(t *testing.T) {
	x, _ := newFiles(t)
	x.open("f", creat, rw, 0)
	r := x.open("f", 0, read, 0)
	x.want(0, "fd_fdstat_get", r, 0)
	if x.u64(8) != read || x.u32(0)&0xff != 4 {
		t.Errorf("rights %#x of type %d", x.u64(8), x.u32(0)&0xff)
	}
	iov, n := x.iovs(100, 1)
	x.want(abi.EBADF, "fd_write", r, iov, n, 68)
	x.want(abi.ENOTCAPABLE, "fd_filestat_set_size", r, 0)
	x.want(abi.ENOTCAPABLE, "fd_allocate", r, 0, 1)
	w := x.open("f", 0, abi.RightFdWrite, 0)
	x.want(abi.EBADF, "fd_read", w, iov, n, 68)
	x.want(abi.ENOTCAPABLE, "fd_seek", w, 0, abi.SeekCur, 72)
	// Dropped rights do not come back, here or in what is opened below.
	x.want(0, "fd_fdstat_set_rights", r, read&^abi.RightFdRead, read)
	x.want(abi.EBADF, "fd_read", r, iov, n, 68)
	x.want(abi.ENOTCAPABLE, "fd_fdstat_set_rights", r, read, read)
	x.want(0, "fd_fdstat_get", 3, 0)
	base, inheriting := x.u64(8), x.u64(16)
	x.want(0, "fd_fdstat_set_rights", 3, base&^abi.RightPathFilestatSetSize, inheriting&^abi.RightFdWrite)
	ptr, k := x.put(1024, "f")
	x.want(abi.ENOTCAPABLE, "path_open", 3, 0, ptr, k, abi.OpenTruncate, rw, 0, 0, 64)
	x.want(0, "fd_fdstat_get", x.open("f", 0, rw, 0), 0)
	if x.u64(8) != rw&^abi.RightFdWrite {
		t.Errorf("rights %#x of a file below a directory without the right to write", x.u64(8))
	}
}

func TestRenumber(t *testing.T) {
	x, dir := newFiles(t)
	a, b := x.open("a", creat, rw, 0), x.open("b", creat, rw, 0)
	x.want(0, "fd_renumber", a, a)
	x.want(abi.EBADF, "fd_renumber", a, 99)
	x.want(0, "fd_renumber", b, 1)
	x.want(abi.EBADF, "fd_close", b)
	x.write(1, "to b")
	if got, _ := os.ReadFile(filepath.Join(dir, "b")); string(got) != "to b" {
		t.Errorf("b holds %q", got)
	}
	x.want(0, "fd_renumber", a, 3)
	x.want(abi.EBADF, "fd_prestat_get", 3, 0)
	ptr, n := x.put(1024, "c")
	x.want(abi.ENOTDIR, "path_open", 3, 0, ptr, n, creat, 0, 0, 0, 64)
}

func TestFileStat(t *testing.T) {
	x, dir := newFiles(t)
	fd := x.open("f", creat, rw, 0)
	x.want(0, "fd_filestat_set_size", fd, 100)
	x.want(0, "fd_allocate", fd, 100, 50)
	x.want(abi.EINVAL, "fd_allocate", fd, 0, 0)
	x.want(abi.EFBIG, "fd_allocate", fd, math.MaxInt64, 1)
	x.want(abi.EINVAL, "fd_filestat_set_size", fd, 1<<63)
	x.want(abi.EINVAL, "fd_advise", fd, 0, 0, 6)
	x.want(0, "fd_advise", fd, 0, 0, 5)
	x.want(0, "fd_sync", fd)
	x.want(0, "fd_datasync", fd)
	x.want(0, "fd_filestat_set_times", fd, 1e9, 2e9+5, abi.TimeAtime|abi.TimeMtime)
	x.want(0, "fd_filestat_get", fd, 0)
	if x.u32(16)&0xff != 4 || x.u64(24) != 1 || x.u64(32) != 150 || x.u64(40) != 1e9 || x.u64(48) != 2e9+5 {
		t.Errorf("type %d nlink %d size %d atime %d mtime %d", x.u32(16)&0xff, x.u64(24), x.u64(32), x.u64(40), x.u64(48))
	}
	for _, flags := range []uint64{3, 12, 16} {
		x.want(abi.EINVAL, "fd_filestat_set_times", fd, 1, 1, flags)
	}
	x.want(abi.EINVAL, "fd_filestat_set_times", fd, 1<<63, 1, abi.TimeAtime)
	os.Symlink("f", filepath.Join(dir, "l"))
	ptr, n := x.put(1024, "l")
	x.want(0, "path_filestat_get", 3, 1, ptr, n, 0)
	if x.u32(16)&0xff != 4 || x.u64(32) != 150 {
		t.Errorf("followed: type %d size %d", x.u32(16)&0xff, x.u64(32))
	}
	x.want(0, "path_filestat_get", 3, 0, ptr, n, 0)
	if x.u32(16)&0xff != 7 {
		t.Errorf("not followed: type %d", x.u32(16)&0xff)
	}
	x.want(0, "path_filestat_set_times", 3, 0, ptr, n, 0, 7e9, abi.TimeMtime)
	x.want(0, "fd_filestat_get", fd, 0)
	if x.u64(48) != 2e9+5 {
		t.Errorf("the time of a link went to its file: %d", x.u64(48))
	}
	x.want(abi.EINVAL, "path_filestat_get", 3, 2, ptr, n, 0)
}

// A limit counts what is open, streams and mounts included, whatever number it
// has; what is above the node's own is the node's own.
func TestFilesLimit(t *testing.T) {
	for _, c := range []struct{ files, open int }{{5, 1}, {4, 0}, {1, 0}, {1 << 40, abi.MaxDescriptors - 4}} {
		spec := &engine.Spec{Limits: engine.Limits{Files: uint64(c.files)}}
		x := newProxy(t, spec, origin.Dir{Host: t.TempDir(), Guest: "/data"})
		x.p.file = func(*engine.FileRequest) *engine.FileReply { return &engine.FileReply{Stat: engine.FileAttr{Type: 4}} }
		ptr, n := x.put(1024, "f")
		for range c.open {
			x.want(0, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
		}
		x.want(abi.EMFILE, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
		x.want(0, "fd_close", 0)
		after := abi.Errno(0)
		if c.files < 4 { // more was open from the start than may be
			after = abi.EMFILE
		}
		x.want(after, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
		x.want(abi.EMFILE, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
	}
}

func TestDescriptorLimit(t *testing.T) {
	x, _ := newFiles(t)
	x.p.file = func(*engine.FileRequest) *engine.FileReply { return &engine.FileReply{Stat: engine.FileAttr{Type: 4}} }
	ptr, n := x.put(1024, "f")
	for range abi.MaxDescriptors - 4 {
		x.want(0, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
	}
	x.want(abi.EMFILE, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
	x.want(0, "fd_close", 500)
	x.want(0, "path_open", 3, 0, ptr, n, 0, 0, 0, 0, 64)
	if x.u32(64) != 500 {
		t.Errorf("descriptor %d, want the one that is free", x.u32(64))
	}
}

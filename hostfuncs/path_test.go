package hostfuncs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

func TestPaths(t *testing.T) {
	x, dir := newFiles(t)
	os.MkdirAll(filepath.Join(dir, "d/e"), 0o700)
	os.WriteFile(filepath.Join(dir, "d/f"), []byte("x"), 0o600)
	os.Symlink("f", filepath.Join(dir, "d/l"))
	os.Symlink("/etc", filepath.Join(dir, "abs"))
	os.Symlink("../..", filepath.Join(dir, "d/out"))
	os.Symlink("loop", filepath.Join(dir, "loop"))
	for _, c := range []struct {
		path   string
		follow uint64
		oflags uint64
		rights uint64
		want   abi.Errno
	}{
		{path: "d/f"}, {path: "./d//../d/./f"}, {path: "d/e/"}, {path: "."}, {path: "d/.."},
		{path: "d", oflags: abi.OpenDirectory},
		{path: "d/l", follow: 1},
		{path: "d/l/", want: abi.ENOTDIR},
		{path: "d/l", want: abi.ELOOP},
		{path: "", want: abi.ENOENT},
		{path: "none", want: abi.ENOENT},
		{path: "/d/f", want: abi.EPERM},
		{path: "d/../..", want: abi.EPERM},
		{path: "../x", oflags: creat, want: abi.EPERM},
		{path: "abs/passwd", want: abi.EPERM},
		{path: "abs", follow: 1, want: abi.EPERM},
		{path: "d/out/x", want: abi.EPERM},
		{path: "loop", follow: 1, want: abi.ELOOP},
		{path: "d/f/", want: abi.ENOTDIR}, {path: "d/f/x", want: abi.ENOTDIR},
		{path: "d/f", oflags: abi.OpenDirectory, want: abi.ENOTDIR},
		{path: "d/f", oflags: creat | abi.OpenExclusive, want: abi.EEXIST},
		{path: "d/n", oflags: creat | abi.OpenDirectory, want: abi.EINVAL},
		{path: "d/n/", oflags: creat, want: abi.EISDIR},
		{path: "d/f", oflags: 16, want: abi.EINVAL},
		{path: "d/f", follow: 2, want: abi.EINVAL},
		{path: "d", rights: rw, want: abi.EISDIR},
		{path: "d/f\x00", want: abi.EINVAL},
		{path: strings.Repeat("x", 4097), want: abi.ENAMETOOLONG},
		{path: strings.Repeat("x", 300), want: abi.ENAMETOOLONG},
	} {
		ptr, n := x.put(1024, c.path)
		if got := x.call("path_open", 3, c.follow, ptr, n, c.oflags, c.rights, 0, 0, 64); got != c.want {
			t.Errorf("path_open %.40q follow %d oflags %d = %d, want %d", c.path, c.follow, c.oflags, got, c.want)
		}
	}
	x.want(abi.EFAULT, "path_open", 3, 0, 1024, 1, 0, 0, 0, 0, 65533)
}

func TestPathOperations(t *testing.T) {
	x, dir := newFiles(t)
	one := func(want abi.Errno, name, path string) {
		t.Helper()
		ptr, n := x.put(1024, path)
		x.want(want, name, 3, ptr, n)
	}
	two := func(want abi.Errno, name, from, to string) {
		t.Helper()
		p, n := x.put(1024, from)
		q, m := x.put(3000, to)
		switch name {
		case "path_rename":
			x.want(want, name, 3, p, n, 3, q, m)
		case "path_link":
			x.want(want, name, 3, 0, p, n, 3, q, m)
		case "path_symlink":
			x.want(want, name, p, n, 3, q, m)
		}
	}
	one(0, "path_create_directory", "d/")
	one(abi.EEXIST, "path_create_directory", "d")
	one(abi.EPERM, "path_create_directory", "../x")
	x.want(0, "fd_close", x.open("f", creat, rw, 0))
	two(0, "path_rename", "f", "d/g")
	two(abi.ENOENT, "path_rename", "f", "g")
	one(0, "path_create_directory", "e")
	two(abi.EISDIR, "path_rename", "d/g", "d/../e")
	one(0, "path_remove_directory", "e")
	two(abi.ENOTDIR, "path_rename", "d/g", "x/")
	two(abi.EPERM, "path_rename", "d/g", "../x")
	two(0, "path_link", "d/g", "h")
	two(abi.EEXIST, "path_link", "d/g", "h")
	two(abi.EPERM, "path_link", "d", "i")
	x.want(abi.EINVAL, "path_link", 3, 1, 1024, 1, 3, 3000, 1)
	two(0, "path_symlink", "../h", "d/s")
	two(abi.EPERM, "path_symlink", "../../h", "d/t")
	two(abi.EPERM, "path_symlink", "/etc/passwd", "t")
	two(abi.EPERM, "path_symlink", "d/../../x", "t")
	two(abi.EPERM, "path_rename", "d/s", "s") // it would point outside
	p, n := x.put(1024, "d/s")
	x.want(0, "path_readlink", 3, p, n, 0, 2, 68)
	if x.u32(68) != 2 || x.bytes(0, 2) != ".." {
		t.Errorf("readlink cut to %q", x.bytes(0, x.u32(68)))
	}
	one(abi.ENOTEMPTY, "path_remove_directory", "d")
	one(abi.ENOTDIR, "path_remove_directory", "h")
	one(abi.EISDIR, "path_unlink_file", "d")
	for _, f := range []string{"d/s", "d/g", "h"} {
		one(0, "path_unlink_file", f)
	}
	one(0, "path_remove_directory", "d/")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestReadOnlyMount(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600)
	x := newProxy(t, &engine.Spec{}, origin.Dir{Host: dir, Guest: "/", ReadOnly: true})
	ptr, n := x.put(1024, "f")
	x.want(abi.EROFS, "path_open", 3, 0, ptr, n, 0, rw, 0, 0, 64)
	x.want(abi.EROFS, "path_open", 3, 0, ptr, n, abi.OpenTruncate, 0, 0, 0, 64)
	x.want(abi.EROFS, "path_unlink_file", 3, ptr, n)
	if got := x.read(x.open("f", 0, read, 0), 10); got != "x" {
		t.Errorf("read %q", got)
	}
}

package origin_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
)

// Error numbers of WASI that the tests expect.
const (
	ok          engine.Errno = 0
	badFile     engine.Errno = 8
	exists      engine.Errno = 20
	invalid     engine.Errno = 28
	isDir       engine.Errno = 31
	loop        engine.Errno = 32
	manyFiles   engine.Errno = 33
	noEntry     engine.Errno = 44
	notDir      engine.Errno = 54
	notEmpty    engine.Errno = 55
	notSupp     engine.Errno = 58
	notPermit   engine.Errno = 63
	readOnly    engine.Errno = 69
	fileRegular uint8        = 4
)

// client is a process that asks for files.
type client struct {
	t   testing.TB
	f   *origin.Files
	pid engine.PID
}

func newClient(t testing.TB, dirs ...origin.Dir) *client {
	t.Helper()
	f, err := origin.OpenDirs(dirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return &client{t, f, engine.PID{Counter: 1}}
}

func (c *client) do(req engine.FileRequest) *engine.FileReply {
	req.ID = 42
	r := c.f.Serve(c.pid, &req)
	if r.ID != 42 {
		c.t.Errorf("reply to %d", r.ID)
	}
	return r
}

// want carries out a request and checks the error number.
func (c *client) want(want engine.Errno, req engine.FileRequest) *engine.FileReply {
	c.t.Helper()
	r := c.do(req)
	if r.Errno != want {
		c.t.Errorf("op %d %q %q: errno %d, want %d", req.Op, req.Path, req.Path2, r.Errno, want)
	}
	return r
}

func (c *client) open(dir uint32, path string, flags uint32) uint32 {
	c.t.Helper()
	return c.want(ok, engine.FileRequest{Op: engine.FileOpen, Handle: dir, Path: path, Flags: flags}).Handle
}

func TestOpenDirsSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	for name, c := range map[string]struct {
		dirs []origin.Dir
		want string
	}{
		"not there":        {[]origin.Dir{{Host: dir, Guest: "/"}, {Host: dir + "/none", Guest: "/x"}}, "none"},
		"not a directory":  {[]origin.Dir{{Host: file, Guest: "/"}}, "not a directory"},
		"a relative guest": {[]origin.Dir{{Host: dir, Guest: "data"}}, "not absolute"},
		"one guest twice":  {[]origin.Dir{{Host: dir, Guest: "/a"}, {Host: dir, Guest: "/a/"}}, "two directories"},
	} {
		if f, err := origin.OpenDirs(c.dirs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func TestHandles(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	os.WriteFile(filepath.Join(a, "f"), []byte("text"), 0o600)
	c := newClient(t, origin.Dir{Host: a, Guest: "/a"}, origin.Dir{Host: b, Guest: "/b"})
	h := c.open(1, "f", engine.OpenRead)
	if h <= 2 {
		t.Errorf("handle %d is a mount's", h)
	}
	read := engine.FileRequest{Op: engine.FileRead, Handle: h, Size: 10, Offset: 1}
	if r := c.want(ok, read); string(r.Data) != "ext" {
		t.Errorf("read %q", r.Data)
	}
	other := *c
	other.pid.Counter = 2
	other.want(badFile, read)
	other.want(badFile, engine.FileRequest{Op: engine.FileStat, Handle: 3}) // beyond the mounts
	other.want(ok, engine.FileRequest{Op: engine.FileStat, Handle: 1})
	c.want(ok, engine.FileRequest{Op: engine.FileClose, Handle: h})
	c.want(badFile, read)
	c.want(badFile, engine.FileRequest{Op: engine.FileClose, Handle: h})
	if again := c.open(1, "f", engine.OpenRead); again == h {
		t.Error("a handle's number is used again")
	}
	c.want(ok, engine.FileRequest{Op: engine.FileClose, Handle: 1})
	c.want(badFile, engine.FileRequest{Op: engine.FileStat, Handle: 1})
	other.want(ok, engine.FileRequest{Op: engine.FileStat, Handle: 1})
	c.want(notSupp, engine.FileRequest{Op: 99, Handle: 2})
	c.want(isDir, engine.FileRequest{Op: engine.FileRead, Handle: 2})
	c.f.Release(c.pid)
	c.f.Close()
	other.want(badFile, engine.FileRequest{Op: engine.FileStat, Handle: 1})
}

func TestHandleLimit(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
	c := newClient(t, origin.Dir{Host: dir, Guest: "/"})
	for range 1023 {
		c.open(1, "f", engine.OpenRead)
	}
	c.want(manyFiles, engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: "f"})
	c.f.Release(c.pid)
	c.open(1, "f", engine.OpenRead)
}

func TestSizesAreBounded(t *testing.T) {
	c := newClient(t, origin.Dir{Host: t.TempDir(), Guest: "/"})
	h := c.open(1, "f", engine.OpenRead|engine.OpenWrite|engine.OpenCreate)
	c.want(invalid, engine.FileRequest{Op: engine.FileRead, Handle: h, Size: engine.MaxChunk + 1})
	c.want(invalid, engine.FileRequest{Op: engine.FileRead, Handle: h, Size: 1, Offset: 1 << 63})
	c.want(invalid, engine.FileRequest{Op: engine.FileWrite, Handle: h, Data: make([]byte, engine.MaxChunk+1)})
	c.want(invalid, engine.FileRequest{Op: engine.FileSetSize, Handle: h, Size: 1 << 63})
	c.want(invalid, engine.FileRequest{Op: engine.FileReadDir, Handle: 1, Size: engine.MaxChunk + 1})
	c.want(invalid, engine.FileRequest{Op: engine.FileReadDir, Handle: 1, Size: 10})
	c.want(22, engine.FileRequest{Op: engine.FileWrite, Handle: h, Offset: 1<<63 - 1, Data: []byte("x")})
	c.want(22, engine.FileRequest{Op: engine.FileAllocate, Handle: h, Offset: 1<<63 - 1, Size: 1})
	if r := c.want(ok, engine.FileRequest{Op: engine.FileRead, Handle: h, Size: 10, Offset: 1<<63 - 1}); len(r.Data) != 0 {
		t.Errorf("read %d bytes", len(r.Data))
	}
}

func TestReadOnlyRefusesEveryWrite(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o600)
	os.Mkdir(filepath.Join(dir, "d"), 0o700)
	rw := t.TempDir()
	c := newClient(t, origin.Dir{Host: dir, Guest: "/", ReadOnly: true}, origin.Dir{Host: rw, Guest: "/rw"})
	os.WriteFile(filepath.Join(rw, "g"), nil, 0o600)
	h := c.open(1, "f", engine.OpenRead)
	for _, req := range []engine.FileRequest{
		{Op: engine.FileOpen, Path: "f", Flags: engine.OpenWrite},
		{Op: engine.FileOpen, Path: "f", Flags: engine.OpenTruncate},
		{Op: engine.FileOpen, Path: "n", Flags: engine.OpenCreate},
		{Op: engine.FileWrite, Handle: h, Data: []byte("x")},
		{Op: engine.FileSetSize, Handle: h},
		{Op: engine.FileSetTimes, Handle: h, Flags: engine.SetAtimeNow},
		{Op: engine.FilePathSetTimes, Path: "f", Flags: engine.SetAtimeNow},
		{Op: engine.FileAllocate, Handle: h, Size: 1},
		{Op: engine.FileMkdir, Path: "n"},
		{Op: engine.FileRmdir, Path: "d"},
		{Op: engine.FileUnlink, Path: "f"},
		{Op: engine.FileRename, Path: "f", Handle2: 2, Path2: "n"},
		{Op: engine.FileRename, Handle: 2, Path: "g", Handle2: 1, Path2: "n"},
		{Op: engine.FileLink, Path: "f", Handle2: 1, Path2: "n"},
		{Op: engine.FileLink, Handle: 2, Path: "g", Handle2: 1, Path2: "n"},
		{Op: engine.FileSymlink, Path: "n", Path2: "f"},
	} {
		if req.Handle == 0 {
			req.Handle = 1
		}
		c.want(readOnly, req)
	}
	c.want(exists, engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: "f", Flags: engine.OpenCreate | engine.OpenExclusive})
	c.open(1, "f", engine.OpenCreate|engine.OpenRead)
	c.want(ok, engine.FileRequest{Op: engine.FileSync, Handle: h})
	if b, err := os.ReadFile(filepath.Join(dir, "f")); string(b) != "text" || err != nil {
		t.Errorf("the file holds %q, %v", b, err)
	}
}

// What could make a request wait for another program is refused.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Skip("no FIFO here: ", err)
	}
	c := newClient(t, origin.Dir{Host: dir, Guest: "/"})
	for _, flags := range []uint32{engine.OpenRead, engine.OpenWrite, engine.OpenRead | engine.OpenWrite | engine.OpenTruncate} {
		c.want(notPermit, engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: "fifo", Flags: flags})
	}
	c.want(ok, engine.FileRequest{Op: engine.FilePathStat, Handle: 1, Path: "fifo"})
	c.want(ok, engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "fifo"})
}

func TestAppendIsAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, origin.Dir{Host: dir, Guest: "/"})
	h := c.open(1, "f", engine.OpenWrite|engine.OpenCreate)
	os.WriteFile(filepath.Join(dir, "f"), []byte("from outside "), 0o600)
	c.want(ok, engine.FileRequest{Op: engine.FileWrite, Handle: h, Flags: engine.OpenAppend, Data: []byte("end")})
	if b, _ := os.ReadFile(filepath.Join(dir, "f")); string(b) != "from outside end" {
		t.Errorf("file holds %q", b)
	}
}

func TestReadDirPieces(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%02d", i)), nil, 0o600)
	}
	os.Symlink("file00", filepath.Join(dir, "link"))
	c := newClient(t, origin.Dir{Host: dir, Guest: "/"})
	types := map[string]byte{}
	for cookie, pieces := uint64(0), 0; ; pieces++ {
		r := c.want(ok, engine.FileRequest{Op: engine.FileReadDir, Handle: 1, Offset: cookie, Size: 200})
		if len(r.Data) == 0 {
			break
		}
		if len(r.Data) > 200 || pieces > 60 {
			t.Fatalf("piece %d of %d bytes", pieces, len(r.Data))
		}
		for d := r.Data; len(d) > 0; {
			n := binary.LittleEndian.Uint32(d[16:])
			cookie = binary.LittleEndian.Uint64(d)
			types[string(d[24:24+n])] = d[20]
			d = d[24+n:]
		}
	}
	if len(types) != 53 || types["."] != 3 || types[".."] != 3 || types["link"] != 7 || types["file07"] != fileRegular {
		t.Errorf("%d entries: %v", len(types), types)
	}
}

// Processes are served in parallel, each with its own handles.
func TestManyProcesses(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, origin.Dir{Host: dir, Guest: "/"})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := *c
			p.pid.Counter = uint64(i) + 10
			name := fmt.Sprint("f", i)
			want := bytes.Repeat([]byte{byte(i)}, 1000)
			for range 20 {
				h := p.open(1, name, engine.OpenCreate|engine.OpenRead|engine.OpenWrite)
				p.want(ok, engine.FileRequest{Op: engine.FileWrite, Handle: h, Data: want})
				if r := p.want(ok, engine.FileRequest{Op: engine.FileRead, Handle: h, Size: 1000}); !bytes.Equal(r.Data, want) {
					t.Errorf("process %d read another's bytes", i)
				}
				p.want(ok, engine.FileRequest{Op: engine.FileReadDir, Handle: 1, Size: 4096})
				p.want(ok, engine.FileRequest{Op: engine.FileClose, Handle: h})
			}
			p.f.Release(p.pid)
		})
	}
	wg.Wait()
}

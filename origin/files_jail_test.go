package origin_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
)

// jail is a served directory beside one with a secret.
func jail(t *testing.T) (c *client, inside, outside string) {
	base := t.TempDir()
	inside, outside = filepath.Join(base, "in"), filepath.Join(base, "out")
	for _, d := range []string{inside, outside, filepath.Join(inside, "d/e")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600)
	os.WriteFile(filepath.Join(inside, "d/f"), []byte("inside"), 0o600)
	return newClient(t, origin.Dir{Host: inside, Guest: "/"}), inside, outside
}

// untouched checks that nothing outside changed.
func untouched(t *testing.T, outside string) {
	t.Helper()
	list, err := os.ReadDir(outside)
	if err != nil || len(list) != 1 {
		t.Errorf("outside: %v, %v", list, err)
	}
	if b, err := os.ReadFile(filepath.Join(outside, "secret")); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}

func TestNoWayOut(t *testing.T) {
	c, inside, outside := jail(t)
	for link, target := range map[string]string{
		"abs": outside, "rel": "../out", "deep": "d/../../out", "d/up": "../../out",
		"file": "../out/secret", "chain": "rel", "root": "/", "made": "../out/made",
	} {
		if err := os.Symlink(target, filepath.Join(inside, link)); err != nil {
			t.Fatal(err)
		}
		// The same links below d, so that no path names something else there.
		below := strings.Replace(target, "../out", "../../out", 1)
		if err := os.Symlink(below, filepath.Join(inside, "d", link)); err != nil && link != "d/up" {
			t.Fatal(err)
		}
	}
	sub := c.open(1, "d", engine.OpenDirectory)
	paths := []string{
		"../out/secret", "d/../../out/secret", "/" + outside + "/secret", "abs/secret", "rel/secret", "deep/secret",
		"d/up/secret", "file", "chain/secret", "root/etc/passwd", "made", "d/e/../../../out/secret", "rel/", "abs/.", "rel/..", "..", "d/../..",
	}
	for _, p := range paths {
		for _, dir := range []uint32{1, sub} {
			for _, flags := range []uint32{0, engine.OpenRead, engine.OpenCreate | engine.OpenWrite, engine.OpenTruncate, engine.OpenDirectory} {
				for _, follow := range []uint32{0, engine.Follow} {
					r := c.do(engine.FileRequest{Op: engine.FileOpen, Handle: dir, Path: p, Flags: flags | follow})
					if r.Errno == 0 {
						t.Errorf("open %q below %d with flags %#x", p, dir, flags|follow)
					}
				}
			}
			if strings.HasSuffix(p, "secret") && !strings.Contains(p, "..") || p == "file" {
				if r := c.do(engine.FileRequest{Op: engine.FilePathStat, Handle: dir, Path: p, Flags: engine.Follow}); r.Errno == 0 {
					t.Errorf("stat %q below %d", p, dir)
				}
			}
			for _, op := range []engine.FileOp{engine.FileMkdir, engine.FileRmdir} {
				if r := c.do(engine.FileRequest{Op: op, Handle: dir, Path: p + "/x"}); r.Errno == 0 {
					t.Errorf("op %d %q below %d", op, p, dir)
				}
			}
			for _, q := range []string{p + "/x", "../x", "rel/x"} {
				for _, op := range []engine.FileOp{engine.FileRename, engine.FileLink} {
					if r := c.do(engine.FileRequest{Op: op, Handle: 1, Path: "d/f", Handle2: dir, Path2: q}); r.Errno == 0 {
						t.Errorf("op %d to %q below %d", op, q, dir)
					}
				}
				if r := c.do(engine.FileRequest{Op: engine.FileSymlink, Handle: dir, Path: q, Path2: "f"}); r.Errno == 0 {
					t.Errorf("symlink %q below %d", q, dir)
				}
			}
		}
	}
	untouched(t, outside)
}

func TestSymlinkTargets(t *testing.T) {
	c, inside, _ := jail(t)
	os.Symlink("d/e", filepath.Join(inside, "s"))
	os.Symlink("..", filepath.Join(inside, "d/back"))
	for _, s := range []struct {
		path, target string
		want         engine.Errno
	}{
		{"l1", "d/f", ok}, {"d/l2", "../d/f", ok}, {"d/e/l3", "../../x", ok}, {"l4", "not/there", ok}, {"l5", ".", ok}, {"l6", "./d//e", ok},
		{"x", "/d/f", notPermit}, {"x", "..", notPermit}, {"x", "../x", notPermit}, {"d/x", "../../x", notPermit},
		{"x", "d/../../x", notPermit}, {"x", "d/../f", notPermit}, {"x", "", noEntry}, {"x", "a\x00b", invalid},
		{"s/l7", "../../x", ok},         // it is made in d/e
		{"d/back/x", "../x", notPermit}, // it is made at the top
		{"d/f", "x", exists}, {"none/x", "y", noEntry}, {"x/", "y", noEntry}, {"d/", "y", exists}, {".", "y", exists},
	} {
		c.want(s.want, engine.FileRequest{Op: engine.FileSymlink, Handle: 1, Path: s.path, Path2: s.target})
	}
	// A link that is good where it is may not move to where it points outside.
	c.want(notPermit, engine.FileRequest{Op: engine.FileRename, Handle: 1, Path: "d/l2", Handle2: 1, Path2: "l2"})
	c.want(notPermit, engine.FileRequest{Op: engine.FileLink, Handle: 1, Path: "d/l2", Handle2: 1, Path2: "l2"})
	c.want(ok, engine.FileRequest{Op: engine.FileRename, Handle: 1, Path: "d/l2", Handle2: 1, Path2: "d/e/l2"})
	sub := c.open(1, "d/e", engine.OpenDirectory)
	c.want(ok, engine.FileRequest{Op: engine.FileSymlink, Handle: sub, Path: "l8", Path2: "../../x"})
	c.want(notPermit, engine.FileRequest{Op: engine.FileSymlink, Handle: sub, Path: "l9", Path2: "../../../x"})
	// But below a handle nothing leads above it.
	os.WriteFile(filepath.Join(inside, "x"), nil, 0o600)
	c.want(notPermit, engine.FileRequest{Op: engine.FileOpen, Handle: sub, Path: "l8", Flags: engine.Follow})
	c.open(1, "d/e/l8", engine.Follow)
}

func TestLinks(t *testing.T) {
	c, inside, _ := jail(t)
	for link, target := range map[string]string{"f": "d/f", "dir": "d", "loop": "loop", "none": "new", "a": "b", "b": "d/f"} {
		os.Symlink(target, filepath.Join(inside, link))
	}
	open := func(want engine.Errno, path string, flags uint32) {
		t.Helper()
		c.want(want, engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: path, Flags: flags})
	}
	open(ok, "f", engine.Follow)
	open(loop, "f", 0)
	open(ok, "a", engine.Follow)
	open(ok, "dir/f", 0)
	open(ok, "dir/", 0)
	open(loop, "dir", engine.OpenDirectory)
	open(ok, "dir", engine.OpenDirectory|engine.Follow)
	open(loop, "loop", engine.Follow)
	open(noEntry, "none", engine.Follow)
	open(exists, "none", engine.Follow|engine.OpenCreate|engine.OpenExclusive)
	open(ok, "none", engine.Follow|engine.OpenCreate)
	if _, err := os.Stat(filepath.Join(inside, "new")); err != nil {
		t.Errorf("creating through a link: %v", err)
	}
	c.want(notEmpty, engine.FileRequest{Op: engine.FileRmdir, Handle: 1, Path: "d"})
	c.want(notDir, engine.FileRequest{Op: engine.FileRmdir, Handle: 1, Path: "dir"})
	c.want(notDir, engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "dir/"})
	c.want(ok, engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "dir"})
}

// raceRounds is how many rounds of some 20 requests the race makes; WNODE_ROUNDS
// sets another.
func raceRounds(t *testing.T) int {
	s := os.Getenv("WNODE_ROUNDS")
	if s == "" && os.Getenv("WNODE_SOAK") != "" {
		return 100_000
	}
	if s == "" {
		return 2000
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRace has someone swap a directory for a link to outside, and a file for
// one to the secret, while requests run through both. Whatever they meet,
// nothing outside is read or changed.
func TestRace(t *testing.T) {
	c, inside, outside := jail(t)
	os.WriteFile(filepath.Join(inside, "d/secret"), []byte("decoy!"), 0o600)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		d, aside, f := filepath.Join(inside, "d"), filepath.Join(inside, "aside"), filepath.Join(inside, "f")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			os.Rename(d, aside)
			os.Symlink("../out", d)
			os.Remove(f)
			os.Symlink([]string{"../out/secret", outside + "/secret"}[i%2], f)
			os.Remove(d)
			os.Rename(aside, d)
			os.Remove(f)
			os.WriteFile(f, []byte("decoy!"), 0o600)
		}
	}()
	read := func(dir uint32, path string, flags uint32) {
		r := c.do(engine.FileRequest{Op: engine.FileOpen, Handle: dir, Path: path, Flags: flags | engine.OpenRead})
		if r.Errno != 0 {
			return
		}
		data := c.do(engine.FileRequest{Op: engine.FileRead, Handle: r.Handle, Size: 10}).Data
		if string(data) == "secret" {
			t.Errorf("read %q with flags %#x: the secret", path, flags)
		}
		c.do(engine.FileRequest{Op: engine.FileClose, Handle: r.Handle})
	}
	for i := range raceRounds(t) {
		follow := uint32(i%2) * engine.Follow
		read(1, "d/secret", follow)
		read(1, "f", follow)
		read(1, "d/../d/secret", follow)
		read(1, "d/e/../secret", follow)
		if r := c.do(engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: "d", Flags: follow | engine.OpenDirectory}); r.Errno == 0 {
			read(r.Handle, "secret", follow)
			c.do(engine.FileRequest{Op: engine.FileClose, Handle: r.Handle})
		}
		c.do(engine.FileRequest{Op: engine.FileMkdir, Handle: 1, Path: "d/new"})
		c.do(engine.FileRequest{Op: engine.FileRmdir, Handle: 1, Path: "d/new"})
		c.do(engine.FileRequest{Op: engine.FileSymlink, Handle: 1, Path: "d/link", Path2: "secret"})
		c.do(engine.FileRequest{Op: engine.FileLink, Handle: 1, Path: "d/secret", Handle2: 1, Path2: "d/hard"})
		read(1, "d/hard", 0)
		c.do(engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "d/hard"})
		c.do(engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "d/link"})
		if r := c.do(engine.FileRequest{Op: engine.FileOpen, Handle: 1, Path: "d/w", Flags: follow | engine.OpenCreate | engine.OpenWrite}); r.Errno == 0 {
			c.do(engine.FileRequest{Op: engine.FileClose, Handle: r.Handle})
		}
		c.do(engine.FileRequest{Op: engine.FileUnlink, Handle: 1, Path: "d/w"})
		c.do(engine.FileRequest{Op: engine.FilePathSetTimes, Handle: 1, Path: "f", Flags: follow | engine.SetMtime, Mtime: 1})
	}
	close(stop)
	<-stopped
	untouched(t, outside)
	if st, err := os.Stat(filepath.Join(outside, "secret")); err != nil || st.ModTime().UnixNano() == 1 {
		t.Errorf("the secret's time: %v, %v", st.ModTime(), err)
	}
}

// FuzzPaths checks that no path, whatever it is, reaches the secret or changes
// what is outside.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{"d/f", "../out/secret", "d/../../out/secret", "//", "d/./../", "l/../out", "\x00", "d/f/"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, path, path2 string) {
		c, _, outside := jail(t)
		for op := engine.FileOpen; op <= engine.FileReadlink; op++ {
			if op == engine.FileClose {
				continue
			}
			req := engine.FileRequest{Op: op, Handle: 1, Handle2: 1, Path: path, Path2: path2, Flags: engine.Follow, Size: 100}
			if r := c.do(req); op == engine.FileOpen && r.Errno == 0 {
				if string(c.do(engine.FileRequest{Op: engine.FileRead, Handle: r.Handle, Size: 10}).Data) == "secret" {
					t.Errorf("%q reads the secret", path)
				}
			}
		}
		untouched(t, outside)
	})
}

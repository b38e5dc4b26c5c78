package codecache

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A real full disk: a file system of 64 kB in a mount namespace.
func TestDiskFull(t *testing.T) {
	const env = "WNODE_TEST_FULL"
	mount := os.Getenv(env)
	if mount == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
		cmd.Env = append(os.Environ(), env+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		switch {
		case len(out) == 0 && err != nil:
			t.Skipf("no mount namespace here: %v", err)
		case err != nil:
			t.Errorf("%v: %s", err, out)
		case strings.Contains(string(out), "--- SKIP"):
			t.Skipf("%s", out)
		}
		return
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skipf("no private mounts: %v", err)
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	var log logged
	c := openTest(t, Config{Dir: filepath.Join(mount, "cache"), Log: log.logger()})
	small, large := strings.Repeat("s", 1000), strings.Repeat("l", 100_000)
	for i := range 3 {
		if code, hit := compile(t, c, "large", Key{1}, large); code != large || hit {
			t.Errorf("%d bytes, %v", len(code), hit)
		}
		if code, hit := compile(t, c, "small", Key{2}, small); code != small || hit != (i > 0) {
			t.Errorf("%d bytes, %v: what failed is still there", len(code), hit)
		}
	}
	if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "no space left on device") {
		t.Errorf("log: %q", lines)
	}
}

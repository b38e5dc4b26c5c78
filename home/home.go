package home

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Home is one user's state. Its methods are safe for concurrent use, also by
// several processes.
type Home struct {
	Dir string
	Run string // the run directory
}

// Open finds the home by the environment and makes it, mode 0700.
func Open(getenv func(string) string) (*Home, error) {
	h := &Home{}
	if dir := getenv("WNODE_HOME"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("WNODE_HOME: %w", err)
		}
		h.Dir, h.Run = abs, filepath.Join(abs, "run")
	} else {
		data := getenv("XDG_DATA_HOME")
		if data == "" {
			user := getenv("HOME")
			if user == "" {
				return nil, errors.New("no home: set WNODE_HOME or HOME")
			}
			data = filepath.Join(user, ".local", "share")
		}
		h.Dir = filepath.Join(data, "wnode")
		if run := getenv("XDG_RUNTIME_DIR"); run != "" {
			h.Run = filepath.Join(run, "wnode")
		} else {
			h.Run = filepath.Join(os.TempDir(), fmt.Sprintf("wnode-%d", os.Getuid()))
		}
	}
	for _, dir := range []string{h.Dir, h.Run} {
		if err := privateDir(dir); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// privateDir makes a directory that only the user can enter. One that is
// there already and is open to others, or theirs, is refused.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if !owned(info) {
		return fmt.Errorf("%s belongs to another user", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others: chmod 700 it", dir)
	}
	return nil
}

// ErrNoCookie is returned for a home that has none.
var ErrNoCookie = errors.New("no cookie")

// Cookie returns the text of the home's cookie, or ErrNoCookie.
func (h *Home) Cookie() (string, error) {
	text, err := ReadSecret(h.CookieFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoCookie
	}
	return text, err
}

// CookieFile returns where the cookie is.
func (h *Home) CookieFile() string { return filepath.Join(h.Dir, "cookie") }

// SetCookie replaces the cookie.
func (h *Home) SetCookie(text string) error {
	return WriteFile(h.CookieFile(), []byte(text+"\n"))
}

// CreateCookie writes a cookie and its cluster root key if the home has no
// cookie yet, and returns the one that is there in the end: two first starts at
// once agree.
func (h *Home) CreateCookie(text string, root ed25519.PrivateKey) (string, error) {
	unlock, err := lockWait(filepath.Join(h.Dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if old, err := h.Cookie(); !errors.Is(err, ErrNoCookie) {
		return old, err
	}
	if err := WriteFile(filepath.Join(h.Dir, "root.key"), keyText(root)); err != nil {
		return "", err
	}
	return text, h.SetCookie(text)
}

// ReadSecret returns the content of a secret file without surrounding space.
// One that others can read is refused.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it, and if it was exposed make a new one", path, info.Mode().Perm())
	}
	buf := make([]byte, 4096)
	n, err := f.Read(buf)
	if n == 0 {
		return "", fmt.Errorf("%s is empty (%w)", path, err)
	}
	return strings.TrimSpace(string(buf[:n])), nil
}

// UserKey returns the user's key and makes it on first use.
func (h *Home) UserKey() (ed25519.PrivateKey, error) {
	return h.key(filepath.Join(h.Dir, "user.key"))
}

// key reads a key file, or makes it.
func (h *Home) key(path string) (ed25519.PrivateKey, error) {
	text, err := ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		unlock, err := lockWait(filepath.Join(h.Dir, "lock"))
		if err != nil {
			return nil, err
		}
		defer unlock()
		if text, err = ReadSecret(path); errors.Is(err, fs.ErrNotExist) {
			_, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				return nil, err
			}
			return key, WriteFile(path, keyText(key))
		} else if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is not a key: want %d hex digits", path, 2*ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func keyText(k ed25519.PrivateKey) []byte {
	return append(hex.AppendEncode(nil, k.Seed()), '\n')
}

// CLI returns the directories that commands use for modules and compiled code.
func (h *Home) CLI() (modules, cache string) {
	return filepath.Join(h.Dir, "cli", "modules"), filepath.Join(h.Dir, "cli", "cache")
}

// Builds returns the directory for what commands build of source.
func (h *Home) Builds() string { return filepath.Join(h.Dir, "cli", "build") }

// WriteFile replaces a file, mode 0600, so that after a crash it has its old
// content or all of the new.
func WriteFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

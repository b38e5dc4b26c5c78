package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// compiler is a toolchain without a cache of its own, ready to build one source.
type compiler struct {
	tool    string // its path
	name    string // as "clang 14.0.6"
	version string // all it says of itself
	args    []string
	// output returns the arguments that say where the module goes, and the list of what went into it.
	output func(module, list string) []string
	// inputs reads which files went into a build, by the list.
	inputs func(list string) ([]string, error)
	// lacking, if not nil, returns what is missing if that is why it failed.
	lacking func(ctx context.Context) error
}

// kept bounds how many files the cache has: those used last.
const kept = 200

// margin is what a file's time may lag behind the clock: a tick of the kernel, and a
// generous one.
const margin = 20 * time.Millisecond

// hash is of texts, each with its length.
func hash(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(t))))
		h.Write([]byte(t))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// compile runs a compiler, unless what it would make is there. Which files count is known from
// the build before: as long as none of them has changed, no other can have begun to.
func (o *Options) compile(ctx context.Context, s source, c *compiler) (Result, error) {
	base := c.base(s)
	if inputs := o.listed(s, c); inputs != nil {
		if key, err := contentKey(base, inputs); err == nil {
			module, now := filepath.Join(o.Dir, key+".wasm"), time.Now()
			if os.Chtimes(module, now, now) == nil {
				return Result{Module: module, Cached: true}, os.Chtimes(o.listName(s, c), now, now)
			}
		}
	}
	temp, err := os.MkdirTemp(o.temp(), "build")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(temp)
	module, list := filepath.Join(temp, "out.wasm"), filepath.Join(temp, "list")
	o.starting(c.name)
	begin := time.Now().Add(-margin)
	if err := o.run(ctx, s, exec.CommandContext(ctx, c.tool, append(slices.Clone(c.args), c.output(module, list)...)...)); err != nil {
		if errors.Is(err, ErrFailed) && c.lacking != nil {
			err = errors.Join(err, c.lacking(ctx))
		}
		return Result{}, err
	}
	inputs, err := c.inputs(list)
	if err != nil {
		return Result{}, err
	}
	key, err := contentKey(base, inputs)
	if err != nil || anyNewer(inputs, begin) {
		// Something was edited meanwhile: nobody knows what this was made of.
		r := Result{Module: filepath.Join(o.Dir, hash(base...)+".wasm")}
		return r, os.Rename(module, r.Module)
	}
	r := Result{Module: filepath.Join(o.Dir, key+".wasm")}
	listed := filepath.Join(temp, "inputs")
	return r, errors.Join(
		os.WriteFile(listed, []byte(strings.Join(inputs, "\n")), 0o600),
		os.Rename(module, r.Module), os.Rename(listed, o.listName(s, c)), o.trim())
}

// base is what a module depends on beside files.
func (c *compiler) base(s source) []string {
	return append(slices.Clone(c.args), c.tool, c.version, s.full())
}

// listName is where the list is of the files that went into the last build.
func (o *Options) listName(s source, c *compiler) string {
	return filepath.Join(o.Dir, hash(c.base(s)...)+".inputs")
}

// listed returns that list, or nil.
func (o *Options) listed(s source, c *compiler) []string {
	b, err := os.ReadFile(o.listName(s, c))
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

// contentKey is of a compiler, its flags, and the files it reads.
func contentKey(base, inputs []string) (string, error) {
	texts := slices.Clone(base)
	for _, path := range inputs {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(b)
		texts = append(texts, path, string(sum[:]))
	}
	return hash(texts...), nil
}

// anyNewer reports whether a file was written since a time, or is gone.
func anyNewer(paths []string, t time.Time) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.ModTime().After(t)
	})
}

// trim removes what was not used for longest, and what builds that were killed left.
func (o *Options) trim() error {
	type file struct {
		path string
		used time.Time
	}
	var files []file
	for _, dir := range []string{o.Dir, o.temp()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			info, err := e.Info()
			switch path := filepath.Join(dir, e.Name()); {
			case errors.Is(err, fs.ErrNotExist): // another process is as tidy
			case err != nil:
				return err
			case dir == o.Dir && !e.IsDir():
				files = append(files, file{path, info.ModTime()})
			case dir != o.Dir && time.Since(info.ModTime()) > 24*time.Hour:
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
		}
	}
	if len(files) <= kept {
		return nil
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range files[:len(files)-kept] {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readMake reads which files a rule for make names, behind the first colon, as compilers
// write it: a space in a name has a backslash before it, as has the end of a line. The
// paths are made absolute from dir.
func readMake(list, dir string) ([]string, error) {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	b = bytes.ReplaceAll(b, []byte("\\\n"), []byte(" "))
	rule, _, _ := bytes.Cut(b, []byte("\n"))
	_, rule, _ = bytes.Cut(rule, []byte(": "))
	var paths []string
	name := []byte{}
	for i := 0; i <= len(rule); i++ {
		switch {
		case i < len(rule)-1 && rule[i] == '\\' && rule[i+1] == ' ':
			i++
			name = append(name, ' ')
		case i < len(rule) && rule[i] != ' ':
			name = append(name, rule[i])
		case len(name) > 0:
			path := string(name)
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			paths, name = append(paths, path), name[:0]
		}
	}
	return unique(paths), nil
}

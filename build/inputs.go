package build

import (
	"context"
	"path/filepath"
	"strings"
)

// Inputs are what a build reads, for who waits for a change.
type Inputs struct {
	Files []string // absolute; they need not be there
	Dirs  []string // any file directly in them
	// Written says that the build itself may write in Dirs: what changes while it runs is no news.
	Written bool
}

// Has reports whether a file is among them. Editors' own files are not, nor are modules.
func (in *Inputs) Has(path string) bool {
	for _, f := range in.Files {
		if f == path {
			return true
		}
	}
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".wasm") {
		return false
	}
	for _, d := range in.Dirs {
		if d == filepath.Dir(path) {
			return true
		}
	}
	return false
}

// ReadInputs finds out what a build of the source at path would read. What a compiler alone can tell is known
// once it was built with the same options; before that, and always, the directory of the source counts.
func ReadInputs(ctx context.Context, path string, o Options) (in Inputs, err error) {
	s, err := find(path)
	if err != nil {
		return in, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return in, err
	}
	switch s.lang {
	case golang:
		in, err = goInputs(ctx, s, o.temp())
	case command:
		in, err = commandInputs(s)
	default:
		var c *compiler
		if c, err = o.compiler(ctx, s); err == nil {
			in.Files = o.listed(s, c)
		}
	}
	in.Dirs = unique(append(in.Dirs, s.dir))
	in.Files = unique(in.Files)
	return in, err
}

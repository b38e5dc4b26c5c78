package build

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// config is what a wnode.toml says.
type config struct {
	Build  string `toml:"build"`  // for sh
	Output string `toml:"output"` // the module, below the directory
}

func (s source) config() (c config, err error) {
	name := filepath.Join(s.path, configFile)
	f, err := os.Open(filepath.Join(s.dir, configFile))
	if err != nil {
		return c, err
	}
	defer f.Close()
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(&c)
	var strict *toml.StrictMissingError
	var at *toml.DecodeError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, column := strict.Errors[0].Position()
		return c, errorf(ErrNoSource, "%s:%d:%d: unknown key %q: there are build and output", name, row, column, strings.Join(strict.Errors[0].Key(), "."))
	case errors.As(err, &at):
		row, column := at.Position()
		return c, errorf(ErrNoSource, "%s:%d:%d: %v", name, row, column, at)
	case err != nil:
		return c, err
	case c.Build == "" || c.Output == "":
		return c, errorf(ErrNoSource, "%s: want build = \"COMMAND\" and output = \"FILE.wasm\"", name)
	}
	return c, nil
}

// buildCommand runs a build line. What need not be done again is for the line to know.
func (o *Options) buildCommand(ctx context.Context, s source) (Result, error) {
	c, err := s.config()
	if err != nil {
		return Result{}, err
	}
	if !filepath.IsLocal(c.Output) {
		return Result{}, errorf(ErrNoSource, "%s: output %q is not below it", filepath.Join(s.path, configFile), c.Output)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		return Result{}, errorf(ErrNoToolchain, "%s needs sh, for %q, and there is none", s.path, c.Build)
	}
	r := Result{Module: filepath.Join(s.dir, c.Output)}
	before, _ := os.Stat(r.Module)
	o.starting(c.Build)
	if err := o.run(ctx, s, exec.CommandContext(ctx, sh, "-c", c.Build)); err != nil {
		return Result{}, err
	}
	after, err := os.Stat(r.Module)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, errorf(ErrFailed, "%s: %q made no %s", s.path, c.Build, c.Output)
	} else if err != nil {
		return Result{}, err
	}
	r.Cached = before != nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime())
	return r, nil
}

// commandInputs is all there is but what begins with a dot, what packagers put there, and the output.
func commandInputs(s source) (in Inputs, err error) {
	in.Written = true
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case path != s.dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "target"):
			return fs.SkipDir
		}
		in.Dirs = append(in.Dirs, path)
		return nil
	})
	return in, err
}

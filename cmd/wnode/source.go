package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/wnode-project/wnode/build"
)

// moduleName is what a process of a file's module is called.
func moduleName(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		path = full // . has a name too
	}
	return filepath.Base(path)
}

// built returns the module that a path means: itself, or what is built of the source there.
func (a *app) built(ctx context.Context, path string) (string, error) {
	if !build.IsSource(path) {
		return path, nil
	}
	r, err := build.Build(ctx, path, a.buildOptions(path))
	return r.Module, buildFailure(path, err)
}

// buildOptions says on a terminal what takes so long.
func (a *app) buildOptions(path string) build.Options {
	o := build.Options{Dir: a.home.Builds(), Stderr: a.err}
	if f, ok := a.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		o.Starting = func(tool string) { a.note("building %s with %s", clean(path), clean(tool)) }
	}
	return o
}

// buildFailure gives an error of build its word and codes.
func buildFailure(path string, err error) error {
	var pe *fs.PathError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist):
		return notFoundf("no_such_file", "%s: %w", path, pe.Err)
	case errors.Is(err, build.ErrNoSource):
		return invalidf("nothing_to_build", "%w", err)
	case errors.Is(err, build.ErrNoToolchain):
		return &failure{"no_compiler", exitOwn, exitFailed, err}
	case errors.Is(err, build.ErrFailed):
		return &failure{"build_failed", exitOwn, exitFailed, err}
	}
	return err
}

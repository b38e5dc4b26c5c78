package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/build"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// isPath reports whether MODULE names a file: it begins as a path or ends as
// source or module does. Anything else is a CID, a prefix of one, or a tag.
func isPath(module string) bool {
	if module == "." || module == ".." || strings.HasPrefix(module, "./") || strings.HasPrefix(module, "../") || filepath.IsAbs(module) {
		return true
	}
	switch filepath.Ext(module) {
	case ".wasm", ".go", ".c", ".rs", ".ts":
		return true
	}
	return false
}

// resolve finds MODULE at the origin, and leaves a name that is not known here
// to the target.
func (a *app) resolve(ctx context.Context, n *wnode.Node, module string, memory uint64, remote bool) (engine.Module, error) {
	if isPath(module) {
		id, bytes, err := a.importFile(ctx, n, module, memory)
		return engine.Module{CID: id, Size: bytes, Name: moduleName(module)}, err
	}
	id, err := n.Store.Resolve(module)
	switch {
	case err == nil:
		return engine.Module{CID: id, Name: module}, nil
	case remote && errors.Is(err, modstore.ErrNotFound):
		return engine.Module{Name: module}, nil
	case errors.Is(err, modstore.ErrNotFound):
		hint := ""
		if _, statErr := os.Stat(module); statErr == nil {
			hint = fmt.Sprintf(" (there is a file of that name: ./%s)", clean(module))
		}
		return engine.Module{}, notFoundf("module_not_found", "no module %q in your store%s: give a path such as ./%s.wasm, or --on a node that has it", clean(module), hint, clean(module))
	}
	return engine.Module{}, &failure{"badarg", exitNotFound, exitNoObject, err}
}

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

package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	gobuild "go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	goDownload = "https://go.dev/dl/"
	goOldest   = 24 // 1.24 has //go:wasmexport
	serverPath = "github.com/wnode-project/wnode/sdk/go/server"
)

// goFlags leave out what differs from one machine and commit to another, so that
// the same source is the same module everywhere, and what only a debugger reads.
var goFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-w"}

func goEnv(temp string) []string {
	return append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOTMPDIR="+temp)
}

func findGo(s source) (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", errorf(ErrNoToolchain, "%s needs Go 1.%d or later, and there is none: %s", s.path, goOldest, goDownload)
	}
	return path, nil
}

// what is what go build is told to build, in the directory of the source.
func (s source) what() string {
	if s.file != "" {
		return s.file
	}
	return "."
}

func (o *Options) buildGo(ctx context.Context, s source) (Result, error) {
	library, err := s.goLibrary()
	if err != nil {
		return Result{}, err
	}
	goTool, err := findGo(s)
	if err != nil {
		return Result{}, err
	}
	if o.Starting != nil {
		v, err := version(ctx, goTool, "version")
		if err != nil {
			return Result{}, err
		}
		o.starting(tool("go", v))
	}
	args := append([]string{"build"}, goFlags...)
	if library {
		args = append(args, "-buildmode=c-shared")
	}
	module := filepath.Join(o.Dir, hash(append(args, s.full())...)+".wasm")
	before, _ := os.Stat(module)
	c := exec.CommandContext(ctx, goTool, append(args, "-o", module, s.what())...)
	c.Env = goEnv(o.temp())
	if err := o.run(ctx, s, c); err != nil {
		if errors.Is(err, ErrFailed) {
			err = errors.Join(err, tooOld(ctx, s, goTool))
		}
		return Result{}, err
	}
	after, err := os.Stat(module)
	if err != nil {
		return Result{}, err
	}
	// What is up to date is touched; what is not is replaced.
	r := Result{Module: module, Cached: before != nil && os.SameFile(before, after)}
	if !r.Cached {
		err = o.trim()
	}
	return r, err
}

// tooOld returns an error if that is what is wrong with Go.
func tooOld(ctx context.Context, s source, goTool string) error {
	v, err := version(ctx, goTool, "version")
	if err != nil {
		return err
	}
	parts := strings.Split(number.FindString(v), ".")
	if len(parts) < 2 || parts[0] != "1" {
		return nil
	}
	if minor, err := strconv.Atoi(parts[1]); err != nil || minor >= goOldest {
		return nil
	}
	return errorf(ErrNoToolchain, "%s needs Go 1.%d or later, and %s is %s: %s", s.path, goOldest, goTool, number.FindString(v), goDownload)
}

// goLibrary reports whether a package is to be built as a library. What cannot be read
// as Go is left to the compiler, which says it better.
func (s source) goLibrary() (bool, error) {
	files := []string{s.file}
	if s.file == "" {
		c := gobuild.Default
		c.GOOS, c.GOARCH, c.CgoEnabled = "wasip1", "wasm", false
		p, err := c.ImportDir(s.dir, 0)
		if err != nil {
			return false, nil
		}
		if p.Name != "main" {
			return false, errorf(ErrNoSource, "%s: nothing to build: it is package %s, and a module is made of a package main", s.path, p.Name)
		}
		files = p.GoFiles
	}
	exports, idle := false, false
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(s.dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return false, nil
		}
		for _, im := range f.Imports {
			if im.Path.Value == strconv.Quote(serverPath) {
				return true, nil
			}
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			idle = idle || fn.Name.Name == "main" && fn.Body != nil && len(fn.Body.List) == 0
			exports = exports || fn.Doc != nil && slices.ContainsFunc(fn.Doc.List, func(c *ast.Comment) bool {
				return strings.HasPrefix(c.Text, "//go:wasmexport ")
			})
		}
	}
	return exports && idle, nil
}

// goInputs lists what a package is made of, but what no edit reaches: the standard library, and
// modules of others.
func goInputs(ctx context.Context, s source, temp string) (in Inputs, err error) {
	goTool, err := findGo(s)
	if err != nil {
		return in, err
	}
	c := exec.CommandContext(ctx, goTool, "list", "-e", "-deps", "-json=Dir,Standard,EmbedFiles,Module", s.what())
	c.Dir, c.Env = s.dir, goEnv(temp)
	out, err := c.Output()
	if err != nil {
		return in, fmt.Errorf("go list: %w", err)
	}
	type module struct {
		Version, GoMod string
		Replace        *module
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			Dir        string
			Standard   bool
			EmbedFiles []string
			Module     *module
		}
		if err := d.Decode(&p); err != nil {
			return in, fmt.Errorf("go list: %w", err)
		}
		m := p.Module
		if m != nil && m.Replace != nil {
			m = m.Replace
		}
		if p.Standard || p.Dir == "" || m != nil && m.Version != "" {
			continue
		}
		in.Dirs = append(in.Dirs, p.Dir)
		for _, f := range p.EmbedFiles {
			in.Files = append(in.Files, filepath.Join(p.Dir, f))
		}
		if m != nil && m.GoMod != "" {
			in.Files = append(in.Files, m.GoMod, strings.TrimSuffix(m.GoMod, "mod")+"sum")
		}
	}
	if dir, ok := above(s.dir, "go.work"); ok {
		in.Files = append(in.Files, filepath.Join(dir, "go.work"))
	}
	return in, nil
}

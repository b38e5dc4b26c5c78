package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Options say how to build. The zero value lacks Dir.
type Options struct {
	// Dir is where modules and what is known of them are kept. Several builds may use it at
	// once, also of other processes.
	Dir string
	// Stderr gets what compilers write, as they write it; nil drops it.
	Stderr io.Writer
	// Starting, if not nil, is told of a compiler that is about to run, as "go 1.26.1".
	// To find out takes a few milliseconds.
	Starting func(tool string)
}

// Result is a module that was built.
type Result struct {
	Module   string        // the path of the file. A later build of the same source may replace it, whole
	Duration time.Duration // of everything
	Cached   bool          // it was there before, made of the same
}

var (
	// ErrNoSource is of a path that holds nothing that can be built.
	ErrNoSource = errors.New("nothing to build")
	// ErrNoToolchain says what to install.
	ErrNoToolchain = errors.New("no compiler")
	// ErrFailed is of a compiler that failed; it told Stderr why.
	ErrFailed = errors.New("the build failed")
)

// worded is an error that reads as its text alone and is what kind is.
type worded struct {
	kind error
	text string
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.kind }

func errorf(kind error, format string, args ...any) error {
	return &worded{kind, fmt.Sprintf(format, args...)}
}

// Build makes a module of the source at path. Beside the errors above it returns those of
// the file system, and the context's, which ends the compiler.
func Build(ctx context.Context, path string, o Options) (Result, error) {
	begin := time.Now()
	s, err := find(path)
	if err != nil {
		return Result{}, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return Result{}, err
	}
	if err := os.MkdirAll(o.temp(), 0o700); err != nil {
		return Result{}, err
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	var r Result
	switch s.lang {
	case golang:
		r, err = o.buildGo(ctx, s)
	case command:
		r, err = o.buildCommand(ctx, s)
	default:
		var c *compiler
		if c, err = o.compiler(ctx, s); err == nil {
			r, err = o.compile(ctx, s, c)
		}
	}
	r.Duration = time.Since(begin)
	return r, err
}

// temp is where compilers put what they need meanwhile: on one file system with Dir, so
// that a module comes to its place whole, by a rename.
func (o *Options) temp() string { return filepath.Join(o.Dir, "tmp") }

// run runs a compiler. The context's end interrupts it, so that it can end its own children.
func (o *Options) run(ctx context.Context, s source, c *exec.Cmd) error {
	c.Dir, c.Stdout, c.Stderr = s.dir, o.Stderr, o.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 2 * time.Second
	err := c.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errorf(ErrFailed, "%s: building it failed: %s: %v", s.path, filepath.Base(c.Path), err)
	}
	return err
}

// starting tells who wants to know which compiler runs.
func (o *Options) starting(tool string) {
	if o.Starting != nil {
		o.Starting(tool)
	}
}

// version asks a compiler for its version: the first line it prints.
func version(ctx context.Context, tool, flag string) (string, error) {
	out, err := exec.CommandContext(ctx, tool, flag).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", tool, flag, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// tool names a compiler by the number in its version.
func tool(name, version string) string {
	return strings.TrimSpace(name + " " + number.FindString(version))
}

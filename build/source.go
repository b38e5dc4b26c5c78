package build

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type language string

const (
	golang         language = "Go"
	clang          language = "C"
	rust           language = "Rust"
	assemblyscript language = "AssemblyScript"
	command        language = "command" // of a wnode.toml
)

// configFile makes a directory something that a command builds.
const configFile = "wnode.toml"

var languages = map[string]language{".go": golang, ".c": clang, ".rs": rust, ".ts": assemblyscript}

// source is what a path turned out to be.
type source struct {
	path string // as it was named, for messages
	lang language
	dir  string // absolute
	file string // in dir; "" for a Go package and for a command
}

// full returns the absolute path.
func (s source) full() string { return filepath.Join(s.dir, s.file) }

// IsSource reports whether a path is something for Build and not a module: a directory, or a file whose
// name ends as source does. Whether it is there does not matter.
func IsSource(path string) bool {
	if _, ok := languages[filepath.Ext(path)]; ok {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// find looks at what is there.
func find(path string) (source, error) {
	s := source{path: path}
	full, err := filepath.Abs(path)
	if err != nil {
		return s, err
	}
	info, err := os.Stat(full)
	if err != nil {
		return s, err
	}
	if !info.IsDir() {
		s.dir, s.file = filepath.Split(full)
		s.dir = filepath.Clean(s.dir)
		lang, ok := languages[filepath.Ext(path)]
		if !ok {
			return s, errorf(ErrNoSource, "%s: nothing to build: want a directory, or a name that ends in .go, .c, .rs or .ts", path)
		}
		s.lang = lang
		return s, nil
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return s, err
	}
	s.dir = full
	var mains []string
	for _, e := range entries {
		name := e.Name()
		switch ext := filepath.Ext(name); {
		case e.IsDir():
		case name == configFile:
			s.lang = command
			return s, nil
		case ext == ".go" && !strings.HasSuffix(name, "_test.go"):
			s.lang = golang
		case strings.TrimSuffix(name, ext) == "main" && languages[ext] != "":
			mains = append(mains, name)
		}
	}
	switch {
	case s.lang == golang:
		return s, nil
	case len(mains) == 1:
		s.file, s.lang = mains[0], languages[filepath.Ext(mains[0])]
		return s, nil
	case len(mains) > 1:
		return s, errorf(ErrNoSource, "%s: there are %s: name the one to build", path, strings.Join(mains, " and "))
	}
	return s, errorf(ErrNoSource, "%s: nothing to build: want Go files, a main.c, main.rs or main.ts, or a %s with build and output", path, configFile)
}

// library reports whether the one file of a source has no entry of its own, by its text: a main
// that a macro makes is not seen.
func (s source) library() (bool, error) {
	b, err := os.ReadFile(s.full())
	if err != nil {
		return false, err
	}
	code := plain(string(b))
	switch s.lang {
	case clang:
		return !cMain.MatchString(code), nil
	case rust:
		return !rustMain.MatchString(code), nil
	case assemblyscript:
		return tsExport.MatchString(code), nil
	}
	return false, fmt.Errorf("%s is of many files", s.lang) // a bug of ours
}

var (
	cMain    = regexp.MustCompile(`\bmain\s*\(`)
	rustMain = regexp.MustCompile(`\bfn\s+main\s*\(`)
	tsExport = regexp.MustCompile(`(?m)^\s*export\b`)
	noise    = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)'`)
)

// plain returns code without its comments and texts, which can have any word in them. It is
// for languages that look like C, and knows no raw strings.
func plain(code string) string {
	return noise.ReplaceAllStringFunc(code, func(s string) string {
		if s[0] == '/' {
			return " "
		}
		return s[:1] + s[:1]
	})
}

// above returns the nearest directory, dir or one above it, that has the file.
func above(dir, name string) (string, bool) {
	for {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// unique sorts paths and drops repetitions.
func unique(paths []string) []string {
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Package sdk holds the libraries for guests as files, for what builds guests and begins
// projects. The libraries themselves are in the directories.
package sdk

import (
	"embed"
	"io/fs"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:embed c/wnode.h rust/wnode.rs assemblyscript/assembly assemblyscript/*.json go.txtar
var files embed.FS

// read returns a file that is there, as the compiler saw to.
func read(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// C returns the header wnode.h.
func C() string { return read("c/wnode.h") }

// Rust returns the module wnode.rs.
func Rust() string { return read("rust/wnode.rs") }

// AssemblyScript returns the library's files by name: assembly/index.ts and others, and package.json,
// package-lock.json and asconfig.json of a project that has its compiler.
func AssemblyScript() map[string]string {
	dir, err := fs.Sub(files, "assemblyscript")
	if err != nil {
		panic(err)
	}
	all := map[string]string{}
	err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path] = read("assemblyscript/" + path)
		}
		return err
	})
	if err != nil {
		panic(err)
	}
	return all
}

// Go returns the module github.com/wnode-project/wnode/sdk/go by file names. It is kept
// as an archive, since a package cannot embed files of another module; a test compares.
func Go() map[string]string {
	all := map[string]string{}
	for _, f := range txtar.Parse([]byte(read("go.txtar"))).Files {
		all[f.Name] = string(f.Data)
	}
	return all
}

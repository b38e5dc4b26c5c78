package sdk

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write go.txtar anew")

// TestGo compares the archive with the module that it is of.
func TestGo(t *testing.T) {
	names := []string{"go/go.mod"}
	for _, pattern := range []string{"go/*.go", "go/server/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		names = append(names, found...)
	}
	a := &txtar.Archive{Comment: []byte("The module sdk/go, written by: go test ./sdk -update\n")}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel("go", name)
		if err != nil {
			t.Fatal(err)
		}
		a.Files = append(a.Files, txtar.File{Name: filepath.ToSlash(rel), Data: b})
	}
	if *update {
		if err := os.WriteFile("go.txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("go.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != string(txtar.Format(a)) {
		t.Error("go.txtar is not sdk/go: go test ./sdk -update")
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel("go", name)
		if got, ok := txtarFile(a, filepath.ToSlash(rel)); !ok || got != string(b) {
			t.Errorf("%s does not survive the archive", name)
		}
	}
}

func txtarFile(a *txtar.Archive, name string) (string, bool) {
	for _, f := range txtar.Parse(txtar.Format(a)).Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

func TestFiles(t *testing.T) {
	if C() == "" || Rust() == "" {
		t.Error("an empty library")
	}
	want := []string{"asconfig.json", "assembly/host.ts", "assembly/index.ts", "assembly/server.ts", "assembly/types.ts", "package-lock.json", "package.json"}
	if got := slices.Sorted(maps.Keys(AssemblyScript())); !slices.Equal(got, want) {
		t.Errorf("AssemblyScript: %v, want %v", got, want)
	}
}

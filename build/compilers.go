package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wnode-project/wnode/sdk"
)

// compiler finds the compiler of a source of one file, and how it is to be called.
func (o *Options) compiler(ctx context.Context, s source) (*compiler, error) {
	library, err := s.library()
	if err != nil {
		return nil, err
	}
	switch s.lang {
	case clang:
		return o.clang(ctx, s, library)
	case rust:
		return rustc(ctx, s, library)
	}
	return asc(s, library)
}

const clangPackages = "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"

// clang is the one of the WASI SDK if the environment names that, else the system's. The header of
// sdk/c is found as <wnode.h>, behind all other directories.
func (o *Options) clang(ctx context.Context, s source, library bool) (*compiler, error) {
	path, err := exec.LookPath(filepath.Join(os.Getenv("WASI_SDK_PATH"), "bin", "clang"))
	if os.Getenv("WASI_SDK_PATH") == "" || err != nil {
		if path, err = exec.LookPath("clang"); err != nil {
			return nil, errorf(ErrNoToolchain, "%s needs clang for wasm32-wasi, and there is none: %s", s.path, clangPackages)
		}
	}
	v, err := version(ctx, path, "--version")
	if err != nil {
		return nil, err
	}
	include := filepath.Join(o.Dir, "include-"+hash(sdk.C()))
	header := filepath.Join(include, "wnode.h")
	if _, err := os.Stat(header); err != nil {
		if err := putFile(header, sdk.C()); err != nil {
			return nil, err
		}
	}
	args := []string{"--target=wasm32-wasi", "-O2", "-Wall", "-idirafter", include, "-Wl,--strip-debug"}
	if library {
		args = append(args, "-mexec-model=reactor")
	}
	return &compiler{
		tool: path, name: tool("clang", v), version: v, args: append(args, s.file),
		output: func(module, list string) []string { return []string{"-MD", "-MF", list, "-o", module} },
		inputs: func(list string) ([]string, error) {
			files, err := readMake(list, s.dir)
			// Our header is in the flags, by its hash.
			return slices.DeleteFunc(files, func(f string) bool { return f == header }), err
		},
		lacking: func(ctx context.Context) error {
			for _, part := range []string{"-print-prog-name=wasm-ld", "-print-file-name=crt1-command.o"} {
				out, err := exec.CommandContext(ctx, path, "--target=wasm32-wasi", part).Output()
				if found := strings.TrimSpace(string(out)); err == nil && !filepath.IsAbs(found) {
					return errorf(ErrNoToolchain, "%s needs %s, and %s finds none: %s", s.path, found, path, clangPackages)
				}
			}
			return nil
		},
	}, nil
}

// rustc is the first one in PATH that has the standard library for WASI: that of rustup is often
// before that of the system, and without it.
func rustc(ctx context.Context, s source, library bool) (*compiler, error) {
	without := ""
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, "rustc"))
		if err != nil || !filepath.IsAbs(path) {
			continue
		}
		without = path
		sysroot, err := version(ctx, path, "--print=sysroot")
		if err != nil {
			continue // as rustup's says that has no toolchain
		}
		for _, target := range []string{"wasm32-wasip1", "wasm32-wasi"} {
			if _, err := os.Stat(filepath.Join(sysroot, "lib", "rustlib", target, "lib")); err != nil {
				continue
			}
			v, err := version(ctx, path, "-V")
			if err != nil {
				return nil, err
			}
			args := []string{"--edition=2021", "--target=" + target, "-O", "-Cpanic=abort", "-Cstrip=debuginfo"}
			if library {
				args = append(args, "--crate-type=cdylib")
			}
			return &compiler{
				tool: path, name: tool("rustc", v), version: v, args: append(args, s.file),
				output: func(module, list string) []string { return []string{"--emit=link,dep-info=" + list, "-o", module} },
				inputs: func(list string) ([]string, error) { return readMake(list, s.dir) },
			}, nil
		}
	}
	found := "there is none"
	if without != "" {
		found = without + " has none"
	}
	return nil, errorf(ErrNoToolchain, "%s needs rustc with a standard library for WASI, and %s: rustup target add wasm32-wasip1, or apt-get install rustc libstd-rust-dev-wasm32 lld", s.path, found)
}

// asc is the one of the project, in a node_modules at or above the source. npx is not asked: it would
// fetch a package of that name, which is another one.
func asc(s source, library bool) (*compiler, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return nil, errorf(ErrNoToolchain, "%s needs AssemblyScript, and Node.js for it, and there is none: apt-get install nodejs npm, then npm install assemblyscript @assemblyscript/wasi-shim", s.path)
	}
	const bin = "node_modules/.bin/asc"
	root, ok := above(s.dir, bin)
	if !ok {
		do := "npm install assemblyscript @assemblyscript/wasi-shim"
		if dir, ok := above(s.dir, "package.json"); ok {
			do = "npm install, in " + dir
		}
		return nil, errorf(ErrNoToolchain, "%s needs AssemblyScript, and there is no %s: %s", s.path, bin, do)
	}
	var about struct{ Version string }
	b, err := os.ReadFile(filepath.Join(root, "node_modules", "assemblyscript", "package.json"))
	if err == nil {
		err = json.Unmarshal(b, &about)
	}
	if err != nil {
		return nil, fmt.Errorf("the version of AssemblyScript: %w", err)
	}
	rel, err := filepath.Rel(s.dir, root)
	if err != nil {
		return nil, err
	}
	args := []string{s.file}
	const shim = "node_modules/@assemblyscript/wasi-shim/asconfig.json"
	configs := []string{}
	for _, name := range []string{"asconfig.json", "package.json", "package-lock.json"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			configs = append(configs, filepath.Join(root, name))
		}
	}
	if _, err := os.Stat(filepath.Join(root, "asconfig.json")); err == nil {
		args = append(args, "--config", filepath.Join(rel, "asconfig.json"))
	} else if _, err := os.Stat(filepath.Join(root, shim)); err == nil {
		args = append(args, "-O", "--config", filepath.Join(rel, shim))
	}
	if library {
		args = append(args, "--exportStart", "_initialize")
	}
	return &compiler{
		tool: filepath.Join(root, bin), name: tool("asc", about.Version), version: about.Version, args: args,
		output: func(module, _ string) []string { return []string{"--outFile", module} },
		inputs: func(string) ([]string, error) {
			files, err := tsFiles(s.full())
			return unique(append(files, configs...)), err
		},
	}, nil
}

var tsImport = regexp.MustCompile(`(?:\bfrom|\bimport)\s*["'](\.[^"']*)["']`)

// tsFiles returns a file of AssemblyScript and those that it imports by relative paths; what it has from
// packages is as their lock file says. The compiler has no list to give.
func tsFiles(path string) ([]string, error) {
	seen := map[string]bool{}
	var files []string
	for todo := []string{path}; len(todo) > 0; {
		path, todo = todo[0], todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, path)
		for _, m := range tsImport.FindAllStringSubmatch(string(b), -1) {
			name := filepath.Join(filepath.Dir(path), m[1])
			for _, f := range []string{name, name + ".ts", filepath.Join(name, "index.ts")} {
				if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
					todo = append(todo, f)
					break
				}
			}
		}
	}
	return files, nil
}

// putFile writes a file with its directory, whole.
func putFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		return os.Rename(f.Name(), path)
	}
	os.Remove(f.Name())
	return err
}

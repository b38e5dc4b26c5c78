package wasmfile

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

const (
	magic = "\x00asm"
	// In the version word of a component the upper half is its layer, 1; the
	// lower half its version, 0x0d since the specification settled.
	coreVersion    = 1
	componentLayer = 1
)

const buildRemedy = "build it for wasm32-wasip1 (Go: GOOS=wasip1 GOARCH=wasm go build; Rust: --target wasm32-wasip1; C: clang --target=wasm32-wasi)"

// header checks the first eight bytes.
func header(b []byte) error {
	if len(b) == 0 {
		return &Error{Msg: "empty file", Remedy: buildRemedy}
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		if len(b) < len(magic) && bytes.HasPrefix([]byte(magic), b) {
			return &Error{Offset: len(b), Msg: fmt.Sprintf("truncated: the file ends at %d bytes, within its first 8", len(b)), Remedy: truncatedRemedy}
		}
		what, remedy := looksLike(b)
		return &Error{Msg: "not WebAssembly: starts with " + what, Remedy: remedy}
	}
	if len(b) < 8 {
		return &Error{Offset: len(b), Msg: fmt.Sprintf("truncated: the file ends at %d bytes, within its first 8", len(b)), Remedy: truncatedRemedy}
	}
	version := int(b[4]) | int(b[5])<<8
	layer := int(b[6]) | int(b[7])<<8
	switch {
	case layer == componentLayer:
		return &Error{
			Offset: 4,
			Msg:    "a WebAssembly component, not a core module",
			Remedy: "build for wasm32-wasip1 (Rust: --target wasm32-wasip1; Go: GOOS=wasip1; C: clang --target=wasm32-wasi), or extract the core module (wasm-tools component unbundle)",
		}
	case layer != 0 || version != coreVersion:
		return &Error{
			Offset: 4,
			Msg:    fmt.Sprintf("WebAssembly of version %d, layer %d; only version 1 is supported", version, layer),
			Remedy: buildRemedy,
		}
	}
	return nil
}

// looksLike names what b begins with, and what to do about it.
func looksLike(b []byte) (what, remedy string) {
	for _, f := range []struct{ prefix, what, remedy string }{
		{"\x7fELF", "\\x7fELF, a native Linux program", buildRemedy},
		{"MZ", "MZ, a Windows program", buildRemedy},
		{"\xcf\xfa\xed\xfe", "a Mach-O header, a macOS program", buildRemedy},
		{"\xca\xfe\xba\xbe", "0xcafebabe, a Java class or macOS universal program", buildRemedy},
		{"!<arch>", "!<arch>, an archive of object files", "link it to a module"},
		{"\x1f\x8b", "a gzip header", "decompress it first (gunzip)"},
		{"\x28\xb5\x2f\xfd", "a zstd header", "decompress it first (unzstd)"},
		{"\xfd7zXZ", "an xz header", "decompress it first (unxz)"},
		{"BZh", "a bzip2 header", "decompress it first (bunzip2)"},
		{"PK\x03\x04", "PK, a zip archive", "extract the .wasm from it"},
		{"BC\xc0\xde", "LLVM bitcode", "link it to a module (wasm-ld)"},
		{"#!", "#!, a script", buildRemedy},
		{"version https://git-lfs", "a Git LFS pointer", "fetch the real file (git lfs pull)"},
		{"<", "<, an HTML or XML page", "the download has perhaps failed: fetch it again"},
		{"{", "{, a JSON text", ""},
	} {
		if bytes.HasPrefix(b, []byte(f.prefix)) {
			return f.what, f.remedy
		}
	}
	if len(b) > 262 && string(b[257:262]) == "ustar" {
		return "a tar archive", "extract the .wasm from it"
	}
	head := b[:min(len(b), 4096)]
	if !isText(head) {
		return fmt.Sprintf("the bytes % x", b[:min(len(b), 8)]), buildRemedy
	}
	line, rest := firstLine(head)
	shown := fmt.Sprintf("%q", cut(line, 40))
	switch {
	case bytes.HasPrefix(line, []byte("(module")) || bytes.HasPrefix(line, []byte("(component")),
		bytes.HasPrefix(line, []byte(";;")) || bytes.HasPrefix(line, []byte("(;")):
		return shown + ", WebAssembly text (wat)", "assemble it first: wat2wasm FILE.wat"
	case bytes.HasPrefix(line, []byte("package ")) || hasLine(rest, "package "):
		return shown + ", a Go source", "build it first: GOOS=wasip1 GOARCH=wasm go build -o FILE.wasm"
	case bytes.HasPrefix(line, []byte("#include")) || hasLine(rest, "#include"):
		return shown + ", a C source", "build it first: clang --target=wasm32-wasi -O2 -o FILE.wasm FILE.c"
	case bytes.HasPrefix(line, []byte("fn ")) || hasLine(rest, "fn ") || hasLine(rest, "pub fn "):
		return shown + ", a Rust source", "build it first: rustc --target wasm32-wasip1 FILE.rs"
	}
	return shown + ", a text", buildRemedy
}

// cut shortens a text without splitting a character.
func cut(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

// isText says whether b, which may end within a character, is printable UTF-8.
func isText(b []byte) bool {
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 {
			return len(b) < utf8.UTFMax && !utf8.FullRune(b)
		}
		if !unicode.IsPrint(c) && c != '\n' && c != '\r' && c != '\t' && c != '\ufeff' {
			return false
		}
		b = b[n:]
	}
	return true
}

// firstLine returns the first line that is not blank, and what follows it.
func firstLine(b []byte) (line, rest []byte) {
	for len(b) > 0 {
		line, b, _ = bytes.Cut(b, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, b
		}
	}
	return nil, nil
}

func hasLine(b []byte, prefix string) bool {
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return true
		}
	}
	return false
}

package wasmfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withCode is a module of one function () -> () with the code.
func withCode(content ...byte) []byte {
	body := append([]byte{byte(len(content))}, content...)
	return module(section(1, 2, 0x60, 0, 0, 0x60, 2, I32, I32, 1, I32), section(3, 1, 0), section(10, append([]byte{1}, body...)...))
}

func TestBodies(t *testing.T) {
	for _, c := range []struct {
		name string
		code []byte
		want Body
	}{
		{"empty", []byte{0, 0x0b}, Body{Ops: 1}},
		{"locals", []byte{2, 3, I32, 0x80, 0x01, V128, 0x20, 0, 0x1a, 0x0b}, Body{Locals: 131, LocalOps: 1, Ops: 3, Operands: 1}},
		{"loops", []byte{0, 0x03, 0x40, 0x03, 0x40, 0x0b, 0x0b, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b},
			Body{Ops: 8, Blocks: 3, Depth: 2, Loops: 3, LoopDepth: 2, Branches: 1}},
		{"if and else", []byte{0, 0x41, 0, 0x04, I32, 0x41, 1, 0x05, 0x41, 2, 0x0b, 0x1a, 0x0b},
			Body{Ops: 8, Blocks: 2, Depth: 1, Operands: 1, Values: 1}},
		{"br_table", []byte{0, 0x02, 0x40, 0x41, 0, 0x0e, 2, 0, 0, 0, 0x0b, 0x0b}, Body{Ops: 5, Blocks: 1, Depth: 1, Branches: 3, Operands: 1}},
		{"a block with parameters", []byte{0, 0x41, 1, 0x41, 2, 0x02, 1, 0x6a, 0x0b, 0x1a, 0x0b},
			Body{Ops: 7, Blocks: 1, Depth: 1, Operands: 2, Under: 2, Values: 3}},
		{"calls and stores", []byte{0, 0x10, 0, 0x41, 0, 0x41, 0, 0x36, 2, 0, 0x0b}, Body{Ops: 5, Effects: 2, Operands: 2}},
		{"constants and vectors", []byte{0, 0x42, 0xff, 0x0b, 0x43, 0x0b, 0x0b, 0x0b, 0x0b, 0x44, 1, 2, 3, 4, 5, 6, 7, 8,
			0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 21, 3, 0xfc, 10, 0, 0, 0x00, 0x0b},
			Body{Ops: 8, Effects: 1, Operands: 4}},
		{"after a branch nothing is there", []byte{0, 0x02, 0x40, 0x0c, 0, 0x1a, 0x1a, 0x6a, 0x0b, 0x41, 0, 0x1a, 0x0b},
			Body{Ops: 9, Blocks: 1, Depth: 1, Branches: 1, Operands: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := withCode(c.code...)
			m, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			err = m.Bodies(b, func(f Body) error {
				n++
				c.want.Offset, c.want.Size = f.Offset, len(c.code)
				if f != c.want || int(b[f.Offset]) != len(c.code) {
					t.Errorf("got  %+v\nwant %+v", f, c.want)
				}
				return nil
			})
			if err != nil || n != 1 {
				t.Errorf("%d functions, %v", n, err)
			}
		})
	}
}

func TestBodiesErrors(t *testing.T) {
	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"threads":       {[]byte{0, 0xfe, 0x10, 2, 0, 0x0b}, "code section, offset 0x1d: uses the instruction 0xfe, which is not supported: build for"},
		"tail calls":    {[]byte{0, 0x12, 0, 0x0b}, "uses the instruction 0x12"},
		"misc":          {[]byte{0, 0xfc, 0x20}, "0xfc 0x20"},
		"ends in one":   {[]byte{0, 0x44, 1, 2}, "malformed: the section or function ends within an instruction"},
		"a long number": {[]byte{0, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x0b}, "no number of 32 bits"},
		"many targets":  {[]byte{0, 0x0e, 0xff, 0xff, 0x03, 0}, "65535 elements do not fit"},
	} {
		b := append(withCode(c.code...), section(0, 1, 'x')...)
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Bodies(b, func(Body) error { return nil })
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	stop := errors.New("stop")
	b := withCode(0, 0x0b)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Bodies(b, func(Body) error { return stop }); err != stop {
		t.Errorf("got %v", err)
	}
}

// BenchmarkBodies reads the largest example.
func BenchmarkBodies(b *testing.B) {
	files, err := filepath.Glob("../../../wasm-examples/*/*.wasm")
	if err != nil {
		b.Fatal(err)
	}
	var most []byte
	for _, file := range files {
		wasm, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		if len(wasm) > len(most) {
			most = wasm
		}
	}
	m, err := Parse(most)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(most)))
	for b.Loop() {
		if err := m.Bodies(most, func(Body) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzBodies(f *testing.F) {
	f.Add(withCode(0, 0x0b))
	f.Add(withCode(1, 1, I32, 0x03, 0x40, 0x20, 0, 0x0d, 0, 0x0b, 0x0b))
	f.Add(withCode(0, 0xfd, 84, 0, 0, 1, 0x0e, 1, 0, 0, 0x10, 0, 0x11, 1, 0, 0x0b))
	// Real ones have more to offer.
	err := filepath.WalkDir("../../../wasm-examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".wasm" {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && len(b) < 64<<10 {
			f.Add(b)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		n, size := 0, 0
		err = m.Bodies(b, func(x Body) error {
			n++
			size += x.Size
			if x.Ops+x.Branches > 2*x.Size || x.Depth > x.Blocks || x.LoopDepth > x.Loops || x.Loops > x.Blocks || x.Operands < 0 || x.Under > x.Operands {
				t.Fatalf("%+v", x)
			}
			return nil
		})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b)) {
			t.Fatal(err)
		}
		if err == nil && n != m.Functions || size > len(b) {
			t.Fatalf("%d functions of %d, %d bytes", n, m.Functions, size)
		}
	})
}

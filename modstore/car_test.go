package modstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
)

// carHeader is the header of a CAR, put together by hand from its specification.
func carHeader(roots ...cid.Cid) []byte {
	b := append([]byte{0xa2, 0x65}, "roots"...)
	b = append(b, 0x80+byte(len(roots)))
	for _, c := range roots {
		b = append(b, 0xd8, 0x2a, 0x58, byte(1+len(c.Bytes())), 0)
		b = append(b, c.Bytes()...)
	}
	b = append(append(b, 0x67), "version"...)
	return carSection(append(b, 1))
}

func carSection(parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

func carBlock(b block) []byte { return carSection(b.c.Bytes(), b.data) }

func carOf(root cid.Cid, blocks ...block) []byte {
	out := carHeader(root)
	for _, b := range blocks {
		out = append(out, carBlock(b)...)
	}
	return out
}

func TestWriteCAR(t *testing.T) {
	s := openTemp(t)
	for _, n := range []int{0, 5, chunkSize, chunkSize + 1, 3*chunkSize + 9} {
		data := pattern(n, 2)
		c := mustAdd(t, s, data)
		var out bytes.Buffer
		if err := s.WriteCAR(ctx, c, &out); err != nil {
			t.Fatal(err)
		}
		if want := carOf(c, blocksOf(data)...); !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes: the CAR has %d bytes, want %d: %s", n, out.Len(), len(want), hex.EncodeToString(out.Bytes()[:min(100, out.Len())]))
		}
		got, read, err := ReadCAR(bytes.NewReader(out.Bytes()))
		if err != nil || got != c || !bytes.Equal(read, data) {
			t.Errorf("%d bytes: %v, %d bytes, %v", n, got, len(read), err)
		}
	}
	// What a module has twice is in there once.
	twice := append(pattern(chunkSize, 1), pattern(chunkSize, 1)...)
	c := mustAdd(t, s, twice)
	var out bytes.Buffer
	if err := s.WriteCAR(ctx, c, &out); err != nil || out.Len() > chunkSize+1000 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if _, data, err := ReadCAR(bytes.NewReader(out.Bytes())); err != nil || !bytes.Equal(data, twice) {
		t.Errorf("twice: %v", err)
	}
	full := errors.New("full")
	if err := s.WriteCAR(ctx, c, failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: %v", err)
	}
	if err := s.WriteCAR(ctx, cidOf([]byte("none")), &out); !errors.Is(err, ErrNotFound) {
		t.Errorf("not here: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestReadCAR(t *testing.T) {
	data := pattern(2*chunkSize+7, 3)
	blocks := blocksOf(data)
	root := blocks[0].c
	whole := carOf(root, blocks...)
	small := blocksOf([]byte("small"))[0]
	changed := func(i int) []byte {
		b := bytes.Clone(whole)
		b[i] ^= 1
		return b
	}
	reversed := slices.Clone(blocks)
	slices.Reverse(reversed)
	wrapped := func() []byte { // version 2: pragma, header, then one of version 1
		b, _ := hex.DecodeString("0aa16776657273696f6e02")
		b = append(b, make([]byte, 16)...)
		b = binary.LittleEndian.AppendUint64(b, 51)
		b = binary.LittleEndian.AppendUint64(b, uint64(len(whole)))
		b = binary.LittleEndian.AppendUint64(b, 0)
		return append(b, whole...)
	}
	many := carOf(small.c, slices.Repeat([]block{small}, maxCARBlocks)...)
	for _, c := range []struct {
		name string
		car  []byte
		want error // nil: it is data
	}{
		{"whole", whole, nil},
		{"root last", carOf(root, reversed...), nil},
		{"blocks twice", carOf(root, slices.Concat(blocks, blocks)...), nil},
		{"version 2", wrapped(), nil},

		{"empty", nil, ErrBadCAR},
		{"WebAssembly", []byte("\x00asm\x01\x00\x00\x00"), ErrBadCAR},
		{"no root", carHeader(), ErrBadCAR},
		{"two roots", append(carHeader(root, small.c), carBlock(small)...), ErrBadCAR},
		{"header alone", carHeader(root), ErrBadCAR},
		{"large header", binary.AppendUvarint(nil, 1<<40), ErrBadCAR},
		{"truncated in the header", whole[:20], ErrBadCAR},
		{"truncated in a length", append(carOf(root, blocks...), 0x80), ErrBadCAR},
		{"truncated in a CID", whole[:len(carHeader(root))+9], ErrBadCAR},
		{"truncated in a block", whole[:len(whole)-1], ErrBadCAR},
		{"truncated behind a block", carOf(root, blocks[:2]...), ErrBadCAR},
		{"zeros behind", append(bytes.Clone(whole), 0, 0), ErrBadCAR},
		{"no root block", carOf(root, blocks[1:]...), ErrBadCAR},
		{"another root", carOf(small.c, blocks...), ErrBadCAR},
		{"foreign block", carOf(root, append(slices.Clone(blocks), small)...), ErrBadCAR},
		{"oversize block", append(carHeader(root), binary.AppendUvarint(nil, 1<<50)...), ErrBadCAR},
		{"block of more than a chunk", carOf(root, block{root, make([]byte, maxBlock+1)}), ErrBadCAR},
		{"too many blocks", append(many, carBlock(small)...), ErrBadCAR},
		{"a chunk of another size", carOf(root, blocks[0], block{blocks[1].c, []byte("x")}, blocks[2], blocks[3]), ErrBadCAR},
		{"changed root", changed(len(carHeader(root)) + 3 + 36 + 20), ErrCorrupt},
		{"changed chunk", changed(len(whole) / 2), ErrCorrupt},
		{"root of another profile", carOf(cid.NewCidV0(root.Hash())), ErrBadDAG},
		{"not a file", carOf(nodeOf("dir").c, nodeOf("dir")), ErrBadDAG},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, b, err := ReadCAR(bytes.NewReader(c.car))
			runtime.ReadMemStats(&after)
			if c.want == nil {
				if err != nil || got != root || !bytes.Equal(b, data) {
					t.Errorf("%v, %d bytes, %v", got, len(b), err)
				}
				return
			}
			if !errors.Is(err, c.want) || bytes.ContainsRune([]byte(err.Error()), '\n') {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(data))*3 {
				t.Errorf("it took %d bytes of memory", used)
			}
		})
	}
}

// nodeOf is a dag-pb block of any bytes.
func nodeOf(text string) block {
	c, err := cidPrefix.Sum([]byte(text))
	if err != nil {
		panic(err)
	}
	return block{c, []byte(text)}
}

// FuzzCAR: what can be read is what its CID says.
func FuzzCAR(f *testing.F) {
	small := blocksOf([]byte("small"))
	f.Add(carOf(small[0].c, small...))
	large := blocksOf(pattern(chunkSize+1, 1))
	f.Add(carOf(large[0].c, large[0], large[2]))
	f.Add(carHeader(small[0].c, large[0].c))
	v2, _ := hex.DecodeString("0aa16776657273696f6e02")
	f.Add(append(v2, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, b, err := ReadCAR(bytes.NewReader(data))
		if err != nil {
			return
		}
		if want, _, err := CIDOf(bytes.NewReader(b)); err != nil || c != want {
			t.Errorf("%d bytes as %v, which are %v: %v", len(b), c, want, err)
		}
	})
}

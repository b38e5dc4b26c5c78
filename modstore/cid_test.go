package modstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag/test"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"golang.org/x/crypto/chacha20"
)

// pattern makes n bytes that differ from chunk to chunk and by seed.
func pattern(n int, seed uint32) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint32(key[:], seed)
	out := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(out) // never fails
	return out
}

func TestCIDGolden(t *testing.T) {
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		// Of the IPFS documentation and of kubo's own tests of the profile.
		{"empty", nil, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
		{"hello world", []byte("hello world"), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"},
		// Recorded from this package when it agreed with boxo's importer and
		// with the encoder by hand below.
		{"one chunk", pattern(1<<20, 1), "bafkreiepclppp42a2fkswzdq4uyxpakr3g6wdhkwo7y4c7yw4oz2nobfwe"},
		{"one chunk and a byte", pattern(1<<20+1, 1), "bafybeib67ij2qpexn6d7orkzojjdkclbglna5dfzgk47qmi66qsft7n6se"},
		{"five chunks", pattern(5<<20-7, 2), "bafybeiax3tcrz773kpk2wquk5ilpjahenmqy7onl77ofu6uowcl66icq7e"},
		{"equal chunks", make([]byte, 3<<20), "bafybeigdsjup7aizxrrjn7yqtcmqg6ffksaugwr7is2ind3cf7esaqrz4m"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, size, err := CIDOf(bytes.NewReader(tc.data))
			if err != nil || c.String() != tc.want || size != uint64(len(tc.data)) {
				t.Errorf("CIDOf: %v, %d, %v; want %s", c, size, err, tc.want)
			}
			if c != boxoCID(t, tc.data) {
				t.Errorf("boxo's importer says %v", boxoCID(t, tc.data))
			}
			if c != byHandCID(tc.data) {
				t.Errorf("encoded by hand: %v", byHandCID(tc.data))
			}
		})
	}
}

// boxoCID runs boxo's importer as ipfs add does, over an in-memory DAG service.
func boxoCID(t *testing.T, data []byte) cid.Cid {
	t.Helper()
	splitter, err := chunk.FromString(bytes.NewReader(data), "size-1048576")
	if err != nil {
		t.Fatal(err)
	}
	params := helpers.DagBuilderParams{
		Dagserv:    mdutils.Mock(),
		Maxlinks:   1024,
		RawLeaves:  true,
		CidBuilder: cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256},
	}
	builder, err := params.New(splitter)
	if err != nil {
		t.Fatal(err)
	}
	root, err := balanced.Layout(builder)
	if err != nil {
		t.Fatal(err)
	}
	return root.Cid()
}

// byHandCID writes the protobufs of the UnixFS and dag-pb specifications itself.
func byHandCID(data []byte) cid.Cid {
	sum := func(codec uint64, b []byte) cid.Cid {
		h := sha256.Sum256(b)
		mh, _ := multihash.Encode(h[:], multihash.SHA2_256)
		return cid.NewCidV1(codec, mh)
	}
	if len(data) <= 1<<20 {
		return sum(cid.Raw, data)
	}
	field := func(out []byte, n int, value []byte) []byte {
		out = binary.AppendUvarint(out, uint64(n)<<3|2)
		out = binary.AppendUvarint(out, uint64(len(value)))
		return append(out, value...)
	}
	number := func(out []byte, n int, v uint64) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(out, uint64(n)<<3), v)
	}
	unixfs := number(nil, 1, 2) // Type: File
	unixfs = number(unixfs, 3, uint64(len(data)))
	var node []byte
	for rest := data; len(rest) > 0; {
		leaf := rest[:min(1<<20, len(rest))]
		rest = rest[len(leaf):]
		unixfs = number(unixfs, 4, uint64(len(leaf)))
		link := field(nil, 1, sum(cid.Raw, leaf).Bytes())
		link = field(link, 2, nil)
		link = number(link, 3, uint64(len(leaf)))
		node = field(node, 2, link)
	}
	return sum(cid.DagProtobuf, field(node, 1, unixfs))
}

// TestCIDOfKubo checks the vectors for 1 GiB that kubo has for the profile,
// which are above MaxModule, on the importer below CIDOf.
func TestCIDOfKubo(t *testing.T) {
	if os.Getenv("WNODE_SOAK") == "" {
		t.Skip("hashes 2 GiB: set WNODE_SOAK=1")
	}
	for mib, want := range map[int64]string{
		1024: "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
		1025: "bafybeihmzokxxjqwxjcryerhp5ezpcog2wcawfryb2xm64xiakgm4a5jue",
	} {
		key := sha256.Sum256([]byte("v1-2025-seed"))
		stream, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSize))
		if err != nil {
			t.Fatal(err)
		}
		c, err := layOut(chunk.NewSizeSplitter(io.LimitReader(keyStream{stream}, mib<<20), chunkSize), discardBlocks())
		if err != nil || c.String() != want {
			t.Errorf("%d MiB: %v, %v; want %s", mib, c, err, want)
		}
	}
}

type keyStream struct{ c *chacha20.Cipher }

func (k keyStream) Read(p []byte) (int, error) {
	clear(p)
	k.c.XORKeyStream(p, p)
	return len(p), nil
}

func TestCIDOfErrors(t *testing.T) {
	if _, _, err := CIDOf(io.LimitReader(zeros{}, MaxModule+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	broken := errors.New("broken pipe")
	if _, _, err := CIDOf(io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("reader that fails: %v", err)
	}
	if c, n, err := CIDOf(io.LimitReader(zeros{}, MaxModule)); err != nil || n != MaxModule {
		t.Errorf("the limit itself: %v, %d, %v", c, n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func ExampleCIDOf() {
	c, size, err := CIDOf(bytes.NewReader([]byte("hello world")))
	fmt.Println(c, size, err)
	// Output: bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e 11 <nil>
}

var ctx = context.Background()

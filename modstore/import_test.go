package modstore

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	unixfspb "github.com/ipfs/boxo/ipld/unixfs/pb"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

type block struct {
	c    cid.Cid
	data []byte
}

func rawCID(data []byte) cid.Cid {
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		panic(err)
	}
	return c
}

func nodeBlock(data []byte) block {
	c, err := cidPrefix.Sum(data)
	if err != nil {
		panic(err)
	}
	return block{c, data}
}

// blocksOf cuts data as the profile does, in the order of Blocks.
func blocksOf(data []byte) []block {
	if len(data) <= chunkSize {
		return []block{{rawCID(data), data}}
	}
	var leaves []leaf
	var out []block
	seen := map[cid.Cid]bool{}
	for rest := data; len(rest) > 0; {
		part := rest[:min(chunkSize, len(rest))]
		rest = rest[len(part):]
		c := rawCID(part)
		leaves = append(leaves, leaf{c, len(part)})
		if !seen[c] {
			seen[c] = true
			out = append(out, block{c, part})
		}
	}
	root, err := encodeRoot(leaves)
	if err != nil {
		panic(err)
	}
	return append([]block{nodeBlock(root)}, out...)
}

func TestImport(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": {}, "small": []byte("small"), "one chunk": pattern(1<<20, 1), "three": pattern(2<<20+5, 2),
		"equal chunks": make([]byte, 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			blocks := blocksOf(data)
			root := blocks[0].c
			im := s.NewImport(root)
			defer im.Discard()
			for i, b := range blocks {
				if err := im.Commit(); !errors.Is(err, ErrIncomplete) {
					t.Fatalf("commit after %d blocks: %v", i, err)
				}
				done, err := im.Put(b.c, b.data)
				if err != nil || done != (i == len(blocks)-1) {
					t.Fatalf("block %d: done %v, %v", i, done, err)
				}
				if s.Has(ctx, root) {
					t.Fatal("visible before Commit")
				}
			}
			if err := im.Commit(); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Bytes(ctx, root); err != nil || !bytes.Equal(got, data) {
				t.Errorf("bytes: %d, %v", len(got), err)
			}
			if c, _, err := CIDOf(bytes.NewReader(data)); err != nil || c != root {
				t.Errorf("CIDOf %v, %v; imported %v", c, err, root)
			}
			if err := im.Commit(); !errors.Is(err, ErrClosed) {
				t.Errorf("second commit: %v", err)
			}
			if left, err := os.ReadDir(s.files.tmp); err != nil || len(left) != 0 {
				t.Errorf("left in tmp: %v, %v", left, err)
			}
		})
	}
}

func TestImportDiscard(t *testing.T) {
	s := openTemp(t)
	blocks := blocksOf(pattern(3<<20, 9))
	im := s.NewImport(blocks[0].c)
	for _, b := range blocks[:2] {
		if _, err := im.Put(b.c, b.data); err != nil {
			t.Fatal(err)
		}
	}
	// Another process that starts leaves the staging of a live import alone.
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := im.Put(blocks[2].c, blocks[2].data); err != nil {
		t.Fatal(err)
	}
	im.Discard()
	im.Discard()
	if _, err := im.Put(blocks[3].c, blocks[3].data); !errors.Is(err, ErrClosed) {
		t.Errorf("put after discard: %v", err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 0 || s.Has(ctx, blocks[0].c) {
		t.Errorf("visible: %v, %v", list, err)
	}
	if n, err := s.Size(); err != nil || n != 0 {
		t.Errorf("size %d, %v", n, err)
	}
	if left, err := os.ReadDir(s.files.tmp); err != nil || len(left) != 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

// node makes a dag-pb block from its parts, canonical or not.
func node(kind unixfspb.Data_DataType, inline []byte, links []*ipld.Link, sizes []uint64) block {
	file := unixfs.NewFSNode(kind)
	file.SetData(inline)
	for _, n := range sizes {
		file.AddBlockSize(n)
	}
	data, err := file.GetBytes()
	if err != nil {
		panic(err)
	}
	n := merkledag.NodeWithData(data)
	for _, l := range links {
		if err := n.AddRawLink(l.Name, l); err != nil {
			panic(err)
		}
	}
	encoded, err := n.EncodeProtobuf(false)
	if err != nil {
		panic(err)
	}
	return nodeBlock(encoded)
}

func TestImportHostile(t *testing.T) {
	chunk := pattern(chunkSize, 3)
	other := pattern(chunkSize, 4)
	tail := []byte("tail")
	link := func(b []byte) *ipld.Link { return &ipld.Link{Cid: rawCID(b), Size: uint64(len(b))} }
	many := func(n int) (links []*ipld.Link, sizes []uint64) {
		for range n {
			links, sizes = append(links, link(chunk)), append(sizes, chunkSize)
		}
		return
	}
	links65, sizes65 := many(65)
	links1000, sizes1000 := many(1000)
	two := []*ipld.Link{link(chunk), link(tail)}
	good := node(unixfs.TFile, nil, two, []uint64{chunkSize, 4})
	inner := &ipld.Link{Cid: good.c, Size: chunkSize}
	named := &ipld.Link{Name: "x", Cid: rawCID(chunk), Size: chunkSize}
	v0 := &ipld.Link{Cid: cid.NewCidV0(rawCID(chunk).Hash()), Size: chunkSize}
	identity, err := cid.Prefix{Version: 1, Codec: cid.Raw, MhType: multihash.IDENTITY, MhLength: -1}.Sum(tail)
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, maxBlock+1)
	padded := nodeBlock(append(bytes.Clone(good.data), 0x1a, 0)) // an unknown field

	root := func(b block) []block { return []block{b} }
	for name, tc := range map[string]struct {
		root   cid.Cid
		blocks []block
		want   error
	}{
		"no root":              {cid.Undef, []block{{cid.Undef, nil}}, ErrBadDAG},
		"CIDv0":                {v0.Cid, []block{{v0.Cid, chunk}}, ErrBadDAG},
		"identity hash":        {identity, []block{{identity, tail}}, ErrBadDAG},
		"dag-cbor":             {cid.NewCidV1(cid.DagCBOR, good.c.Hash()), []block{{cid.NewCidV1(cid.DagCBOR, good.c.Hash()), good.data}}, ErrBadDAG},
		"other root":           {good.c, []block{{rawCID(tail), tail}}, ErrUnexpected},
		"other bytes":          {good.c, []block{{good.c, tail}}, ErrCorrupt},
		"large raw root":       {rawCID(big), []block{{rawCID(big), big}}, ErrBadDAG},
		"not protobuf":         {nodeBlock([]byte("garbage")).c, root(nodeBlock([]byte("garbage"))), ErrBadDAG},
		"empty node":           {nodeBlock(nil).c, root(nodeBlock(nil)), ErrBadDAG},
		"directory":            {node(unixfs.TDirectory, nil, two, nil).c, root(node(unixfs.TDirectory, nil, two, nil)), ErrBadDAG},
		"symlink":              {node(unixfs.TSymlink, tail, nil, nil).c, root(node(unixfs.TSymlink, tail, nil, nil)), ErrBadDAG},
		"data in the node":     {node(unixfs.TFile, tail, two, []uint64{chunkSize, 4}).c, root(node(unixfs.TFile, tail, two, []uint64{chunkSize, 4})), ErrBadDAG},
		"leaf as dag-pb":       {node(unixfs.TFile, tail, nil, nil).c, root(node(unixfs.TFile, tail, nil, nil)), ErrBadDAG},
		"one link":             {node(unixfs.TFile, nil, two[:1], []uint64{chunkSize}).c, root(node(unixfs.TFile, nil, two[:1], []uint64{chunkSize})), ErrBadDAG},
		"65 links":             {node(unixfs.TFile, nil, links65, sizes65).c, root(node(unixfs.TFile, nil, links65, sizes65)), ErrTooLarge},
		"1000 links":           {node(unixfs.TFile, nil, links1000, sizes1000).c, root(node(unixfs.TFile, nil, links1000, sizes1000)), ErrBadDAG},
		"more sizes":           {node(unixfs.TFile, nil, two, []uint64{chunkSize, 4, 4}).c, root(node(unixfs.TFile, nil, two, []uint64{chunkSize, 4, 4})), ErrBadDAG},
		"size zero":            {node(unixfs.TFile, nil, two, []uint64{chunkSize, 0}).c, root(node(unixfs.TFile, nil, two, []uint64{chunkSize, 0})), ErrBadDAG},
		"sizes overflow":       {node(unixfs.TFile, nil, two, []uint64{1 << 63, 1 << 63}).c, root(node(unixfs.TFile, nil, two, []uint64{1 << 63, 1 << 63})), ErrBadDAG},
		"sizes exchanged":      {node(unixfs.TFile, nil, two, []uint64{4, chunkSize}).c, root(node(unixfs.TFile, nil, two, []uint64{4, chunkSize})), ErrBadDAG},
		"link to a node":       {node(unixfs.TFile, nil, []*ipld.Link{inner, two[1]}, []uint64{chunkSize, 4}).c, root(node(unixfs.TFile, nil, []*ipld.Link{inner, two[1]}, []uint64{chunkSize, 4})), ErrBadDAG},
		"link with a name":     {node(unixfs.TFile, nil, []*ipld.Link{named, two[1]}, []uint64{chunkSize, 4}).c, root(node(unixfs.TFile, nil, []*ipld.Link{named, two[1]}, []uint64{chunkSize, 4})), ErrBadDAG},
		"link to CIDv0":        {node(unixfs.TFile, nil, []*ipld.Link{v0, two[1]}, []uint64{chunkSize, 4}).c, root(node(unixfs.TFile, nil, []*ipld.Link{v0, two[1]}, []uint64{chunkSize, 4})), ErrBadDAG},
		"one block, two sizes": {node(unixfs.TFile, nil, []*ipld.Link{two[0], two[0]}, []uint64{chunkSize, 4}).c, root(node(unixfs.TFile, nil, []*ipld.Link{two[0], two[0]}, []uint64{chunkSize, 4})), ErrBadDAG},
		"not canonical":        {padded.c, root(padded), ErrBadDAG},
		"order":                {good.c, []block{good, {rawCID(tail), tail}}, ErrUnexpected},
		"unwanted":             {good.c, []block{good, {rawCID(other), other}}, ErrUnexpected},
		"leaf damaged":         {good.c, []block{good, {rawCID(chunk), other}}, ErrCorrupt},
		"leaf short":           {good.c, []block{good, {rawCID(chunk), chunk[1:]}}, ErrBadDAG},
		"leaf huge":            {good.c, []block{good, {rawCID(chunk), append(bytes.Clone(chunk), 0)}}, ErrBadDAG},
		"root twice":           {good.c, []block{good, good}, ErrUnexpected},
		"one too many":         {good.c, []block{good, {rawCID(chunk), chunk}, {rawCID(tail), tail}, good}, ErrUnexpected},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			im := s.NewImport(tc.root)
			defer im.Discard()
			var err error
			for i, b := range tc.blocks {
				if _, err = im.Put(b.c, b.data); (err != nil) != (i == len(tc.blocks)-1) {
					t.Fatalf("block %d: %v", i, err)
				}
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if again := im.Commit(); !errors.Is(again, tc.want) {
				t.Errorf("commit: %v", again)
			}
			im.Discard()
			if n, err := s.Size(); err != nil || n != 0 || s.Has(ctx, tc.root) {
				t.Errorf("stored: %d bytes, %v", n, err)
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	small := blocksOf([]byte("abc"))
	large := blocksOf(append(make([]byte, chunkSize), "tail"...))
	f.Add(small[0].data, []byte(nil), false)
	f.Add(large[0].data, large[2].data, true)
	f.Add(node(unixfs.TFile, nil, nil, nil).data, []byte("x"), true)
	s, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	zero := make([]byte, chunkSize)
	f.Fuzz(func(t *testing.T, first, second []byte, dagpb bool) {
		root := rawCID(first)
		if dagpb {
			root = nodeBlock(first).c
		}
		im := s.NewImport(root)
		defer im.Discard()
		done, err := im.Put(root, first)
		for _, data := range [][]byte{zero, second} {
			if err == nil && !done {
				done, err = im.Put(rawCID(data), data)
			}
		}
		if err != nil || !done {
			if im.Commit() == nil {
				t.Fatal("committed without all blocks")
			}
			if s.Has(ctx, root) {
				return // by an earlier input
			}
			if _, err := s.Bytes(ctx, root); err == nil {
				t.Fatal("visible after a failure")
			}
			return
		}
		if err := im.Commit(); err != nil {
			t.Fatal(err)
		}
		data, err := s.Bytes(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		// What comes in has the one CID that its content has.
		if c, _, err := CIDOf(bytes.NewReader(data)); err != nil || c != root {
			t.Fatalf("content has CID %v, came in as %v", c, root)
		}
	})
}

package modstore

import (
	"bytes"
	"fmt"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"
)

// The shape of a module's DAG, by profile unixfs-v1-2025 (IPIP-499) under the
// limit of MaxModule:
//
//	at most 1 MiB   one raw block, which is the file
//	more            a dag-pb node, UnixFS type File without data of its own,
//	                with 2 to 64 unnamed links to raw blocks of 1 MiB each,
//	                the last one of 1 byte to 1 MiB
//
// The node must be, byte for byte, what the importer would have made. That
// bounds depth, fan-out and sizes before a leaf is asked for, and leaves no
// second CID for one content.
const (
	// MaxModule is the largest module, in bytes.
	MaxModule = 64 << 20

	chunkSize = 1 << 20
	maxLinks  = 1024 // of a node, by the profile

	// maxBlock is the most bytes a block of such a DAG has.
	maxBlock = chunkSize
	// maxNode bounds a dag-pb node before it is decoded; a canonical one of 64
	// links has some 3.3 kB.
	maxNode = 8 << 10
)

// One level of links suffices.
const _ = uint(maxLinks*chunkSize - MaxModule)

// cidPrefix makes the CIDs of nodes.
var cidPrefix = cid.Prefix{Version: 1, Codec: cid.DagProtobuf, MhType: multihash.SHA2_256, MhLength: 32}

// leaf is a link: a raw block and the bytes it has.
type leaf struct {
	cid  cid.Cid
	size int
}

// checkCID refuses what cannot be the root of a module.
func checkCID(c cid.Cid) error {
	if !c.Defined() {
		return fmt.Errorf("%w: no CID", ErrBadDAG)
	}
	p := c.Prefix()
	if p.Version != 1 || p.MhType != multihash.SHA2_256 || p.MhLength != 32 ||
		p.Codec != cid.Raw && p.Codec != cid.DagProtobuf {
		return fmt.Errorf("%w: CID %s is not version 1, raw or dag-pb, sha2-256", ErrBadDAG, c)
	}
	return nil
}

// verify says whether data is what c names.
func verify(c cid.Cid, data []byte) error {
	sum, err := c.Prefix().Sum(data)
	if err != nil {
		return fmt.Errorf("%w: block %s: %w", ErrBadDAG, c, err)
	}
	if !sum.Equals(c) {
		return fmt.Errorf("%w: block %s: its bytes have another hash", ErrCorrupt, c)
	}
	return nil
}

// parseRoot reads a root block, whose hash was verified. It returns the size
// of the file and the links in order; one may occur several times. A raw root
// has none.
func parseRoot(root cid.Cid, data []byte) (leaves []leaf, size uint64, err error) {
	bad := func(format string, args ...any) ([]leaf, uint64, error) {
		return nil, 0, fmt.Errorf("%w: %s: %s", ErrBadDAG, root, fmt.Sprintf(format, args...))
	}
	if root.Type() == cid.Raw {
		if len(data) > chunkSize {
			return bad("a raw block of %d bytes; chunks are 1 MiB", len(data))
		}
		return nil, uint64(len(data)), nil
	}
	if len(data) > maxNode {
		return bad("a node of %d bytes; %d are enough for 64 MiB", len(data), maxNode)
	}
	node, err := merkledag.DecodeProtobuf(data)
	if err != nil {
		return bad("%v", err)
	}
	file, err := unixfs.FSNodeFromBytes(node.Data())
	if err != nil {
		return bad("%v", err)
	}
	links := node.Links()
	if file.Type() != unixfs.TFile || len(links) < 2 || len(links) != file.NumChildren() {
		return bad("UnixFS type %s with %d links and %d sizes", file.Type(), len(links), file.NumChildren())
	}
	if file.FileSize() > MaxModule || len(links) > MaxModule/chunkSize {
		return nil, 0, fmt.Errorf("%w: %s has %d bytes in %d chunks", ErrTooLarge, root, file.FileSize(), len(links))
	}
	sizes := make(map[cid.Cid]int, len(links))
	for i, l := range links {
		n := file.BlockSize(i)
		last := i == len(links)-1
		if !last && n != chunkSize || last && (n < 1 || n > chunkSize) {
			return bad("chunk %d has %d bytes", i, n)
		}
		if err := checkCID(l.Cid); err != nil || l.Cid.Type() != cid.Raw {
			return bad("link %d is no raw block", i)
		}
		if m, ok := sizes[l.Cid]; ok && m != int(n) {
			return bad("block %s with two sizes", l.Cid)
		}
		sizes[l.Cid] = int(n)
		leaves = append(leaves, leaf{l.Cid, int(n)})
		size += n
	}
	canonical, err := encodeRoot(leaves)
	if err != nil {
		return bad("%v", err)
	}
	if !bytes.Equal(canonical, data) {
		return bad("not encoded as the profile does")
	}
	return leaves, size, nil
}

// encodeRoot makes the node over leaves.
func encodeRoot(leaves []leaf) ([]byte, error) {
	file := unixfs.NewFSNode(unixfs.TFile)
	node := &merkledag.ProtoNode{}
	if err := node.SetCidBuilder(cidPrefix); err != nil {
		return nil, err
	}
	for _, l := range leaves {
		file.AddBlockSize(uint64(l.size))
		if err := node.AddRawLink("", &ipld.Link{Size: uint64(l.size), Cid: l.cid}); err != nil {
			return nil, err
		}
	}
	data, err := file.GetBytes()
	if err != nil {
		return nil, err
	}
	node.SetData(data)
	return node.EncodeProtobuf(false)
}

// distinct returns the leaves in order, each once.
func distinct(leaves []leaf) []leaf {
	seen := make(map[cid.Cid]bool, len(leaves))
	var out []leaf
	for _, l := range leaves {
		if !seen[l.cid] {
			seen[l.cid] = true
			out = append(out, l)
		}
	}
	return out
}

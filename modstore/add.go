package modstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// Add stores the module that r yields, to its end. When it returns nil, the
// module is on the disk. The size is in bytes. Adding what is there already
// changes nothing, except that damaged blocks are repaired.
//
// More than [MaxModule] bytes: [ErrTooLarge], and nothing is stored; r is read
// at most one byte further. It holds the whole content in memory, so as not to
// make others wait for a slow reader. After any error the module is not here,
// unless it was before.
func (s *Store) Add(ctx context.Context, r io.Reader) (c cid.Cid, size uint64, err error) {
	if err := s.open(); err != nil {
		return cid.Undef, 0, err
	}
	chunks, size, err := readModule(r)
	if err != nil {
		return cid.Undef, 0, fmt.Errorf("add: %w", err)
	}
	unlock, err := s.lock(ctx, false)
	if err != nil {
		return cid.Undef, 0, fmt.Errorf("add: %w", err)
	}
	defer unlock()

	w := &blockWriter{store: func(batch []blocks.Block) error { return s.blocks.PutMany(ctx, batch) }}
	c, err = layOut(&cutter{rest: chunks}, w)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = s.record(c, size)
	}
	if err != nil {
		return cid.Undef, 0, fmt.Errorf("add: %w", err)
	}
	return c, size, nil
}

// CIDOf returns the CID and size that [Store.Add] would give, and stores
// nothing. It holds a few chunks in memory.
func CIDOf(r io.Reader) (cid.Cid, uint64, error) {
	counted := &countingReader{r: r}
	c, err := layOut(chunk.NewSizeSplitter(counted, chunkSize), discardBlocks())
	if err != nil {
		return cid.Undef, 0, fmt.Errorf("CID: %w", err)
	}
	return c, counted.n, nil
}

// layOut runs boxo's importer with the parameters of the profile. They are
// passed here, as the profile of boxo would set variables of the process.
func layOut(chunks chunk.Splitter, w *blockWriter) (cid.Cid, error) {
	params := helpers.DagBuilderParams{
		Maxlinks:   maxLinks,
		RawLeaves:  true,
		CidBuilder: cidPrefix,
		Dagserv:    w,
	}
	builder, err := params.New(chunks)
	if err != nil {
		return cid.Undef, err
	}
	root, err := balanced.Layout(builder)
	if err != nil {
		return cid.Undef, err
	}
	return root.Cid(), nil
}

// readModule reads r to its end, in chunks that are full but for the last. One
// buffer that grew would be copied, and its new pages filled, again and again;
// that costs more than hashing.
func readModule(r io.Reader) (chunks [][]byte, size uint64, err error) {
	length := lengthOf(r)
	r = io.LimitReader(r, MaxModule+1)
	room := min(length, chunkSize) // unknown: most have less than a chunk
	for {
		buf := bytes.NewBuffer(make([]byte, 0, room+bytes.MinRead))
		n, err := buf.ReadFrom(io.LimitReader(r, chunkSize))
		if err != nil {
			return nil, 0, err
		}
		if n > 0 {
			chunks = append(chunks, buf.Bytes()[:n:n])
		}
		if size += uint64(n); size > MaxModule {
			return nil, 0, ErrTooLarge
		}
		if n < chunkSize {
			return chunks, size, nil
		}
		room = chunkSize
		if size <= length {
			room = min(length-size, chunkSize)
		}
	}
}

// lengthOf returns how many bytes r says it has, as a file does; 0 is unknown.
// r may have more or less.
func lengthOf(r io.Reader) uint64 {
	switch r := r.(type) {
	case interface{ Len() int }:
		return uint64(max(r.Len(), 0))
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return uint64(max(info.Size(), 0))
		}
	}
	return 0
}

// cutter is the splitter for what is in chunks already: it does not copy.
type cutter struct{ rest [][]byte }

// Reader has none to give: the importer would only look whether it is a file.
func (c *cutter) Reader() io.Reader { return nil }

func (c *cutter) NextBytes() ([]byte, error) {
	if len(c.rest) == 0 {
		return nil, io.EOF
	}
	part := c.rest[0]
	c.rest = c.rest[1:]
	return part, nil
}

// countingReader counts what it lets pass, and refuses more than MaxModule.
type countingReader struct {
	r io.Reader
	n uint64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	if c.n > MaxModule {
		return 0, ErrTooLarge
	}
	return n, err
}

// blockWriter is the part of a DAG service that the importer uses: it takes
// nodes, and hands them on in batches. It is used by one goroutine.
type blockWriter struct {
	store   func([]blocks.Block) error
	pending []blocks.Block
	bytes   int
}

// flushAt is the size of a batch, in bytes: enough for the fsyncs of a batch to
// overlap, little enough beside a module.
const flushAt = parallelSyncs * chunkSize

// discardBlocks makes a writer that keeps nothing.
func discardBlocks() *blockWriter {
	return &blockWriter{store: func([]blocks.Block) error { return nil }}
}

func (w *blockWriter) Add(_ context.Context, n ipld.Node) error {
	w.pending = append(w.pending, n)
	w.bytes += len(n.RawData())
	if w.bytes < flushAt {
		return nil
	}
	return w.flush()
}

func (w *blockWriter) AddMany(ctx context.Context, nodes []ipld.Node) error {
	for _, n := range nodes {
		if err := w.Add(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (w *blockWriter) flush() error {
	if len(w.pending) == 0 {
		return nil
	}
	batch := w.pending
	w.pending, w.bytes = nil, 0
	return w.store(batch)
}

var errWriteOnly = errors.New("block writer: cannot read or remove")

func (w *blockWriter) Get(context.Context, cid.Cid) (ipld.Node, error) { return nil, errWriteOnly }

func (w *blockWriter) GetMany(context.Context, []cid.Cid) <-chan *ipld.NodeOption {
	c := make(chan *ipld.NodeOption, 1)
	c <- &ipld.NodeOption{Err: errWriteOnly}
	close(c)
	return c
}

func (w *blockWriter) Remove(context.Context, cid.Cid) error { return errWriteOnly }

func (w *blockWriter) RemoveMany(context.Context, []cid.Cid) error { return errWriteOnly }

var _ ipld.DAGService = (*blockWriter)(nil)

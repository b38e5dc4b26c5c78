package modstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"
)

// A module travels without a network as a CAR, the archive of blocks that IPFS tools
// read and write: https://ipld.io/specs/transport/car/carv1/

const (
	// maxCARHeader bounds the header; one of a single root has 59 bytes.
	maxCARHeader = 4 << 10
	// maxCARSection bounds a block and its CID.
	maxCARSection = maxBlock + 128
	// maxCARBlocks bounds the blocks: those of a module, each twice.
	maxCARBlocks = 2 * (MaxModule/chunkSize + 1)
)

// WriteCAR writes the module c to w as a CAR of version 1: its CID as the only root, and
// its blocks, the root first, then each in the order of the file, once. It holds one
// block in memory. Errors are those of w and of [Store.Blocks]; what was written until
// then is no CAR.
func (s *Store) WriteCAR(ctx context.Context, c cid.Cid, w io.Writer) error {
	// Without what else w can do: the package would write a pipe as a file.
	out, err := storage.NewWritable(struct{ io.Writer }{w}, []cid.Cid{c}, car.WriteAsCarV1(true))
	if err != nil {
		return fmt.Errorf("CAR: %w", err)
	}
	return s.Blocks(ctx, c, func(c cid.Cid, data []byte) error {
		return out.Put(ctx, c.KeyString(), data)
	})
}

// ReadCAR returns the module that a CAR, of version 1 or 2, has as its only root, and
// its CID, which is that of [Store.Add]. Blocks may come in any order, also twice, but
// none of something else. Each is verified. It fails with [ErrBadCAR], and with
// [ErrCorrupt], [ErrBadDAG] or [ErrTooLarge] as an [Import].
//
// r is read from where it is to its end, by then from place to place. What is in
// memory is bounded by the module and one block, whatever r says.
func ReadCAR(r io.ReadSeeker) (cid.Cid, []byte, error) {
	a, err := indexCAR(r)
	if err != nil {
		return cid.Undef, nil, err
	}
	data, err := a.module()
	return a.root, data, err
}

// archive is where the blocks of a CAR are.
type archive struct {
	r      io.ReadSeeker
	root   cid.Cid
	blocks map[cid.Cid]span
}

type span struct {
	at   int64
	size int
}

func badCAR(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBadCAR, fmt.Errorf(format, args...))
}

func indexCAR(r io.ReadSeeker) (*archive, error) {
	sections, err := car.NewBlockReader(r, car.MaxAllowedHeaderSize(maxCARHeader), car.MaxAllowedSectionSize(maxCARSection))
	if err != nil {
		return nil, badCAR("its header: %w", unexpectedEnd(err))
	}
	if len(sections.Roots) != 1 {
		return nil, badCAR("it has %d roots, a module is one", len(sections.Roots))
	}
	a := &archive{r: r, root: sections.Roots[0], blocks: map[cid.Cid]span{}}
	if err := checkCID(a.root); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		s, err := sections.SkipNext()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return a, nil
		}
		if err != nil {
			return nil, badCAR("block %d: %w", n+1, err)
		}
		if n == maxCARBlocks {
			return nil, badCAR("more than %d blocks", maxCARBlocks)
		}
		end, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if _, ok := a.blocks[s.Cid]; !ok {
			a.blocks[s.Cid] = span{end - int64(s.Size), int(s.Size)}
		}
	}
}

// unexpectedEnd says that an end came too early.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// module puts the module together.
func (a *archive) module() ([]byte, error) {
	data, err := a.block(a.root)
	if err != nil {
		return nil, err
	}
	leaves, size, err := parseRoot(a.root, data)
	if err != nil {
		return nil, err
	}
	ours := map[cid.Cid]bool{a.root: true}
	for _, l := range leaves {
		ours[l.cid] = true
	}
	for c := range a.blocks {
		if !ours[c] {
			return nil, badCAR("block %s is not of module %s", c, a.root)
		}
	}
	if leaves == nil {
		return data, nil
	}
	for _, l := range leaves { // before room is made for what may not be there
		if s, ok := a.blocks[l.cid]; ok && s.size != l.size {
			return nil, badCAR("block %s has %d bytes, not %d", l.cid, s.size, l.size)
		} else if !ok {
			return nil, badCAR("block %s is missing", l.cid)
		}
	}
	out := make([]byte, 0, size)
	for _, l := range leaves {
		data, err := a.block(l.cid)
		if err != nil {
			return nil, err
		}
		out = append(out, data...)
	}
	return out, nil
}

func (a *archive) block(c cid.Cid) ([]byte, error) {
	s, ok := a.blocks[c]
	if !ok {
		return nil, badCAR("block %s is missing", c)
	}
	if s.size > maxBlock {
		return nil, badCAR("block %s has %d bytes", c, s.size)
	}
	if _, err := a.r.Seek(s.at, io.SeekStart); err != nil {
		return nil, err
	}
	data := make([]byte, s.size)
	if _, err := io.ReadFull(a.r, data); err != nil {
		return nil, badCAR("block %s: %w", c, unexpectedEnd(err))
	}
	return data, verify(c, data)
}

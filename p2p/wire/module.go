package wire

import (
	"github.com/ipfs/go-cid"
)

// Kinds of the frames that send a module.
const (
	ModuleWant  = 1
	ModuleBlock = 2
	ModuleEnd   = 3
)

// MaxBlock bounds a block: a chunk of a module is at most 1 MiB, and so is a
// frame after what else a block's frame holds.
const MaxBlock = MaxFrame + 256

// AppendWant appends the request for a module.
func AppendWant(b []byte, c cid.Cid) []byte {
	return AppendFrame(b, ModuleWant, func(b []byte) []byte { return appendBytes(b, c.Bytes()) })
}

// DecodeWant reads the body of a want frame.
func DecodeWant(body []byte) (cid.Cid, error) {
	d := decoder{b: body}
	c := d.cid()
	return c, d.err
}

// AppendBlock appends a block.
func AppendBlock(b []byte, c cid.Cid, data []byte) []byte {
	return AppendFrame(b, ModuleBlock, func(b []byte) []byte {
		b = appendBytes(b, c.Bytes())
		return appendBytes(b, data)
	})
}

// DecodeBlock reads the body of a block frame; the data is a part of it. It
// does not verify the block.
func DecodeBlock(body []byte) (c cid.Cid, data []byte, err error) {
	d := decoder{b: body}
	c = d.cid()
	data = d.bytes()
	return c, data, d.err
}

// cid reads a length-prefixed CID.
func (d *decoder) cid() cid.Cid {
	b := d.bytes()
	if d.err != nil {
		return cid.Undef
	}
	c, err := cid.Cast(b)
	if err != nil {
		d.fail("not a CID: %v", err)
		return cid.Undef
	}
	return c
}

package guest

import (
	"bytes"

	"github.com/wnode-project/wnode/engine/guest/image"
)

const (
	// maxFlat is up to how large an image is copied to where it is needed; a
	// larger one is mapped.
	maxFlat = 128 << 10
	// osPage is the unit in which memory is looked at when it is put back.
	osPage = 4096
)

// initial is the state that the instances of a module begin with.
type initial struct {
	resettable bool // an instance that was used can be put back to it
	globals    []image.Global
	memory     uint64 // bytes; 0 is none, or an empty one

	// The data: flat at address low, zeros elsewhere; or all of it in file.
	low  uint64
	flat []byte
	file *imageFile // nil: flat
}

// newInitial keeps what an image says; it does not keep the module's bytes.
// memory is how many bytes its memory has from the start.
func newInitial(im *image.Image, memory uint64) *initial {
	in := &initial{resettable: im.Resettable, globals: im.Globals, memory: memory}
	if len(im.Data) == 0 {
		return in
	}
	last := im.Data[len(im.Data)-1]
	in.low = uint64(im.Data[0].Offset)
	span := uint64(last.Offset) + uint64(len(last.Bytes)) - in.low
	if span > maxFlat {
		if f, err := newImageFile(memory, im.Data); err == nil {
			in.file = f
			return in
		}
	}
	in.flat = make([]byte, span)
	for _, s := range im.Data {
		copy(in.flat[uint64(s.Offset)-in.low:], s.Bytes)
	}
	return in
}

// close gives up what the system holds. Instances stay as they are.
func (in *initial) close() {
	if in != nil && in.file != nil {
		in.file.close()
	}
}

// restore makes b, the used part of a memory, what it is at the start. Pages
// that were not written stay untouched: looking is as fast as clearing, and a
// page that nobody writes to takes no memory. zero is a page of zeros.
func (in *initial) restore(b, zero []byte) {
	for at := uint64(0); at < uint64(len(b)); at += osPage {
		p := b[at:min(at+osPage, uint64(len(b)))]
		if at >= in.low+uint64(len(in.flat)) || at+osPage <= in.low {
			if !bytes.Equal(p, zero[:len(p)]) {
				clear(p)
			}
			continue
		}
		before, data := uint64(0), uint64(0) // where data begins in p, and p in data
		if in.low > at {
			before = in.low - at
		} else {
			data = at - in.low
		}
		clear(p[:before])
		n := copy(p[before:], in.flat[data:])
		clear(p[before+uint64(n):])
	}
}

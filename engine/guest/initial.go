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

	// What the memory holds: data at address low, both multiples of osPage, and
	// zeros elsewhere.
	low  uint64
	data []byte
	file *imageFile // has the same, to be mapped; nil if data is small
}

// newInitial keeps what an image says; it does not keep the module's bytes.
// memory is how many bytes its memory has from the start.
func newInitial(im *image.Image, memory uint64) *initial {
	in := &initial{resettable: im.Resettable, globals: im.Globals, memory: memory}
	if len(im.Data) == 0 {
		return in
	}
	last := im.Data[len(im.Data)-1]
	in.low = uint64(im.Data[0].Offset) / osPage * osPage
	end := (uint64(last.Offset) + uint64(len(last.Bytes)) + osPage - 1) / osPage * osPage
	if end-in.low > maxFlat {
		if f, err := newImageFile(memory, im.Data); err == nil {
			in.file, in.data = f, f.b[in.low:end]
			return in
		}
	}
	in.data = make([]byte, end-in.low)
	for _, s := range im.Data {
		copy(in.data[uint64(s.Offset)-in.low:], s.Bytes)
	}
	return in
}

// page returns the page at an address, as it is at the start.
func (in *initial) page(at uint64, zero []byte) []byte {
	if at >= in.low && at-in.low < uint64(len(in.data)) {
		return in.data[at-in.low:][:osPage]
	}
	return zero
}

// close gives up what the system holds. Instances stay as they are.
func (in *initial) close() {
	if in != nil && in.file != nil {
		in.file.close()
	}
}

// restore makes b, the used part of a memory, what it is at the start. Pages
// that were not written stay untouched: looking is as fast as clearing, a page
// that nobody writes to takes no memory, and one that is kept costs no fault.
// zero is a page of zeros.
func (in *initial) restore(b, zero []byte) {
	for at := uint64(0); at < uint64(len(b)); at += osPage {
		page, want := b[at:at+osPage], in.page(at, zero)
		if !bytes.Equal(page, want) {
			copy(page, want)
		}
	}
}

//go:build !linux

package guest

import (
	"errors"

	"github.com/wnode-project/wnode/engine/guest/image"
)

// Where there are no files without a name, images are copied.

func discard(b []byte) { clear(b) }

func preferHuge([]byte) {}

func smallPages([]byte) {}

type imageFile struct{ b []byte }

func newImageFile(uint64, []image.Segment) (*imageFile, error) { return nil, errors.ErrUnsupported }

func (*imageFile) mapTo([]byte) error { return errors.ErrUnsupported }

func (*imageFile) close() {}

package logs

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/wnode-project/wnode/engine"
)

const recordHead = 8 + 1 + 4

func appendRecord(b []byte, r Record) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Time.UnixNano()))
	b = append(b, byte(r.Stream))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Data)))
	return append(b, r.Data...)
}

// parseRecord reads the record that b begins with, and how many bytes it has. It
// refers to b.
func parseRecord(b []byte) (r Record, n int, ok bool) {
	if len(b) < recordHead {
		return r, 0, false
	}
	size := uint64(binary.LittleEndian.Uint32(b[9:]))
	if size > uint64(len(b)-recordHead) {
		return r, 0, false
	}
	n = recordHead + int(size)
	return Record{
		Time:   time.Unix(0, int64(binary.LittleEndian.Uint64(b))),
		Stream: engine.Stream(b[8]),
		Data:   b[recordHead:n:n],
	}, n, true
}

// cutLine returns the first line of b, and what follows.
func cutLine(b []byte) (line, rest []byte, ok bool) { return bytes.Cut(b, []byte{'\n'}) }

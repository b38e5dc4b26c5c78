package wire_test

import (
	"bytes"
	"testing"

	"github.com/wnode-project/wnode/p2p/wire"
)

// FuzzLarge reads any bytes as what carries a signal in parts. What decodes is within
// the limits, and encodes again to the same bytes, but for what a later version adds.
func FuzzLarge(f *testing.F) {
	f.Add(wire.Large{ID: 7, Kind: 3, Total: wire.MaxLarge}.Append(nil)[6:])
	f.Add(wire.Large{ID: 1<<32 - 1, Kind: 255, Total: wire.MaxLarge + 1}.Append(nil)[6:])
	f.Add(wire.AppendAck(nil, 1<<32-1)[6:])
	f.Add(append(wire.AppendPartHeader(nil, 9, 3)[6:], "abc"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		same := func(what string, b []byte) {
			if body := b[6:]; len(body) > len(in) || !bytes.Equal(body, in[:len(body)]) {
				t.Errorf("%s: %x encodes to %x", what, in, body)
			}
		}
		if l, err := wire.DecodeLarge(in); err == nil {
			if l.Total > wire.MaxLarge {
				t.Errorf("a signal of %d bytes", l.Total)
			}
			same("large", l.Append(nil))
		}
		if n, err := wire.DecodeAck(in); err == nil {
			if n < 0 {
				t.Errorf("an ack of %d bytes", n)
			}
			same("ack", wire.AppendAck(nil, n))
		}
		if id, err := wire.DecodePartHeader(in); err == nil {
			same("part", wire.AppendPartHeader(nil, id, len(in)-wire.PartHeader))
		}
	})
}

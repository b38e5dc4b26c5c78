package enginetest

import (
	"bufio"
	"bytes"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// OverWire is for NewNetwork: each signal is encoded and decoded as for a real network.
func OverWire(s *engine.Signal) (*engine.Signal, error) {
	b, err := wire.AppendSignal(nil, s)
	if err != nil {
		return nil, err
	}
	kind, body, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), wire.MaxFrame)
	if err != nil {
		return nil, err
	}
	return wire.DecodeSignal(kind, body,
		wire.Endpoint{Node: s.From.Node, Incarnation: s.From.Incarnation},
		wire.Endpoint{Node: s.To.Node, Incarnation: s.To.Incarnation})
}

package enginetest_test

import (
	"bufio"
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryNetwork(t *testing.T) {
	enginetest.Conformance(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
		return enginetest.NewNetwork(t, p, nil)
	})
}

// The same with each signal as bytes in between.
func TestMemoryNetworkOverWire(t *testing.T) {
	enginetest.Conformance(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
		return enginetest.NewNetwork(t, p, throughWire)
	})
}

func throughWire(s *engine.Signal) (*engine.Signal, error) {
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

func TestCuts(t *testing.T) {
	enginetest.Cuts(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
		return enginetest.NewNetwork(t, p, throughWire)
	})
}

package enginetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine/enginetest"
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
		return enginetest.NewNetwork(t, p, enginetest.OverWire)
	})
}

func TestCuts(t *testing.T) {
	enginetest.Cuts(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
		return enginetest.NewNetwork(t, p, enginetest.OverWire)
	})
}

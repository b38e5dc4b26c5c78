package p2p

import (
	"testing"

	"github.com/wnode-project/wnode/engine/enginetest"
)

func TestConformance(t *testing.T) {
	for _, c := range []struct{ name, listen string }{
		{"tcp", "/ip4/127.0.0.1/tcp/0"},
		{"quic", "/ip4/127.0.0.1/udp/0/quic-v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			enginetest.Conformance(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
				cluster := newCluster(t, c.listen)
				cluster.programs = p
				return cluster
			})
		})
	}
}

func TestCuts(t *testing.T) {
	enginetest.Cuts(t, func(t *testing.T, p *enginetest.Programs) enginetest.Cluster {
		c := newCluster(t)
		c.programs = p
		return c
	})
}

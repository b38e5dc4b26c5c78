package p2p

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// Limits of the connections of one node, against those that are not proved
// above all. libp2p's own defaults are for an open network: they refuse the
// members of a closed one.
const (
	maxConns       = 4096
	maxInbound     = 2048
	maxHandshaking = 128 // inbound, before both sides know each other's key
	maxPerPeer     = 16
	perAddress     = 20  // new connections a second from one address
	perAddressMax  = 100 // at once
)

// newHost starts libp2p with the transports and nothing else: no relay, no
// discovery, no ping; identify is always there.
func newHost(key crypto.PrivKey, listen []string) (host.Host, error) {
	limits, err := newLimits()
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(libp2ptls.ID, newTLS),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(limits),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Ping(false),
		libp2p.UserAgent("wnode"),
		libp2p.ProtocolVersion("wnode"),
	}
	if len(listen) == 0 {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		for _, l := range listen {
			if _, err := ma.NewMultiaddr(l); err != nil {
				return nil, failf(ErrBadAddress, "--listen %q is not a multiaddr (%v): want /ip4/ADDRESS/tcp/PORT or /ip4/ADDRESS/udp/PORT/quic-v1", l, err)
			}
		}
		opts = append(opts, libp2p.ListenAddrStrings(listen...))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %s", strings.Join(listen, ", "), lastPart(err.Error()))
	}
	return h, nil
}

func newTLS(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
	t, err := libp2ptls.New(id, key, muxers)
	return batched{t}, err
}

func newLimits() (network.ResourceManager, error) {
	cfg := rcmgr.PartialLimitConfig{
		System:      rcmgr.ResourceLimits{Conns: maxConns, ConnsInbound: maxInbound},
		Transient:   rcmgr.ResourceLimits{ConnsInbound: maxHandshaking},
		PeerDefault: rcmgr.ResourceLimits{Conns: maxPerPeer},
	}
	subnet := func(bits int) []rcmgr.ConnLimitPerSubnet {
		return []rcmgr.ConnLimitPerSubnet{{PrefixLength: bits, ConnCount: maxInbound}}
	}
	each := func(bits int) []rate.SubnetLimit {
		return []rate.SubnetLimit{{PrefixLength: bits, Limit: rate.Limit{RPS: perAddress, Burst: perAddressMax}}}
	}
	return rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(cfg.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(subnet(32), subnet(56)),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{ // this machine itself
				{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")},
			},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: each(32), IPv6SubnetLimits: each(56), GracePeriod: time.Minute,
			},
		}),
	)
}

func isQUIC(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}

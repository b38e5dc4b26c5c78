package p2p

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"
)

// parseInfos groups multiaddrs with /p2p/ by peer.
func parseInfos(addrs []string) ([]peer.AddrInfo, error) {
	var list []ma.Multiaddr
	for _, a := range addrs {
		m, err := ma.NewMultiaddr(a)
		if err != nil {
			return nil, failf(ErrBadAddress, "%q is not an address: %v", a, err)
		}
		list = append(list, m)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(list...)
	if err != nil {
		return nil, failf(ErrBadAddress, "%v", err)
	}
	return infos, nil
}

// parseAddr reads an address to join: a multiaddr or HOST:PORT. The peer id is
// "" if the address does not have one.
func parseAddr(addr string) (*peer.AddrInfo, error) {
	bad := func(why string) error {
		return failf(ErrBadAddress, "%q is not an address: %s; want HOST:PORT, or /ip4/ADDRESS/tcp/PORT/p2p/PEERID as `wnode up` prints it", addr, why)
	}
	if !strings.HasPrefix(addr, "/") {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, bad("it has no port")
		}
		if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 || host == "" {
			return nil, bad("the port is 1 to 65535")
		}
		kind := "dns"
		if ip := net.ParseIP(host); ip != nil && ip.To4() != nil {
			kind = "ip4"
		} else if ip != nil {
			kind = "ip6"
		}
		addr = "/" + kind + "/" + host + "/tcp/" + port
	}
	m, err := ma.NewMultiaddr(addr)
	if err != nil {
		return nil, bad(lastPart(err.Error()))
	}
	transport, id := peer.SplitAddr(m)
	if transport == nil {
		return nil, bad("it names a peer but not where it is")
	}
	if _, err := transport.ValueForProtocol(ma.P_TCP); err != nil && !isQUIC(transport) {
		return nil, bad("it has neither /tcp/PORT nor /udp/PORT/quic-v1")
	}
	return &peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{transport}}, nil
}

// resolve reads an address and finds out who is there if it does not say.
func (n *Node) resolve(ctx context.Context, addr string) (*peer.AddrInfo, error) {
	info, err := parseAddr(addr)
	if err != nil || info.ID != "" {
		return info, err
	}
	info.ID, err = n.whoIs(ctx, info.Addrs[0])
	return info, err
}

// whoIs asks for the peer id at an address by dialling for another one: the
// handshake of Noise or TLS then fails and says whose key it met. The id is not
// proved by this; the dial that follows proves it.
func (n *Node) whoIs(ctx context.Context, a ma.Multiaddr) (peer.ID, error) {
	_, public, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		return "", err
	}
	nobody, err := peer.IDFromPublicKey(public)
	if err != nil {
		return "", err
	}
	n.host.Peerstore().AddAddr(nobody, a, giveWayTime)
	defer n.host.Peerstore().ClearAddrs(nobody)
	c, err := n.host.Host.Network().DialPeer(ctx, nobody)
	var met sec.ErrPeerIDMismatch
	switch {
	case err == nil:
		c.Close()
		return "", failf(ErrProtocol, "the node at %s claims to be anyone", a)
	case errors.As(err, &met):
		return met.Actual, nil
	case ctx.Err() != nil:
		return "", failf(ErrPeerDown, "no answer from %s", a)
	}
	return "", failf(ErrPeerDown, "no answer from %s: %s", a, dialReason(err))
}

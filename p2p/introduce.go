package p2p

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
)

// introduction asks a node to connect to another: the service "connect".
type introduction struct {
	PeerID string   `json:"peer_id"`
	Addrs  []string `json:"addrs"`
}

// maxIntroduced bounds the addresses in one introduction.
const maxIntroduced = 32

// Introduce implements engine.Dist.
func (n *Node) Introduce(ctx context.Context, node, to engine.NodeID) error {
	n.mu.Lock()
	var known introduction
	for id, e := range n.pairs {
		if e.session != nil && nodeID(id) == to {
			known = introduction{id.String(), slices.Clone(e.session.addrs)}
		}
	}
	n.mu.Unlock()
	if known.PeerID == "" {
		return failf(ErrPeerDown, "the node is not connected")
	}
	known.Addrs = known.Addrs[:min(len(known.Addrs), maxIntroduced)]
	body, err := json.Marshal(known)
	if err != nil {
		return err
	}
	_, err = n.eng.Call(ctx, node, "connect", body)
	return err
}

// introduced connects to a node that another one knows. It proves itself there as
// ever, and so does that node here.
func (n *Node) introduced(ctx context.Context, _ engine.Caller, body []byte) ([]byte, error) {
	var to introduction
	if err := json.Unmarshal(body, &to); err != nil {
		return nil, err
	}
	id, err := peer.Decode(to.PeerID)
	if err != nil || len(to.Addrs) > maxIntroduced {
		return nil, engine.Reasonf(engine.BadArg, "an introduction to %q at %d addresses", to.PeerID, len(to.Addrs))
	}
	infos, err := parseInfos(to.Addrs)
	if err != nil || len(infos) != 1 || infos[0].ID != id {
		return nil, engine.Reasonf(engine.BadArg, "an introduction to %q with addresses of others, or none", to.PeerID)
	}
	if _, err = n.reach(ctx, infos[0]); err != nil {
		return nil, engine.Reasonf(engine.NoConnection, "%v", err)
	}
	return nil, nil
}

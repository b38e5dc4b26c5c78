package p2p

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// delegationLife is how long a user key's word for a node holds; a node makes a
// new one at each connection.
const delegationLife = 24 * time.Hour

// IDs returns what follows from a node's key: its libp2p peer id in text form,
// and the id that pids carry.
func IDs(key ed25519.PrivateKey) (peerID string, id engine.NodeID, err error) {
	_, p, err := libp2pKey(key)
	return p.String(), nodeID(p), err
}

func libp2pKey(key ed25519.PrivateKey) (crypto.PrivKey, peer.ID, error) {
	k, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("node key: %w", err)
	}
	p, err := peer.IDFromPrivateKey(k)
	return k, p, err
}

// nodeID is the truncated SHA-256 of a peer id in binary form.
func nodeID(p peer.ID) (id engine.NodeID) {
	sum := sha256.Sum256([]byte(p))
	copy(id[:], sum[:])
	return id
}

// delegate says that the node p acts for the user.
func delegate(user ed25519.PrivateKey, p peer.ID, now time.Time) []byte {
	d := wire.Delegation{Expiry: now.Add(delegationLife).Unix()}
	copy(d.User[:], user.Public().(ed25519.PublicKey))
	copy(d.Sig[:], ed25519.Sign(user, d.Signed([]byte(p))))
	return d.Bytes()
}

// checkDelegation returns the user that the node p acts for. Clocks of two
// machines may differ by an hour.
func checkDelegation(b []byte, p peer.ID, now time.Time) (engine.Origin, error) {
	d, err := wire.DecodeDelegation(b)
	switch {
	case err != nil:
		return engine.Origin{}, err
	case !ed25519.Verify(d.User[:], d.Signed([]byte(p)), d.Sig[:]):
		return engine.Origin{}, errors.New("the delegation is not signed by its user")
	case now.Add(-time.Hour).Unix() > d.Expiry:
		return engine.Origin{}, errors.New("the delegation has expired: compare the clocks of both machines")
	}
	return d.User, nil
}

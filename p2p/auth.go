package p2p

import (
	"bufio"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// authProtocol is how nodes prove that they belong to one cluster. The messages
// and what the proofs cover are specified in package wire.
const authProtocol = "/wnode/auth/1"

// features are the optional parts of the protocols that this node speaks.
var features = []string{}

type authRole string

const (
	dialler  authRole = "dialler"
	listener authRole = "listener"
)

// transcript is all that a proof covers besides the prover's role.
type transcript struct {
	kind                  wire.ProofKind
	cookie                Cookie
	dialler, listener     peer.ID
	offer, challenge      []byte // bodies, as they were sent
	diallerDel, diallerCt []byte
	listenDel, listenCt   []byte // nil in the dialler's proof
	security              string
}

// mac returns the proof of a role.
func (t *transcript) mac(role authRole) ([32]byte, error) {
	var out [32]byte
	key, err := hkdf.Key(sha256.New, t.cookie.key[:], t.cookie.cluster[:], "wnode/auth/1 "+string(role), sha256.Size)
	if err != nil {
		return out, err
	}
	m := hmac.New(sha256.New, key)
	hashed := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		sum := sha256.Sum256(b)
		return sum[:]
	}
	for _, part := range [][]byte{
		{byte(t.kind)}, []byte(role), t.cookie.cluster[:], []byte(t.dialler), []byte(t.listener),
		t.offer, t.challenge, hashed(t.diallerDel), hashed(t.diallerCt), hashed(t.listenDel), hashed(t.listenCt),
		[]byte(t.security),
	} {
		n := len(part)
		m.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		m.Write(part)
	}
	copy(out[:], m.Sum(nil))
	return out, nil
}

// authenticator proves this node to others and checks theirs.
type authenticator struct {
	cookie   Cookie
	self     peer.ID
	delegate func() []byte // a fresh delegation of this node
}

// authStream is one run of the protocol.
type authStream struct {
	network.Stream
	r *bufio.Reader
}

func newAuthStream(s network.Stream) (*authStream, error) {
	return &authStream{s, bufio.NewReaderSize(s, 4096)}, s.SetDeadline(time.Now().Add(proofTime))
}

// read reads a frame of a kind; a refusal is an error.
func (s *authStream) read(kind uint8) ([]byte, error) {
	got, body, err := wire.ReadFrame(s.r, wire.MaxAuth)
	if err != nil {
		return nil, err
	}
	if got == wire.KindRefusal {
		r, err := wire.DecodeRefusal(body)
		if err != nil {
			return nil, err
		}
		return nil, &refusedError{r}
	}
	if got != kind {
		return nil, fmt.Errorf("%w: frame %d where %d should be", wire.ErrMalformed, got, kind)
	}
	return body, nil
}

// refusedError is a refusal of the other side.
type refusedError struct{ wire.Refusal }

func (e *refusedError) Error() string { return e.Text }

func freshOffer() wire.Offer {
	o := wire.Offer{Versions: []uint32{wire.AuthVersion}, Features: features}
	rand.Read(o.Nonce[:]) // never fails
	return o
}

// commonVersion reports whether both speak a version of the authentication.
func commonVersion(o wire.Offer) bool { return slices.Contains(o.Versions, wire.AuthVersion) }

// dial authenticates a connection that this node made. It proves itself first.
func (a *authenticator) dial(ctx context.Context, c network.Conn) (proof, error) {
	raw, err := openStream(ctx, c, authProtocol)
	if err != nil {
		return proof{}, brokef(ErrProtocol, "%s is no wnode, or of another version: %s", c.RemotePeer(), lastPart(err.Error()))
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Reset() })
	defer stop()
	p, err := a.dialOn(raw)
	if err != nil {
		raw.Reset()
		return proof{}, a.explain(c, err)
	}
	return p, nil
}

func (a *authenticator) dialOn(raw network.Stream) (proof, error) {
	s, err := newAuthStream(raw)
	if err != nil {
		return proof{}, err
	}
	c := raw.Conn()
	t := transcript{
		kind: wire.ProofCookie, cookie: a.cookie, dialler: a.self, listener: c.RemotePeer(),
		offer: freshOffer().Body(), security: string(c.ConnState().Security),
	}
	if _, err := s.Write(wire.AppendFrame(nil, wire.AuthOffer, func(b []byte) []byte { return append(b, t.offer...) })); err != nil {
		return proof{}, err
	}
	if t.challenge, err = s.read(wire.AuthChallenge); err != nil {
		return proof{}, err
	}
	challenge, err := wire.DecodeOffer(t.challenge)
	if err != nil {
		return proof{}, err
	}
	if !commonVersion(challenge) {
		return proof{}, &refusedError{wire.Refusal{Code: wire.RefusedVersion}}
	}
	mine := wire.Proof{Kind: wire.ProofCookie, Delegation: a.delegate()}
	t.diallerDel, t.diallerCt = mine.Delegation, wire.CertificateBytes(nil)
	if mine.MAC, err = t.mac(dialler); err != nil {
		return proof{}, err
	}
	if _, err := s.Write(mine.Append(nil)); err != nil {
		return proof{}, err
	}
	body, err := s.read(wire.AuthProof)
	if err != nil {
		return proof{}, err
	}
	theirs, err := wire.DecodeProof(body)
	if err != nil {
		return proof{}, err
	}
	t.listenDel, t.listenCt = theirs.Delegation, wire.CertificateBytes(theirs.Certificates)
	return t.check(theirs, listener, c.RemotePeer())
}

var errWrongProof = errors.New("wrong proof")

// check verifies the proof of the other side, in constant time.
func (t *transcript) check(p wire.Proof, role authRole, who peer.ID) (proof, error) {
	want, err := t.mac(role)
	if err != nil {
		return proof{}, err
	}
	if p.Kind != t.kind || !hmac.Equal(p.MAC[:], want[:]) {
		return proof{}, errWrongProof
	}
	user, err := checkDelegation(p.Delegation, who, time.Now())
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errWrongProof, err)
	}
	return proof{user: user, roles: engine.OpenRoles}, nil
}

// explain turns what went wrong into one line about the peer.
func (a *authenticator) explain(c network.Conn, err error) error {
	who := fmt.Sprintf("%s at %s", c.RemotePeer(), c.RemoteMultiaddr())
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && refused.Code == wire.RefusedVersion:
		return failf(ErrVersion, "%s speaks no version of the protocol that this wnode does: bring both to one release", who)
	case errors.As(err, &refused) && refused.Code == wire.RefusedProof:
		return failf(ErrNotAuthenticated, "%s does not accept our cookie: it is another cluster's; `wnode cookie show` there and `wnode cookie set` here make it one", who)
	case errors.As(err, &refused):
		return failf(ErrNotAuthenticated, "%s refused us: %s", who, refused.Text)
	case errors.Is(err, errWrongProof):
		return failf(ErrNotAuthenticated, "%s does not know our cookie: it is of another cluster", who)
	case errors.Is(err, wire.ErrMalformed):
		return failf(ErrProtocol, "%s sent wrong bytes while it authenticated: %v", who, err)
	}
	return brokef(ErrNotAuthenticated, "%s did not authenticate: %s", who, lastPart(err.Error()))
}

// accept authenticates a connection of another node and admits it to the gate.
// Of a refused one it says why, for the log.
func (a *authenticator) accept(raw network.Stream, admit func(proof)) error {
	s, err := newAuthStream(raw)
	if err != nil {
		return err
	}
	refuse := func(code wire.RefusalCode, err error) error {
		_, werr := s.Write(wire.Refusal{Code: code, Text: "refused"}.Append(nil))
		return errors.Join(err, werr)
	}
	c := raw.Conn()
	t := transcript{
		kind: wire.ProofCookie, cookie: a.cookie, dialler: c.RemotePeer(), listener: a.self,
		security: string(c.ConnState().Security),
	}
	if t.offer, err = s.read(wire.AuthOffer); err != nil {
		return err
	}
	offer, err := wire.DecodeOffer(t.offer)
	if err != nil {
		return refuse(wire.RefusedRequest, err)
	}
	if !commonVersion(offer) {
		return refuse(wire.RefusedVersion, fmt.Errorf("versions %v", offer.Versions))
	}
	t.challenge = freshOffer().Body()
	if _, err := s.Write(wire.AppendFrame(nil, wire.AuthChallenge, func(b []byte) []byte { return append(b, t.challenge...) })); err != nil {
		return err
	}
	body, err := s.read(wire.AuthProof)
	if err != nil {
		return err
	}
	theirs, err := wire.DecodeProof(body)
	if err != nil {
		return refuse(wire.RefusedRequest, err)
	}
	t.diallerDel, t.diallerCt = theirs.Delegation, wire.CertificateBytes(theirs.Certificates)
	p, err := t.check(theirs, dialler, c.RemotePeer())
	if err != nil {
		return refuse(wire.RefusedProof, err)
	}
	mine := wire.Proof{Kind: wire.ProofCookie, Delegation: a.delegate()}
	t.listenDel, t.listenCt = mine.Delegation, wire.CertificateBytes(nil)
	if mine.MAC, err = t.mac(listener); err != nil {
		return err
	}
	// The dialler's next stream may overtake this answer: open the gate first.
	admit(p)
	_, err = s.Write(mine.Append(nil))
	return err
}

package wire

import (
	"encoding/binary"
)

// Kinds of the frames of authentication.
const (
	AuthOffer     = 1
	AuthChallenge = 2
	AuthProof     = 3
)

// AuthVersion is the version of the authentication that this package speaks.
const AuthVersion = 1

// Offer is what each side offers before any proof.
type Offer struct {
	Versions []uint32
	Features []string
	Nonce    [32]byte
}

// maxVersions bounds the list: it is read before the peer is known.
const maxVersions = 64

// Body returns the body of an offer or challenge frame, which the macs cover.
func (o Offer) Body() []byte {
	b := binary.AppendUvarint(nil, uint64(len(o.Versions)))
	for _, v := range o.Versions {
		b = le.AppendUint32(b, v)
	}
	b = appendList(b, o.Features)
	return append(b, o.Nonce[:]...)
}

// DecodeOffer reads the body of an offer or challenge frame.
func DecodeOffer(body []byte) (o Offer, err error) {
	d := decoder{b: body}
	n := d.uvarint()
	if n > maxVersions {
		d.fail("%d versions", n)
		n = 0
	}
	for range n {
		o.Versions = append(o.Versions, d.u32())
	}
	o.Features = d.list()
	copy(o.Nonce[:], d.take(len(o.Nonce)))
	return o, d.err
}

// ProofKind is how a node proves that it belongs to the cluster. Append-only.
type ProofKind uint8

const (
	ProofCookie      ProofKind = 1 // it knows the cluster's key
	ProofCertificate ProofKind = 2 // a certificate chain to the cluster's root
)

// Proof is what each side proves itself with.
type Proof struct {
	Kind         ProofKind
	Delegation   []byte   // as Delegation.Bytes
	Certificates []string // of ProofCertificate, the node's own first
	MAC          [32]byte
}

// Append appends a proof frame.
func (p Proof) Append(b []byte) []byte {
	return AppendFrame(b, AuthProof, func(b []byte) []byte {
		b = append(b, byte(p.Kind))
		b = appendBytes(b, p.Delegation)
		b = appendList(b, p.Certificates)
		return append(b, p.MAC[:]...)
	})
}

// DecodeProof reads the body of a proof frame.
func DecodeProof(body []byte) (p Proof, err error) {
	d := decoder{b: body}
	p.Kind = ProofKind(d.u8())
	p.Delegation = d.bytes()
	p.Certificates = d.list()
	copy(p.MAC[:], d.take(len(p.MAC)))
	return p, d.err
}

// CertificateBytes returns certificates as their hash covers them.
func CertificateBytes(list []string) []byte { return appendList(nil, list) }

// Delegation says that a node acts for a user.
type Delegation struct {
	User   [32]byte // Ed25519 public key
	Expiry int64    // seconds since 1970
	Sig    [64]byte
}

// Signed returns what the user signs for a node.
func (d Delegation) Signed(peerID []byte) []byte {
	b := append([]byte("wnode delegation 1\x00"), le.AppendUint64(nil, uint64(d.Expiry))...)
	return append(b, peerID...)
}

// Bytes returns the encoded delegation.
func (d Delegation) Bytes() []byte {
	b := append([]byte(nil), d.User[:]...)
	b = le.AppendUint64(b, uint64(d.Expiry))
	return append(b, d.Sig[:]...)
}

// DecodeDelegation reads an encoded delegation. It does not check the signature.
func DecodeDelegation(b []byte) (g Delegation, err error) {
	d := decoder{b: b}
	copy(g.User[:], d.take(len(g.User)))
	g.Expiry = int64(d.u64())
	copy(g.Sig[:], d.take(len(g.Sig)))
	return g, d.err
}

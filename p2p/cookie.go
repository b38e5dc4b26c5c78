package p2p

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
)

// Cookie is the secret that the members of a cluster share.
type Cookie struct {
	key     [32]byte
	cluster [16]byte // id: the hash of the cluster root's public key
}

// cookiePrefix begins the text form and says which it is.
const cookiePrefix = "wnode1-"

var cookieCoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewCookie makes the cookie and the root key of a new cluster.
func NewCookie() (Cookie, ed25519.PrivateKey, error) {
	var k Cookie
	public, root, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return k, nil, err
	}
	rand.Read(k.key[:]) // never fails
	sum := sha256.Sum256(public)
	copy(k.cluster[:], sum[:])
	return k, root, nil
}

// Text returns the text form: the prefix, then in base32 the key, the cluster
// id and the first 4 bytes of the SHA-256 of both. It is a secret.
func (k Cookie) Text() string {
	b := append(k.key[:], k.cluster[:]...)
	return cookiePrefix + cookieCoding.EncodeToString(append(b, checksum(b)...))
}

// String hides the secret from logs and errors.
func (k Cookie) String() string { return "cookie" }

// GoString hides the secret too.
func (k Cookie) GoString() string { return "cookie" }

func checksum(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:4]
}

// ParseCookie reads the text form. Its errors do not repeat the text.
func ParseCookie(text string) (Cookie, error) {
	var k Cookie
	coded, ok := strings.CutPrefix(text, cookiePrefix)
	if !ok {
		return k, errors.New("not a cookie: want the line that `wnode cookie show` prints; a password of your own is not one")
	}
	b, err := cookieCoding.DecodeString(coded)
	n := len(k.key) + len(k.cluster)
	switch {
	case err != nil || len(b) != n+4:
		return k, errors.New("the cookie is cut or has a wrong letter: copy the whole line that `wnode cookie show` prints")
	case !bytes.Equal(checksum(b[:n]), b[n:]):
		return k, errors.New("the cookie has a wrong letter (checksum): copy the line that `wnode cookie show` prints again")
	}
	copy(k.key[:], b)
	copy(k.cluster[:], b[len(k.key):])
	return k, nil
}

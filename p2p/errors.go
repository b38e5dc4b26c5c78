package p2p

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/wnode-project/wnode/engine"
)

// What a connection can fail with. Errors of this package match one of these
// and engine.Reason{Word: NoConnection}.
var (
	ErrNotAuthenticated = errors.New("not authenticated")  // the cookies differ
	ErrVersion          = errors.New("no common version")  // of a protocol
	ErrNameConflict     = errors.New("name is taken")      // by another node
	ErrBadAddress       = errors.New("bad address")        // as given
	ErrUnknownPeer      = errors.New("unknown peer")       // no address of it is known
	ErrPeerDown         = errors.New("peer is down")       // nobody answers at its addresses
	ErrProtocol         = errors.New("protocol violation") // by the peer
)

// failure is an error of a connection.
type failure struct {
	kind   error
	text   string // all that is printed: it says what kind too
	broken bool   // the connection broke: another one may do
}

func failf(kind error, format string, args ...any) error {
	return &failure{kind: kind, text: fmt.Sprintf(format, args...)}
}

// brokef is failf for a connection that broke while both sides were at it.
func brokef(kind error, format string, args ...any) error {
	return &failure{kind: kind, text: fmt.Sprintf(format, args...), broken: true}
}

func isBroken(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.broken
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() []error {
	return []error{f.kind, engine.Reason{Word: engine.NoConnection, Detail: f.text}}
}

// dialReason returns why a dial failed in one line: libp2p's error has a line
// for each address, mostly the same.
func dialReason(err error) string {
	var d *swarm.DialError
	if !errors.As(err, &d) {
		return lastPart(err.Error())
	}
	var causes []string
	for _, t := range d.DialErrors {
		if c := lastPart(t.Cause.Error()); !slices.Contains(causes, c) {
			causes = append(causes, c)
		}
	}
	if len(causes) == 0 && d.Cause != nil {
		causes = append(causes, lastPart(d.Cause.Error()))
	}
	return strings.Join(causes, "; ")
}

// lastPart keeps what stands behind the places an error passed through.
func lastPart(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return s[i+2:]
	}
	return s
}

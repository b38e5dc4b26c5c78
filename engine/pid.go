package engine

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// NodeID identifies a node: the first 16 bytes of the SHA-256 of its libp2p
// peer id in binary form. The zero value is no node.
type NodeID [16]byte

// String returns the id in lower-case hex.
func (n NodeID) String() string { return hex.EncodeToString(n[:]) }

// PID names a process for ever: it is never reused. It is a name, not a right.
// The zero value is no process.
type PID struct {
	Node        NodeID // the node it lives on
	Incarnation uint32 // of that node: each start of a node is another one
	Minter      uint32 // index that the node gave to the connection the spawner used; 0 is the node itself
	Counter     uint64 // the minter's, from 1
}

// PIDSize is the length of a PID in binary form.
const PIDSize = 32

// IsZero reports whether p is no process.
func (p PID) IsZero() bool { return p == PID{} }

// AppendBinary appends the 32 byte form: node, then incarnation, minter and
// counter in little endian.
func (p PID) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, p.Node[:]...)
	b = binary.LittleEndian.AppendUint32(b, p.Incarnation)
	b = binary.LittleEndian.AppendUint32(b, p.Minter)
	return binary.LittleEndian.AppendUint64(b, p.Counter), nil
}

// PIDFromBinary reads the first 32 bytes of b.
func PIDFromBinary(b []byte) (PID, error) {
	var p PID
	if len(b) < PIDSize {
		return p, fmt.Errorf("pid of %d bytes, want %d", len(b), PIDSize)
	}
	copy(p.Node[:], b)
	p.Incarnation = binary.LittleEndian.Uint32(b[16:])
	p.Minter = binary.LittleEndian.Uint32(b[20:])
	p.Counter = binary.LittleEndian.Uint64(b[24:])
	return p, nil
}

// Text returns the text form with the given alias for the node, as in
// "kate.7f3a2c.3.19": node, incarnation in hex, minter, counter.
func (p PID) Text(node string) string {
	return node + "." + strconv.FormatUint(uint64(p.Incarnation), 16) + "." +
		strconv.FormatUint(uint64(p.Minter), 10) + "." + strconv.FormatUint(p.Counter, 10)
}

// String returns the text form with the first 12 digits of the node id.
func (p PID) String() string { return p.Text(p.Node.String()[:12]) }

// ParsePID reads the text form. It returns the node part, a name or a prefix
// of a node id, as text: the caller resolves it and sets Node.
func ParsePID(s string) (node string, p PID, err error) {
	f := strings.Split(s, ".")
	if len(f) != 4 || f[0] == "" {
		return "", PID{}, fmt.Errorf("%q is not a pid: want NODE.INCARNATION.MINTER.COUNTER", s)
	}
	inc, err1 := strconv.ParseUint(f[1], 16, 32)
	minter, err2 := strconv.ParseUint(f[2], 10, 32)
	n, err3 := strconv.ParseUint(f[3], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return "", PID{}, fmt.Errorf("%q is not a pid: want NODE.INCARNATION.MINTER.COUNTER", s)
	}
	return f[0], PID{Incarnation: uint32(inc), Minter: uint32(minter), Counter: n}, nil
}

// Ref is a reference: unique among all nodes for ever. It names a monitor or
// a call. Its parts are those of the PID of who made it, its counter its own.
type Ref struct {
	Node        NodeID
	Incarnation uint32
	Minter      uint32
	Counter     uint64
}

// IsZero reports whether r is no reference.
func (r Ref) IsZero() bool { return r == Ref{} }

// PIDText returns the text form of a pid, with the alias of its node if this
// engine knows one.
func (e *Engine) PIDText(p PID) string {
	if p.Node == e.node {
		return p.Text(e.alias())
	}
	if s := e.Session(p.Node); s != nil && s.peer.Name != "" && !s.peer.Hidden {
		return p.Text(s.peer.Name)
	}
	return p.String()
}

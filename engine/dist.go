package engine

import (
	"context"
	"time"

	"github.com/ipfs/go-cid"
)

// Dist reaches other nodes.
type Dist interface {
	// Connect returns when a session with the node is up, that is, after
	// Engine.SessionUp; at once if one is. Node is a name, a peer id or a
	// unique prefix of one. The error says why not, and is a Reason with the
	// word NoConnection when no such node answered.
	Connect(ctx context.Context, node string) (NodeID, error)
	// Introduce has one node connect to another; this one has sessions with both.
	// It returns when it has, or why not.
	Introduce(ctx context.Context, node, to NodeID) error
}

// Link is the sending half of a session, owned by a Dist. Methods are safe
// for concurrent use.
type Link interface {
	// Send queues a signal in order and never blocks. What is sent after the
	// session ended is dropped. The link owns the signal and its data; but it does
	// not keep a signal of KindMessage, only its Message.
	Send(*Signal)
	// Busy returns nil if a signal with user data may be queued, else a channel
	// that is closed when it may be. Signals of the engine do not ask.
	Busy(*Signal) <-chan struct{}
	// Close ends the session; its reader then calls Session.Down.
	Close(why error)
}

// Peer is what a session knows of the other node. Both sides proved it.
type Peer struct {
	Node        NodeID
	Name        string // an alias, shown and matched, never trusted
	PeerID      string // libp2p peer id in text form
	Incarnation uint32
	Hidden      bool   // a command's short-lived node
	Session     uint64 // unique in this node's incarnation
	Minter      uint32 // index the peer gave us: minter of the pids we mint there
	GaveMinter  uint32 // index we gave the peer: minter of the pids it mints here
	Origin      Origin // its user key
	Roles       Role
	Addr        string // remote address in use
	Dialled     bool   // we dialled
}

// Modules finds the bytes of modules.
type Modules interface {
	// Resolve returns the CID of a tag, a CID or a unique CID prefix of at
	// least 10 characters, from what this node has. The error is a Reason
	// with the word ModuleNotFound, or BadArg if ambiguous.
	Resolve(name string) (cid.Cid, error)
	// Has reports whether a module is here, as far as can be told without reading it.
	Has(c cid.Cid) bool
	// Open returns the whole module, verified, getting it from another node
	// if it is not here; from is asked first. The error is a Reason with the
	// word ModuleNotFound or SystemLimit. The caller must not modify the bytes.
	Open(ctx context.Context, c cid.Cid, size uint64, from NodeID) ([]byte, error)
}

// Runner runs modules.
type Runner interface {
	// Run runs the module as process p until it ends, says how, and fills in
	// all of the report but Fetch. It calls p.Running when the guest's first
	// instruction is due. It loads the module unless it has what it makes of it from
	// an earlier run. It returns soon after p.Context is done; the engine,
	// not Run, then knows the reason, and the answer is ignored.
	Run(p *Process, m ModuleData, r *Report) Reason
}

// ModuleData is a module on its way to a Runner.
type ModuleData struct {
	CID   cid.Cid
	Bytes []byte // shared: read only; nil: see Load

	of *Process // it is for
}

// Load reads the module if it was not read yet: from disk, or from another node.
// The error is a Reason.
func (m *ModuleData) Load() error {
	if m.Bytes != nil {
		return nil
	}
	p := m.of
	var err error
	m.Bytes, err = p.eng.modules.Open(&p.life, m.CID, p.spec.Module.Size, p.spec.Parent.Node)
	p.report.Fetch = time.Since(p.created)
	if err != nil {
		return asReason(err, ModuleNotFound)
	}
	return nil
}

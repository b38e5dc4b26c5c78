package control

import (
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/logs"
	"github.com/wnode-project/wnode/supervise"
)

// Status describes a node.
type Status struct {
	Name        string            `json:"name"`
	PeerID      string            `json:"peer_id"`
	Version     string            `json:"version"`
	Incarnation uint32            `json:"incarnation"`
	Addrs       []string          `json:"addrs"`
	Started     time.Time         `json:"started"`
	Labels      map[string]string `json:"labels,omitempty"`
	Draining    bool              `json:"draining,omitempty"` // it stops, and takes no new processes
	Processes   int               `json:"processes"`
	Peers       int               `json:"peers"`
	StoreBytes  uint64            `json:"store_bytes"`
	MemoryBytes uint64            `json:"memory_bytes"` // what the Go runtime got from the system
	Goroutines  int               `json:"goroutines"`
	OSProcess   int               `json:"os_process"`
}

// Process describes a guest process.
type Process struct {
	PID        string    `json:"pid"`
	Module     string    `json:"module"`
	CID        string    `json:"cid,omitempty"`
	Entry      string    `json:"entry,omitempty"`
	State      string    `json:"state"`
	Started    time.Time `json:"started"`
	Reductions uint64    `json:"reductions"` // about one for each instruction so far
	Origin     string    `json:"origin"`     // user key, hex
	Leader     string    `json:"leader"`
}

// Description is all that is known of a process.
type Description struct {
	Process
	Parent       string   `json:"parent,omitempty"`
	Names        []string `json:"names"`         // on its node
	ClusterNames []string `json:"cluster_names"` // in the cluster
	Groups       []string `json:"groups"`
	Links        []string `json:"links"`
	Monitors     []string `json:"monitors"`
	MonitoredBy  []string `json:"monitored_by"`
	Messages     int      `json:"messages"` // in its mailbox
	MailboxBytes int      `json:"mailbox_bytes"`
	Dropped      uint64   `json:"dropped,omitempty"` // messages that found the mailbox full
	TrapsExit    bool     `json:"traps_exit"`
	Server       bool     `json:"server"` // it handles one message at a time, and holds no stack between
}

// Log is a part of what a detached process wrote.
type Log struct {
	Records []logs.Record `json:"records"`
	Next    int64         `json:"next"` // where to read on
	More    bool          `json:"more"` // the process may write more
}

// Tree describes a supervision tree.
type Tree struct {
	PID      string       `json:"pid"` // of its supervisor
	Name     string       `json:"name"`
	Strategy otp.Strategy `json:"strategy"`
	Started  time.Time    `json:"started"`
	Origin   string       `json:"origin"`   // user key, hex
	Attached bool         `json:"attached"` // it ends with who started it
	otp.Count
	Restarts int `json:"restarts"` // of its children that are there

	Children []TreeChild `json:"children,omitempty"` // of tree alone
}

// TreeChild describes a child of a supervisor.
type TreeChild struct {
	otp.Child
	PID      string       `json:"pid,omitempty"` // "": it does not run
	Module   string       `json:"module,omitempty"`
	On       string       `json:"on,omitempty"`       // as the tree says
	Strategy otp.Strategy `json:"strategy,omitempty"` // of a supervisor
	Children []TreeChild  `json:"children,omitempty"`
}

// Peer describes a node that another has a session with.
type Peer struct {
	Name   string   `json:"name"`
	PeerID string   `json:"peer_id"`
	Addr   string   `json:"addr"` // in use
	Addrs  []string `json:"addrs,omitempty"`
	Hidden bool     `json:"hidden,omitempty"`
}

// Module describes a module in a store.
type Module struct {
	CID    string    `json:"cid"`
	Size   uint64    `json:"size"`
	Tags   []string  `json:"tags,omitempty"`
	Pinned bool      `json:"pinned,omitempty"`
	Added  time.Time `json:"added"`
	Used   time.Time `json:"used"` // last, or added; to the hour
}

// Inspection describes a module and its inside.
type Inspection struct {
	Module
	SHA256      string     `json:"sha256"`
	Kind        string     `json:"kind"` // command or library
	Toolchain   string     `json:"toolchain,omitempty"`
	MemoryMin   uint64     `json:"memory_min_bytes"`
	MemoryMax   uint64     `json:"memory_max_bytes,omitempty"` // 0: not bounded
	Imports     []Function `json:"imports"`
	Exports     []Function `json:"exports"`
	NotRunnable string     `json:"not_runnable,omitempty"` // why this node cannot run it
}

// Function is an import or an export.
type Function struct {
	Module    string `json:"module,omitempty"` // of an import
	Name      string `json:"name"`
	Signature string `json:"signature"`
}

// The requests that have a body.
type (
	killRequest struct {
		PID    string `json:"pid"` // with a node part that the target ignores
		Reason string `json:"reason,omitempty"`
	}
	pidRequest struct {
		PID string `json:"pid"` // with a node part that the target ignores
	}
	nameRequest struct {
		Name    string `json:"name"`
		Cluster bool   `json:"cluster,omitempty"`
	}
	treeRequest struct {
		Tree   supervise.Tree `json:"tree"`
		Parent *engine.PID    `json:"parent,omitempty"` // a process of the caller's node: the tree ends with it
		Leader *engine.Leader `json:"leader,omitempty"` // nil: the node's log
	}
	procRequest struct {
		PID  string `json:"pid,omitempty"` // with a node part that the target ignores
		Name string `json:"name,omitempty"`
	}
	logRequest struct {
		PID  string `json:"pid"` // with the node's id
		From int64  `json:"from"`
		Wait bool   `json:"wait,omitempty"` // until there is more, for some seconds
	}
	stopRequest struct {
		DrainSeconds float64 `json:"drain_seconds,omitempty"`
	}
	moduleRequest struct {
		Name string `json:"name"`           // tag, CID or prefix
		Size uint64 `json:"size,omitempty"` // of add
		Tag  string `json:"tag,omitempty"`  // of add, tag and untag
	}
)

package engine

import (
	"crypto/ed25519"
	"time"

	"github.com/ipfs/go-cid"
)

// Spec is all that a spawn says: plain data, the same value for a local spawn,
// a remote one, a supervisor and the wire, where its fields are append-only.
type Spec struct {
	Module Module   // what to run
	Entry  string   // export to call; "" is _start
	Args   []string // argv[1:] of a command, or the arguments of Entry in text form
	Env    []string // K=V; a guest gets no other environment
	Input  []byte   // of a call: what its code can ask for
	Call   bool     // what Entry returns is sent to Parent: see Process.Return
	Mounts []Mount  // directories of the group leader

	Terminal Terminal // what the leader's streams are
	NoInput  bool     // stdin is at its end from the start

	Limits Limits
	Grants []string // names of host function groups beyond the default ones
	Seed   uint64   // of the guest's random source; 0 is the machine's own
	Clock  Clock    // what the guest takes for the time
	Fresh  bool     // a library's _initialize runs in this process, not in an earlier one of its origin

	Origin  Origin
	Leader  Leader
	Parent  PID    // who asked
	Link    bool   // link Parent and the new process, atomically with the spawn
	Monitor Ref    // Parent monitors the new process by this reference; zero is no monitor
	Name    string // to register locally before it runs; "" is none
	LinkTo  PID    // another process to link it with before it runs; zero is none

	GlobalName string // to register in the cluster before it runs; "" is none

	DropWhenFull bool // messages that find its mailbox full are dropped; else senders wait

	run func(*Process) Reason // nil: Module is run
}

// MaxSpec bounds the arguments, environment, input and other texts of a spec, in bytes
// with 16 for each: a spec travels in one frame.
const MaxSpec = 1<<20 - 4<<10

// size is what MaxSpec bounds.
func (s *Spec) size() int {
	n := len(s.Module.Name) + len(s.Entry) + len(s.Name) + len(s.GlobalName) + len(s.Input)
	for _, list := range [][]string{s.Args, s.Env, s.Grants} {
		for _, v := range list {
			n += len(v) + 16
		}
	}
	for _, m := range s.Mounts {
		n += len(m.Guest) + 16
	}
	return n
}

// Module names what a process runs.
type Module struct {
	CID  cid.Cid // undefined: the target looks Name up
	Size uint64  // bytes, of the whole file; 0 is unknown
	Name string  // as the user gave it: tag, CID prefix or file name; argv[0] of a command
}

// Mount is one --dir: a directory of the group leader seen by the guest. Its
// index in Spec.Mounts plus one is the file handle the leader serves it under.
type Mount struct {
	Guest    string // absolute path that the guest sees
	ReadOnly bool
}

// Terminal tells which standard streams are a terminal, and its size.
type Terminal struct {
	Stdin, Stdout, Stderr bool
	Rows, Cols            uint16
}

// Limits bound one process. Zero is the node's default.
type Limits struct {
	Memory uint64        // bytes of linear memory
	Wall   time.Duration // counted from the spawn
	Fuel   uint64        // reductions
	Stack  uint64        // bytes that nested calls take
	// Mailbox is in bytes: the data of messages and 128 for each.
	Mailbox uint64
	Output  uint64 // bytes written to stdout and stderr, all together; by default there is no limit
	Files   uint64 // descriptors open at once, streams and mounts included; one more is EMFILE
}

// ClockKind is how time passes for a guest.
type ClockKind uint8

// The kinds of clocks.
const (
	ClockReal    ClockKind = iota // the machine's
	ClockFixed                    // it stands still; waiting takes no time
	ClockVirtual                  // it goes on by a microsecond with each look at it, and by what the guest waits for, at once
)

// Clock is what a guest takes for the time. With one that is not real, and a
// Seed, equal inputs give equal runs on every machine.
type Clock struct {
	Kind  ClockKind
	Start int64 // nanoseconds since 1970 at the begin of the run, if it is not real
}

// Origin is the user key of the node that first spawned a process, inherited
// by its children on every node. Limits and ownership go by it.
type Origin [ed25519.PublicKeySize]byte

// Leader is a group leader: where the input and output of a process are. The
// token, minted by the leader, is the right to use it; it travels only in specs.
type Leader struct {
	PID   PID
	Token [16]byte
}

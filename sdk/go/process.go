//go:build wasip1

package wnode

import (
	"encoding/json"
	"time"
	"unsafe"
)

// must panics for what cannot fail in a program that is a process.
func must(status uint32) {
	if status != 0 {
		panic(Status(status))
	}
}

// Self returns the pid of the process.
func Self() (p PID) { must(hostSelf(unsafe.Pointer(&p))); return p }

// Parent returns the pid of who asked for the process; zero if nobody did.
func Parent() (p PID) { must(hostParent(unsafe.Pointer(&p))); return p }

// Leader returns the pid of the group leader.
func Leader() (p PID) { must(hostLeader(unsafe.Pointer(&p))); return p }

// Window returns the size of the leader's terminal, 0 if it has none.
func Window() (rows, cols int) {
	var r, c uint32
	must(hostWindow(unsafe.Pointer(&r), unsafe.Pointer(&c)))
	return int(r), int(c)
}

// Spec says what to spawn. The zero value is this module, on this node, without
// arguments.
type Spec struct {
	Node   NodeID
	Module string   // a tag or CID of the target; "" is the module of the caller
	Entry  string   // an export; "" is _start
	Args   []string // without the name of the program
	Env    []string // K=V
	Name   string   // on its node; "" is none
	Grants []string // of those that the caller has
	Input  []byte   // what the new process reads with Input

	Link     bool // the caller and the new process are linked
	Monitor  bool // the caller monitors the new process
	SameEnv  bool // it has the caller's environment, before what is in Env
	SameDirs bool // it sees the directories that the caller sees
	NoInput  bool // its stdin is at its end
	Drop     bool // messages that find its mailbox full are dropped
	Call     bool // the caller gets what it returns: see Request

	// Limits; 0 is the node's default.
	Memory  uint64 // bytes
	Wall    time.Duration
	Fuel    uint64 // reductions
	Stack   uint64 // bytes
	Mailbox uint64 // bytes
	Seed    uint64 // of its random source; 0 is the node's
}

// bytes returns the spec as the host reads it: fields with a number and a length.
func (s *Spec) bytes() (b []byte) {
	field := func(id uint16, v []byte) {
		b = le.AppendUint16(b, id)
		b = le.AppendUint16(b, 0)
		b = le.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
	}
	text := func(id uint16, values ...string) {
		for _, v := range values {
			field(id, []byte(v))
		}
	}
	optional := func(id uint16, v string) {
		if v != "" {
			text(id, v)
		}
	}
	number := func(id uint16, v uint64) {
		if v != 0 {
			field(id, le.AppendUint64(nil, v))
		}
	}
	if s.Node != (NodeID{}) {
		field(1, s.Node[:])
	}
	optional(2, s.Module)
	optional(3, s.Entry)
	text(4, s.Args...)
	text(5, s.Env...)
	var flags uint32
	for i, on := range []bool{s.Link, s.Monitor, s.SameEnv, s.SameDirs, s.NoInput, s.Drop, s.Call} {
		flags |= flag(on) << i
	}
	field(6, le.AppendUint32(nil, flags))
	number(7, s.Memory)
	number(8, uint64(max(s.Wall, 0)))
	number(9, s.Fuel)
	number(10, s.Stack)
	number(11, s.Mailbox)
	optional(12, s.Name)
	text(13, s.Grants...)
	number(14, s.Seed)
	if len(s.Input) > 0 {
		field(15, s.Input)
	}
	return b
}

// Spawn starts a process and returns its pid, and the reference of its monitor if
// the spec has one. It does not wait: that there is no such node, module or export
// is told by link and monitor. ErrInvalid for a wrong spec, ErrNotCapable for
// grants that the caller has not.
func Spawn(s Spec) (pid PID, monitor Ref, err error) {
	p, n := block(s.bytes())
	err = failed(hostSpawn(p, n, unsafe.Pointer(&pid), unsafe.Pointer(&monitor)))
	return pid, monitor, err
}

// SpawnLink is Spawn of a process that is linked with the caller.
func SpawnLink(s Spec) (PID, error) {
	s.Link = true
	pid, _, err := Spawn(s)
	return pid, err
}

// SpawnMonitor is Spawn of a process that the caller monitors.
func SpawnMonitor(s Spec) (PID, Ref, error) {
	s.Monitor = true
	return Spawn(s)
}

// Exit ends the process with a reason. It returns only for one that is none: a
// word of more than 64 bytes, or more than 4 KiB in all.
func Exit(r Reason) error {
	p, n := block(r.bytes())
	return failed(hostExit(p, n))
}

// Link links the process with another: when one ends, the other gets an exit
// signal with its reason. That there is none comes as an exit signal too.
func Link(to PID) { must(hostLink(unsafe.Pointer(&to))) }

// Unlink takes a link back: nothing of it comes any more.
func Unlink(to PID) { must(hostUnlink(unsafe.Pointer(&to))) }

// Monitor has a message Down come when a process ends, with the reference that it
// returns.
func Monitor(to PID) (ref Ref) {
	must(hostMonitor(unsafe.Pointer(&to), unsafe.Pointer(&ref)))
	return ref
}

// MonitorName is as Monitor, of who has a name on a node. ErrInvalid for what is no
// name.
func MonitorName(node NodeID, name string) (ref Ref, err error) {
	p, n := text(name)
	err = failed(hostMonitorName(orNull(&node), p, n, unsafe.Pointer(&ref)))
	return ref, err
}

// Demonitor takes a monitor back: its Down does not come any more. With flush one
// that is in the mailbox is removed.
func Demonitor(ref Ref, flush bool) { must(hostDemonitor(unsafe.Pointer(&ref), flag(flush))) }

// TrapExit sets whether exit signals become messages, and returns what was set.
func TrapExit(on bool) (was bool) {
	var before uint32
	must(hostTrapExit(flag(on), unsafe.Pointer(&before)))
	return before != 0
}

// ExitSignal sends an exit signal to a process. The word "kill" cannot be trapped.
// ErrNotCapable if the process is of another origin.
func ExitSignal(to PID, r Reason) error {
	p, n := block(r.bytes())
	return failed(hostExitSignal(unsafe.Pointer(&to), p, n))
}

// Info is what is known of a process.
type Info struct {
	PID, Parent, Leader          string // as wnode ps writes them
	Module, CID, Entry, State    string
	Created                      time.Time
	Reductions                   uint64
	Messages, MailboxBytes       int
	Dropped                      uint64 // messages that found its mailbox full
	TrapsExit, Server            bool
	Links, Monitors, MonitoredBy []string
	Names, GlobalNames, Groups   []string
}

// ProcessInfo returns what is known of a process of this node; zero is the process
// itself. ErrNoProcess if there is none.
func ProcessInfo(of PID) (info Info, err error) {
	b, err := ProcessInfoJSON(of)
	if err == nil {
		err = json.Unmarshal(b, &info)
	}
	return info, err
}

// ProcessInfoJSON is as ProcessInfo, as the host has it.
func ProcessInfoJSON(of PID) ([]byte, error) {
	return filled(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		return hostProcessInfo(orNull(&of), buf, capacity, n)
	})
}

// SHA256 returns the hash of data, computed by the node. ErrNotCapable does not
// occur: a module that uses this is started with the grant "hash", or not at all.
func SHA256(data []byte) (sum [32]byte) {
	p, n := block(data)
	must(hostSHA256(p, n, unsafe.Pointer(&sum)))
	return sum
}

// BLAKE3 is as SHA256.
func BLAKE3(data []byte) (sum [32]byte) {
	p, n := block(data)
	must(hostBLAKE3(p, n, unsafe.Pointer(&sum)))
	return sum
}

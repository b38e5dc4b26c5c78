//go:build wasip1

package wnode

import (
	"time"
	"unsafe"
)

// Scope is where a name is known.
type Scope uint32

// The scopes.
const (
	OnNode    Scope = 0
	InCluster Scope = 1
)

// Register gives a process of this node a name; zero is the process itself.
// ErrInvalid for what is no name (1 to 63 of a-z 0-9 _ -), ErrExists if it is taken,
// ErrNoProcess, ErrNotCapable for a process of another origin.
func Register(scope Scope, name string, pid PID) error {
	p, n := text(name)
	return failed(hostRegister(uint32(scope), p, n, orNull(&pid)))
}

// Unregister takes a name of a process of this node back. ErrNoProcess if none has
// it.
func Unregister(scope Scope, name string) error {
	p, n := text(name)
	return failed(hostUnregister(uint32(scope), p, n))
}

// Whereis returns who has a name. ErrNoProcess if nobody has.
func Whereis(scope Scope, name string) (pid PID, err error) {
	p, n := text(name)
	err = failed(hostWhereis(uint32(scope), p, n, unsafe.Pointer(&pid)))
	return pid, err
}

// Join makes the process a member of a group, once more if it is one.
func Join(group string) error {
	p, n := text(group)
	return failed(hostJoin(p, n))
}

// Leave takes back one Join. ErrNoProcess if the process is no member.
func Leave(group string) error {
	p, n := text(group)
	return failed(hostLeave(p, n))
}

// Members returns the members of a group on all connected nodes, each as often as
// it joined.
func Members(group string) ([]PID, error) {
	b, err := filled(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		p, groupN := text(group)
		return hostMembers(p, groupN, buf, capacity, n)
	})
	var all []PID
	for ; len(b) >= len(PID{}); b = b[len(PID{}):] {
		all = append(all, PID(b))
	}
	return all, err
}

// Node returns the id of this node.
func Node() (n NodeID) { must(hostNode(unsafe.Pointer(&n))); return n }

// Nodes returns the nodes that this one is connected with, in the order of their
// names.
func Nodes() ([]NodeID, error) {
	b, err := filled(hostNodes)
	var all []NodeID
	for ; len(b) >= len(NodeID{}); b = b[len(NodeID{}):] {
		all = append(all, NodeID(b))
	}
	return all, err
}

// FindNode returns the id of a node by its name, peer id or the begin of that, and
// connects with it. ErrNoProcess if it cannot be reached.
func FindNode(name string) (node NodeID, err error) {
	p, n := text(name)
	err = failed(hostNodeFind(p, n, unsafe.Pointer(&node)))
	return node, err
}

// NodeName returns the name of a node. ErrNoProcess if it is not connected.
func NodeName(node NodeID) (string, error) {
	b, err := filled(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		return hostNodeName(orNull(&node), buf, capacity, n)
	})
	return string(b), err
}

// MonitorNode has one message NodeDown come when the connection with a node is
// lost, at once if there is none. With false that is taken back, once.
func MonitorNode(node NodeID, on bool) error {
	return failed(hostMonitorNode(unsafe.Pointer(&node), flag(on)))
}

// MonitorNodes has messages NodeUp and NodeDown come for all nodes, or none any more.
func MonitorNodes(on bool) { must(hostMonitorNodes(flag(on))) }

// StartTimer has a message come after a time: Timeout, with the reference that it
// returns, for the process itself, which is zero; else Data for the process to.
// ErrNoMemory for too many.
func StartTimer(to PID, after time.Duration, tag uint64, data []byte) (ref Ref, err error) {
	p, n := block(data)
	err = failed(hostTimerStart(orNull(&to), uint64(max(after, 0)), tag, p, n, unsafe.Pointer(&ref)))
	return ref, err
}

// CancelTimer stops a timer and returns what it had left. ErrNotFound if it does
// not run: its message may have come.
func CancelTimer(ref Ref) (left time.Duration, err error) {
	err = failed(hostTimerCancel(unsafe.Pointer(&ref), unsafe.Pointer(&left)))
	return left, err
}

// ReadTimer is as CancelTimer, and the timer goes on.
func ReadTimer(ref Ref) (left time.Duration, err error) {
	err = failed(hostTimerRead(unsafe.Pointer(&ref), unsafe.Pointer(&left)))
	return left, err
}

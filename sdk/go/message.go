//go:build wasip1

package wnode

import (
	"time"
	"unsafe"
)

// Send sends data to a process. It is never an error that there is none. It waits
// while the receiver's mailbox is full or the connection busy. ErrTooBig above 16
// MiB.
func Send(to PID, tag uint64, data []byte) error { return SendKind(to, Data, tag, Ref{}, data) }

// SendName is as Send, to who has a name on a node. ErrNoProcess if that is this
// node and nobody has.
func SendName(node NodeID, name string, tag uint64, data []byte) error {
	return SendNameKind(node, name, Data, tag, Ref{}, data)
}

// Cast sends what a server handles as a cast.
func Cast(to PID, tag uint64, data []byte) error { return SendKind(to, Casted, tag, Ref{}, data) }

// Reply answers a call.
func Reply(call *Message, data []byte) error {
	return SendKind(call.From, Replied, call.Tag, call.Ref, data)
}

// SendKind is as Send, of a message Data, Called, Replied or Casted.
func SendKind(to PID, kind Kind, tag uint64, ref Ref, data []byte) error {
	p, n := block(data)
	return failed(hostSend(unsafe.Pointer(&to), uint32(kind), tag, orNull(&ref), p, n))
}

// SendNameKind is as SendKind, to who has a name on a node.
func SendNameKind(node NodeID, name string, kind Kind, tag uint64, ref Ref, data []byte) error {
	p, n := block(data)
	who, whoN := text(name)
	return failed(hostSendName(orNull(&node), who, whoN, uint32(kind), tag, orNull(&ref), p, n))
}

// Call calls a process and returns its answer. The error is a [*Failure] if it ended
// first or there is none, and ErrTimeout, after which a late answer is dropped. A
// timeout below 0 is none.
func Call(to PID, tag uint64, data []byte, timeout time.Duration) ([]byte, error) {
	ref := Monitor(to)
	if err := SendKind(to, Called, tag, ref, data); err != nil {
		Abandon(ref)
		return nil, err
	}
	return Await(ref, timeout)
}

//go:build wasip1

package wnode

import (
	"errors"
	"time"
)

// CallName is as Call, of who has a name on a node.
func CallName(node NodeID, name string, tag uint64, data []byte, timeout time.Duration) ([]byte, error) {
	ref, err := MonitorName(node, name)
	if err != nil {
		return nil, err
	}
	if err := callName(node, name, tag, ref, data); err != nil {
		return nil, err
	}
	return Await(ref, timeout)
}

// callName sends a call. That nobody has the name is told by the monitor.
func callName(node NodeID, name string, tag uint64, ref Ref, data []byte) error {
	err := SendNameKind(node, name, Called, tag, ref, data)
	if err == nil || errors.Is(err, ErrNoProcess) {
		return nil
	}
	Abandon(ref)
	return err
}

// Answer is what one node said.
type Answer struct {
	Node NodeID
	Data []byte
	Err  error // nil: Data is the answer; else as of Await
}

// MultiCall calls who has a name on each node, all at once, and returns what each answered,
// in the order of the nodes. A timeout below 0 is none.
func MultiCall(nodes []NodeID, name string, tag uint64, data []byte, timeout time.Duration) []Answer {
	return multi(nodes, timeout, func(n NodeID) (Ref, error) {
		ref, err := MonitorName(n, name)
		if err == nil {
			err = callName(n, name, tag, ref, data)
		}
		return ref, err
	})
}

// MultiRequest starts a process on each node for what it returns, as erpc's multicall, and
// returns that, in the order of the nodes. A timeout below 0 is none.
func MultiRequest(nodes []NodeID, s Spec, timeout time.Duration) []Answer {
	return multi(nodes, timeout, func(n NodeID) (Ref, error) {
		s.Node = n
		_, ref, err := Request(s)
		return ref, err
	})
}

func multi(nodes []NodeID, timeout time.Duration, begin func(NodeID) (Ref, error)) []Answer {
	answers, refs := make([]Answer, len(nodes)), make([]Ref, len(nodes))
	for i, n := range nodes {
		answers[i].Node = n
		refs[i], answers[i].Err = begin(n)
	}
	end := time.Now().Add(timeout)
	for i := range answers {
		a := &answers[i]
		if a.Err != nil {
			continue
		}
		left := timeout
		if timeout >= 0 {
			left = max(0, time.Until(end))
		}
		a.Data, a.Err = Await(refs[i], left)
	}
	return answers
}

// MultiCast casts to who has a name on each node. That nobody has is no error.
func MultiCast(nodes []NodeID, name string, tag uint64, data []byte) error {
	for _, n := range nodes {
		if err := SendNameKind(n, name, Casted, tag, Ref{}, data); err != nil && !errors.Is(err, ErrNoProcess) {
			return err
		}
	}
	return nil
}

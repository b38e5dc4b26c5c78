//go:build wasip1

package wnode

import (
	"time"
	"unsafe"
)

// End is in which way a process came to its end: its reason alone does not tell, as a
// program may give any.
type End uint8

const (
	EndRuntime  End = 0 // it did not run, or what became of it is not known
	EndReturned End = 1 // its function returned
	EndExited   End = 2 // it ended itself with the reason
	EndThrown   End = 3 // it ended itself with an error for who called it: Throw
	EndTrapped  End = 4 // its code failed
	EndKilled   End = 5 // it was ended from outside, or for a limit of its own
)

// Failure is why a call has no answer.
type Failure struct {
	End    End
	Reason Reason
}

func (f *Failure) Error() string {
	if f.End == EndExited {
		return "it exited: " + f.Reason.Error()
	}
	return f.Reason.Error()
}

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.Reason }

// Request starts a process for what it returns, as another node's erpc does, and does
// not wait: Await or Abandon is to be called with what it returns, once.
func Request(s Spec) (PID, Ref, error) {
	s.Call = true
	return Spawn(s)
}

// Await waits for the answer to a request, or to a call whose reference is that of a
// monitor. The error is a [*Failure], and ErrTimeout, after which a late answer is
// dropped. A timeout below 0 is none.
func Await(ref Ref, timeout time.Duration) ([]byte, error) {
	m, err := Receive(Match{Kinds: Of(Replied, Down), Ref: ref}, timeout)
	switch {
	case err != nil:
		Abandon(ref)
		return nil, err
	case m.Kind == Down:
		return nil, &Failure{m.End, m.Reason}
	}
	return m.Data, nil
}

// Abandon gives up an answer: it is never received. What was started goes on.
func Abandon(ref Ref) { Demonitor(ref, true) }

// Input returns what this process was given to work on, if it was started by a Request.
func Input() []byte {
	b, err := filled(func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32 {
		return hostInput(buf, capacity, n)
	})
	if err != nil {
		panic(err)
	}
	return b
}

// Output appends to what this process returns to who requested it. ErrTooBig above 16
// MiB in all.
func Output(data []byte) error {
	p, n := block(data)
	return failed(hostOutput(p, n))
}

// Throw ends the process with an error for who requested it. It returns only for text
// above 4 KiB: ErrTooBig.
func Throw(message string) error {
	p, n := text(message)
	return failed(hostError(p, n))
}

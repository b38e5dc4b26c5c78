package otp

import (
	"fmt"

	"github.com/wnode-project/wnode/engine"
)

// Class is in which way a call failed. The words are those of erpc, where each is the
// class of an exception.
type Class string

// The classes. Which one it is the node says that ran the code, or this one: code cannot
// take the appearance of another class than Throw and Exit.
const (
	Throw  Class = "throw"  // it ended with an error for its caller: the reason's detail
	Exit   Class = "exit"   // it ended itself with the reason
	Error  Class = "error"  // it trapped: the reason has the stack
	Signal Class = "signal" // it was ended from outside, or for a limit of its own
	ERPC   Class = "erpc"   // it did not run, or what became of it is not known: noconnection, timeout, badarg...
)

// Failure is why a call has no result. After timeout and noconnection of class ERPC the
// code may have run or not.
type Failure struct {
	Class  Class
	Reason engine.Reason
}

// Error returns the class and the reason.
func (f *Failure) Error() string {
	switch f.Class {
	case Throw:
		return "throw: " + f.Reason.Detail
	case ERPC:
		return f.Reason.Error()
	}
	return fmt.Sprintf("%s: %v", f.Class, f.Reason)
}

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.Reason }

// failure returns what the Down of a process says.
func failure(end engine.End, why engine.Reason) *Failure {
	f := &Failure{Class: ERPC, Reason: why}
	switch end {
	case engine.EndThrown:
		f.Class = Throw
	case engine.EndExited, engine.EndReturned:
		f.Class = Exit
	case engine.EndTrapped:
		f.Class = Error
	case engine.EndKilled:
		f.Class = Signal
	}
	return f
}

// timedOut is the failure of a wait that was over.
func timedOut() *Failure {
	return &Failure{ERPC, engine.Reason{Word: engine.Timeout, Detail: "no answer in time"}}
}

package engine

import (
	"context"
	"errors"
	"testing"
)

// The context of a process is one like any other: what is derived of it is done with
// it, at once and for its reason, whether somebody waits or not.
func TestLife(t *testing.T) {
	first, second := Reason{Word: Killed, Detail: "first"}, Reason{Word: Killed, Detail: "second"}
	for _, waits := range []bool{false, true} {
		l := &life{}
		if waits {
			l.Done()
		}
		child, cancel := context.WithCancel(l)
		defer cancel()
		other, cancelOther := context.WithCancel(l)
		cancelOther()
		called := make(chan struct{})
		context.AfterFunc(l, func() { close(called) })
		if l.Err() != nil || child.Err() != nil {
			t.Fatalf("at first %v, %v", l.Err(), child.Err())
		}
		l.end(first)
		l.end(second)
		<-l.Done()
		<-called
		late, cancel := context.WithCancel(l)
		defer cancel()
		for _, ctx := range []context.Context{l, child, late} {
			if ctx.Err() != error(first) || context.Cause(ctx) != error(first) {
				t.Errorf("%v, cause %v", ctx.Err(), context.Cause(ctx))
			}
		}
		if !errors.Is(other.Err(), context.Canceled) || len(l.after) > 0 {
			t.Errorf("one that was cancelled: %v, %d wait", other.Err(), len(l.after))
		}
	}
}

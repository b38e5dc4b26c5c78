package engine

import (
	"fmt"
	"testing"
)

// A name that was taken back from a process that ends is the next one's.
func TestNameOfAProcessThatEnds(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	defer e.Close()
	a, b := e.Process(e.Go("a", rest)), e.Process(e.Go("b", rest))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(e.Register("n", a.PID()))
	must(e.RegisterGlobal("n", a.PID()))
	a.mu.Lock()
	a.hidden = true // it has begun to end
	a.mu.Unlock()
	must(e.Unregister("n"))
	must(e.UnregisterGlobal("n"))
	must(e.Register("n", b.PID()))
	must(e.RegisterGlobal("n", b.PID()))
	e.forget(&a.actor)
	if got := e.Whereis("n"); got != b.PID() {
		t.Errorf("n is %v", got)
	}
	if got := e.WhereisGlobal("n"); got != b.PID() {
		t.Errorf("n is %v everywhere", got)
	}
}

// At its limit a process can give names back.
func TestNamesAtTheLimit(t *testing.T) {
	e := New(Config{Node: NodeID{1}, Incarnation: 7})
	defer e.Close()
	pid := e.Go("a", rest)
	for i := range maxEntries {
		if err := e.Register(fmt.Sprint(i), pid); err != nil {
			t.Fatal(err)
		}
	}
	if e.Register("more", pid) == nil {
		t.Error("there is no end of it")
	}
	if err := e.Unregister("0"); err != nil {
		t.Fatal(err)
	}
	if err := e.Register("more", pid); err != nil {
		t.Error(err)
	}
}

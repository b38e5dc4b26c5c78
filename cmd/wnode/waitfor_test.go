package main

import (
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// waitFor runs a command again and again until it prints the text, or with no until
// it does not: a node's state is asked for, never guessed by a fixed sleep.
func waitFor(ts *testscript.TestScript, no bool, text, cmd string, args []string) {
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(cmd, args...)
		if out := ts.ReadFile("stdout"); err == nil && strings.Contains(out, text) != no {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("waitfor: %s %s never printed what is wanted of %q; last: %s", cmd, strings.Join(args, " "), text, ts.ReadFile("stdout")+ts.ReadFile("stderr"))
		case <-tick.C:
		}
	}
}

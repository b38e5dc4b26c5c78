//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/wnode-project/wnode/origin"
)

// watchWindow tells the run when the terminal's size changes, until the
// returned function is called.
func (a *app) watchWindow(l *origin.Leader) func() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	go func() {
		for range c {
			l.Resize(a.windowSize())
		}
	}()
	return func() { signal.Stop(c); close(c) }
}

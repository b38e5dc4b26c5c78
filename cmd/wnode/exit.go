package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/internal/near"
	"github.com/wnode-project/wnode/p2p"
	"github.com/wnode-project/wnode/placement"
)

// Exit codes of run; a guest's own code otherwise.
const (
	exitThrown      = 121 // of call: the guest ended with an error for its caller
	exitReason      = 122 // of call: it ended with a reason that is no number
	exitTimeout     = 124
	exitOwn         = 125 // wnode itself failed
	exitInvalid     = 126 // the module cannot run here
	exitNotFound    = 127
	exitInterrupted = 130
	exitTrap        = 134
	exitKilled      = 137
)

// Exit codes of other commands.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNoObject    = 3
	exitUnreachable = 4
	exitPartial     = 5
)

// failure is an error with its fixed code word and its exit codes.
type failure struct {
	word string // for --json and --status
	run  int    // exit code of run
	code int    // of other commands
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usagef(format string, args ...any) error {
	return &failure{"usage", exitOwn, exitUsage, fmt.Errorf(format, args...)}
}

func notFoundf(word, format string, args ...any) error {
	return &failure{word, exitNotFound, exitNoObject, fmt.Errorf(format, args...)}
}

func invalidf(word, format string, args ...any) error {
	return &failure{word, exitInvalid, exitFailed, fmt.Errorf(format, args...)}
}

// classify gives any error its word and codes.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	for _, c := range []struct {
		is        error
		word      string
		run, code int
	}{
		{p2p.ErrNotAuthenticated, "not_authenticated", exitOwn, exitUnreachable},
		{p2p.ErrVersion, "version", exitOwn, exitUnreachable},
		{p2p.ErrNameConflict, "name_conflict", exitOwn, exitFailed},
		{p2p.ErrBadAddress, "bad_address", exitOwn, exitUsage},
		{p2p.ErrUnknownPeer, "unknown_peer", exitNotFound, exitNoObject},
		{p2p.ErrPeerDown, "peer_down", exitOwn, exitUnreachable},
		{placement.ErrNoNode, "no_node", exitNotFound, exitNoObject},
		{home.ErrRuns, "runs_already", exitOwn, exitFailed},
	} {
		if errors.Is(err, c.is) {
			return &failure{c.word, c.run, c.code, err}
		}
	}
	var r engine.Reason
	if errors.As(err, &r) {
		return &failure{string(r.Word), reasonCode(r), otherCode(r.Word), err}
	}
	return &failure{"failed", exitOwn, exitFailed, err}
}

// reasonCode returns the exit code of run for the end of a process.
func reasonCode(r engine.Reason) int {
	switch r.Word {
	case engine.Normal:
		return 0
	case engine.Exited:
		if code := int(r.Code & 255); code != 0 {
			return code
		}
		return exitFailed // never 0 for a code that was not 0
	case engine.Trap, engine.Stack:
		return exitTrap
	case engine.Timeout:
		return exitTimeout
	case engine.ModuleNotFound, engine.EntryNotFound, engine.NoProc:
		return exitNotFound
	case engine.ModuleInvalid, engine.NotGranted:
		return exitInvalid
	case engine.Killed, engine.Shutdown, engine.NoConnection, engine.LeaderGone, engine.Memory, engine.Fuel, engine.Output:
		return exitKilled
	}
	return exitOwn
}

func otherCode(w engine.Word) int {
	switch w {
	case engine.NoProc, engine.ModuleNotFound:
		return exitNoObject
	case engine.NoConnection, engine.Timeout:
		return exitUnreachable
	}
	return exitFailed
}

// fail prints an error and returns its exit code.
func (a *app) fail(err error, run bool) int {
	f := classify(err)
	if a.json {
		line, _ := json.Marshal(map[string]string{"error": clean(f.Error()), "code": f.word}) // of strings: cannot fail
		fmt.Fprintf(a.err, "%s\n", line)
	} else {
		a.note("%s", clean(f.Error()))
	}
	if run {
		return f.run
	}
	return f.code
}

// clean quotes what a terminal would act on: names and errors can hold bytes of
// another node. A line break becomes a break in the text, marked by indentation.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("\n  ")
		case r == '\t':
			b.WriteByte(' ')
		case r == unicode.ReplacementChar:
			b.WriteString(`\ufffd`)
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// suggest returns a hint if one of the words is close to the given one.
func suggest(word string, words []string) string {
	best := near.Word(word, words)
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", clean(best))
}

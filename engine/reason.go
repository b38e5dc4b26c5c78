package engine

import (
	"fmt"
	"strconv"
	"strings"
)

// Word is the class of an exit reason. The set is append-only; both sides of
// a connection use the same words. An unknown word is an error of unknown kind.
type Word string

// The reasons of OTP, and those that only guests have.
const (
	Normal       Word = "normal"       // returned from its entry with exit code 0
	Shutdown     Word = "shutdown"     // asked to end by its supervisor or node
	Kill         Word = "kill"         // only as the reason of an exit signal; the victim ends with Killed
	Killed       Word = "killed"       // ended by a Kill signal, which cannot be trapped
	NoProc       Word = "noproc"       // there is no such process
	NoConnection Word = "noconnection" // its node is down, or no connection could be made; it may still live

	Exited  Word = "exited"  // ended itself with Code, never 0
	Thrown  Word = "thrown"  // ended itself with an error for who called it: Detail
	Trap    Word = "trap"    // Wasm trap; Detail has the trap and the stack
	Timeout Word = "timeout" // its wall time limit
	Memory  Word = "memory"  // its memory limit
	Fuel    Word = "fuel"    // its fuel limit
	Stack   Word = "stack"   // its stack limit
	Output  Word = "output"  // its output limit; what was written up to it arrived

	ModuleNotFound Word = "module_not_found" // no such name here, or nobody served its blocks
	ModuleInvalid  Word = "module_invalid"   // not a module this engine can run
	EntryNotFound  Word = "entry_not_found"  // the module has no such export, or arguments do not fit it
	NotGranted     Word = "not_granted"      // it imports what its spec does not grant
	NotAllowed     Word = "not_allowed"      // the peer's role or origin does not allow it
	SystemLimit    Word = "system_limit"     // the node's own limit
	BadArg         Word = "badarg"           // the request itself is wrong
	LeaderGone     Word = "leader_gone"      // the group leader it was attached to ended
	NotSup         Word = "notsup"           // that kind of node or process cannot do it
	NameTaken      Word = "name_taken"       // another process has the name

	MailboxOverflow Word = "mailbox_overflow" // its mailbox was full for too long
)

// Reason says why a process ended or a request failed. The zero value is
// not a reason.
type Reason struct {
	Word   Word
	Code   uint32 // of Exited
	Detail string // for people; may hold bytes of another node: quote it before printing
}

// Error makes a Reason usable as an error.
func (r Reason) Error() string {
	switch {
	case r.Word == Exited:
		return fmt.Sprintf("exited %d", r.Code)
	case strings.HasPrefix(r.Detail, limit):
		return "killed: " + string(r.Word) + " " + r.Detail
	case r.Detail != "":
		return string(r.Word) + ": " + r.Detail
	}
	return string(r.Word)
}

// Is makes errors.Is(err, Reason{Word: w}) match any reason with that word.
func (r Reason) Is(target error) bool {
	t, ok := target.(Reason)
	return ok && t.Word == r.Word && (t.Detail == "" || t == r)
}

// limit begins the detail of a reason that is a limit of the process's own: it
// was killed for it.
const limit = "limit "

// Limit returns the reason of a process that went beyond a limit of its own.
func Limit(w Word, format string, args ...any) Reason { return Reasonf(w, limit+format, args...) }

// SizeText writes a number of bytes in the largest unit that divides it.
func SizeText(n uint64) string {
	for _, u := range []struct {
		size uint64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// maxSize is the most that ParseSize takes: what a guest can address.
const maxSize = 4 << 30

// ParseSize reads a number of bytes with an optional binary unit: 65536, 64K, 64MiB,
// 1.5G. It is above 0, and at most 4 GiB.
func ParseSize(s string) (uint64, error) {
	number := strings.TrimRight(s, "kKmMgGiIbB")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a size: want a number with K, M or G, as 32MiB", s)
	}
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s[len(number):]), "b"), "i")
	shift, ok := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[unit]
	if n *= float64(uint64(1) << shift); !ok || n > maxSize || n < 1 {
		return 0, fmt.Errorf("%q is not a size up to 4GiB: want a number with K, M or G, as 32MiB", s)
	}
	return uint64(n), nil
}

// Reasonf returns a reason with a formatted detail.
func Reasonf(w Word, format string, args ...any) Reason {
	return Reason{Word: w, Detail: fmt.Sprintf(format, args...)}
}

package wasmcode

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a file, and where.
type Error struct {
	Offset  int    // in the file, in bytes
	Section string // "type", "import", ...; "" before the first section
	Msg     string // one line; text taken from the file is quoted
	Remedy  string // what to do, one line; "" when there is nothing to say
}

// Error is one line: place, message, remedy.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Section != "" {
		fmt.Fprintf(&b, "%s section, offset 0x%x: ", e.Section, e.Offset)
	}
	b.WriteString(e.Msg)
	if e.Remedy != "" {
		b.WriteString(": ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

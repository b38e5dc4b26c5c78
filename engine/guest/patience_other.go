//go:build !unix

package guest

import "time"

var start = time.Now()

// worked returns how long this program has run: how much of that it had is not known.
func worked() time.Duration { return time.Since(start) }

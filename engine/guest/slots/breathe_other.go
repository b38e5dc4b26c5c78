//go:build !linux

package slots

// breathe does nothing: other threads get the core when the system sees fit.
func breathe() {}

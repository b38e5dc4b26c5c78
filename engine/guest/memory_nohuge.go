//go:build !linux

package guest

func preferHuge([]byte) {}

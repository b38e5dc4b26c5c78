package main

import (
	"os"
	"runtime"
)

// spare is how many processors Go gets besides those that guests keep busy: one
// waits for the network, the other runs what comes from there, or a guest that
// goes ahead of others.
const spare = 2

// cores gives Go more processors than there are cores and returns how many
// guests may run at once. An explicit GOMAXPROCS in the environment stays as it
// is, and guests get what it leaves.
func cores() (slots int) {
	procs, slots := processors(runtime.GOMAXPROCS(0), runtime.NumCPU(), os.Getenv("GOMAXPROCS") != "")
	if procs != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(procs)
	}
	return slots
}

// processors returns what GOMAXPROCS should be, and how many guests may run at
// once, from what it is and whether it was set on purpose. By itself it is the
// number of cores, or the limit on them that a container has.
func processors(now, cpus int, explicit bool) (procs, slots int) {
	if explicit {
		return now, max(1, min(now-spare, cpus))
	}
	return now + spare, now
}

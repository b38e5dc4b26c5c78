//go:build wasip1

// Command golib is a library for the benchmarks, built with
// -buildmode=c-shared.
package main

import (
	"strings"
	"syscall"
)

var words = map[string]int32{}

func init() { // as the tables of larger libraries
	for i, w := range strings.Fields("one two three four five six seven eight nine ten") {
		words[w] = int32(i) + 1
	}
}

//go:wasmexport sum
func sum(n int32) int32 {
	var s int32
	for _, v := range words {
		s += v * n
	}
	return s
}

// wait reads stdin and returns how much there was.
//
//go:wasmexport wait
func wait() int32 {
	_ = syscall.SetNonblock(0, false) // the host waits, not Go's poller
	n, _ := syscall.Read(0, make([]byte, 1))
	return int32(n)
}

func main() {}

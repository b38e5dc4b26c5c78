//go:build wasip1

// Command hello greets those it is given, and says where it runs: the first
// guest to try on another node.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	whom := strings.Join(os.Args[1:], " ")
	if whom == "" {
		whom = "world"
	}
	fmt.Printf("hello from wnode, %s\n", whom)
}

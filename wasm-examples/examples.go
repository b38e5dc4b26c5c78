// Package examples holds the guests that the command itself uses, to measure
// with. The directories beside it are programs to read; see README.md.
package examples

import _ "embed"

// Hello prints one line and ends.
//
//go:embed hello-c/hello-c.wasm
var Hello []byte

// Yes writes as many bytes to stdout as its first argument says.
//
//go:embed yes/yes.wasm
var Yes []byte

// Package codecache keeps the machine code of modules on disk, so that a node
// compiles each once in its life and not once a start.
//
// Code from a file is run as it is, outside of the sandbox. So each file carries
// a MAC, HMAC-SHA256 with a random key that lies beside the directory, mode 0600,
// over all that says what it is: one that was written by somebody who cannot read
// the key, or damaged, or renamed, is deleted and never run. A file is read once
// and checked in memory; what is handed on is what was checked, so nothing can be
// exchanged in between. Who can read the key can run code as the user anyway.
//
// A file, HEX of the SHA-256 of scope and id (20 bytes of it):
//
//	magic    8  "wncode1\n"
//	mac     32  over the length of the scope (8, big endian), scope, length of the id (8), id, key, code
//	key     32  as the compiler names it: it hashes the module, its options and the CPU's features
//	code        the rest
//
// Nothing here fails a compilation. What cannot be read is compiled; what cannot
// be written is lost, with one warning. Several processes can use one directory.
package codecache

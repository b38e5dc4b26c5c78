// Package abi is the guest ABI as data: the names and signatures of everything
// a guest may import, and the numbers that its arguments and results are made
// of. Admission checks a module's imports against it, package hostfuncs
// implements it, SDKs are checked against it. It imports nothing of wnode.
package abi

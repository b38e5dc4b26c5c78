// Package guesttest makes modules for tests: an assembler for small ones, and a
// corpus of those that try to hold on to a processor or to memory. It is used by
// tests and benchmarks only.
package guesttest

// Package logs keeps what detached processes write: those that no terminal waits
// for. It is their group leader. Each process has a ring on disk, of two files: the
// newer one is appended to, and takes the place of the older one when it is full.
//
// A file begins with a header, a line of JSON, and then holds records, little
// endian:
//
//	time i64 (nanoseconds since 1970), stream u8 (1 stdout, 2 stderr), length u32, bytes
//
// Input of these processes is at its end, and they see no directories.
package logs

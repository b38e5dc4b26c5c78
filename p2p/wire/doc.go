// Package wire is the wire protocol of wnode: what two authenticated nodes say
// on their signal stream, how they authenticate, and how a module is sent. It
// turns bytes into values and back; package p2p carries them.
//
// Integers are little endian. "bytes" is a uvarint length and as many bytes, and
// a string is bytes. Every decoder checks lengths first, skips what it does not
// know and tolerates what follows the fields it knows: fields are only ever
// appended, numbers never used twice. A changed meaning is a new protocol version.
//
// # Frames
//
// All messages are frames:
//
//	length u32   of all that follows, 2 to MaxFrame
//	kind   u8
//	flags  u8    0; a receiver ignores bits it does not know
//	body
//
// # /wnode/auth/1
//
// Four frames on a stream of their own, the first one from the dialler, at most
// [MaxAuth] bytes each. The listener says nothing of itself, not even who it is
// beyond its peer id, before the dialler has proved itself.
//
//	1 offer     versions, features, nonce 32                dialler → listener
//	2 challenge versions, features, nonce 32                listener → dialler
//	3 proof     kind u8, delegation bytes, certificates, mac 32    dialler → listener
//	4 proof     the same                                    listener → dialler
//	5 refusal   code u16, text string                       instead of 2 or 4
//
// versions is a uvarint count and as many u32; features and certificates are a
// uvarint count and as many strings. The mac is HMAC-SHA256 with the key
// HKDF-SHA256(secret: cookie, salt: cluster id, info: "wnode/auth/1 " and
// "dialler" or "listener") over each of these with a u32 length before it:
//
//	kind, prover's role, cluster id, dialler's peer id, listener's peer id,
//	offer body, challenge body, SHA-256 of the dialler's delegation, of its
//	certificates as encoded, then of the listener's (empty in the dialler's
//	proof), security protocol
//
// A delegation says that a node acts for a user: user key 32, expiry i64 (seconds
// since 1970), signature 64 of "wnode delegation 1" NUL, expiry, peer id.
//
// # /wnode/signal/1
//
// One stream for each pair of nodes, opened by the one that dialled. Three frames
// begin it: [Hello] of the dialler, Hello or [Refusal] of the listener, and an
// empty confirm of the dialler, by which both sides know that this stream, and
// no other, is the session. Then signals flow both ways:
//
//	hello    0xf8  version u32, incarnation u32, session u64, minter u32,
//	               flags u8 (1: hidden), name string, release string, addresses
//	confirm  0xf9
//	refusal  0xfa  code u16, text string
//	large    0xf3  id u32, kind u8, total u32: a signal of the kind, whose body has
//	               total bytes, follows in parts
//	part     0xf4  id u32, then bytes of that body
//	ack      0xf5  n u32: so many bytes of parts have been read since the last ack
//	ping     0xf0  a sign of life, from a side that has said nothing else for half a second
//	goodbye  0xf2  text string: the sender ends the session on purpose
//
// minter is the index that the receiver of the hello puts in the pids it mints at
// the sender. The session is the dialler's. Signals have the kinds of
// engine.Kind, below 0xf0, and begin with the two ends:
//
//	from minter u32, from counter u64, to minter u32, to counter u64
//
// Messages with 64 KiB of data and more are sent in parts, those of several taking
// turns, and other signals between them: only signals from the same process to the
// same one, which must not overtake, wait. The sender has so many bytes of parts on
// their way as it sees fit by the time that acks take.
//
// Their node and incarnation are those of the session, so that a sender cannot
// be forged by construction. What follows depends on the kind:
//
//	spawn 1               spec
//	down 2                ref 32, reason, report
//	exit 3, exit2 4       reason
//	monitor 5, demonitor 7  ref 32, name string: "" by pid
//	unlink 6, unlink ack 9  n u64
//	link 8                n u64
//	message 10            kind u8, has u8 (1: tag, 2: ref, 4: name, 8: of another
//	                      origin than the sender's node), then those it has
//	                      of tag u64, ref 32, name string, then data bytes
//	leader 11             pid 32, token 16
//	wait 12, global 18, group 19  n u64, name string
//	call 16               ref 32, name string, data bytes
//	reply 17              ref 32, reason, data bytes
//	output 32             token 16, stream u8, data bytes
//	credit 33, window 38  n u64
//	input 34              token 16, n u64
//	input data 35         more u8, data bytes
//	file 36               token 16, file request
//	file reply 37         file reply
//
// reason, report, file request and file reply are bytes that hold
//
//	reason       code u32, word string, detail string; empty bytes are no reason
//	report       fetch, compile, start, run (u64, nanoseconds), memory u64, fuel u64,
//	             end u8
//	file request id u64, op u8, flags u32, handle u32, handle2 u32, offset u64,
//	             size u64, atime i64, mtime i64, path string, path2 string, data bytes
//	file reply   id u64, errno u16, handle u32, size u64, dev u64, ino u64, type u8,
//	             nlink u64, size u64, atime u64, mtime u64, ctime u64, data bytes
//
// A spec is fields to the end of the frame: uvarint number, bytes. Numbers are in
// spec.go; an unknown one is skipped, a missing one is its zero value.
//
// # /wnode/module/1
//
// One request a stream. The asker sends a frame want (1: cid bytes); the answer is
// either a frame refusal, or for each block of the DAG, the root first and then
// leaves in order, each once, a frame block (2: cid bytes, data bytes), and a
// frame end (3). The asker verifies every block and hangs up at the first that is
// not what its CID says.
package wire

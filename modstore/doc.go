// Package modstore is a content-addressed store of WebAssembly modules in a
// directory.
//
// A module is named by the CID that IPFS tools print for it with the profile
// unixfs-v1-2025: chunks of 1 MiB, raw leaves, SHA2-256, CIDv1. A file of at
// most 1 MiB is one raw block, so its CID holds its plain sha256. A larger one
// is a dag-pb node that links its chunks; as [MaxModule] is 64 MiB, there is
// never more than one level of links. The store accepts that one shape only
// (see the file dag.go), so a content has exactly one CID here.
//
// # Layout
//
//	FORMAT                  version of this layout; unknown ones are refused
//	blocks/XX/KEY.data      a block; KEY is its multihash in base32, XX its
//	                        next to last two characters (as flatfs does)
//	roots/CID[:9]/CID       one record for each module: JSON, size and time; the
//	                        time of the file is that of the last use
//	tags/NAME               a tag, its CID as text; ':' is written '@'
//	pins/CID                a pin, empty
//	users/RANDOM            what one open Store uses: CIDs, one a line; locked as
//	                        long as it is open
//	quarantine/NAME.TIME    damaged files, named as where they were found
//	tmp/                    files being written, blocks of unfinished imports
//	lock, turn              advisory locks
//
// A module is visible when its record is there. A record is written after all
// its blocks are on the disk, each file by way of tmp, fsync, rename and fsync
// of the directory: so a process killed at any point, or a machine that loses
// power, leaves either the whole module or only blocks that nothing refers to
// ([Store.GC] removes those). Blocks are verified each time they are read.
//
// # Several processes
//
// Any number of processes and goroutines may use one directory at once. Readers
// take no lock. What adds holds the lock shared, from the first look at which
// blocks are there to the record; what removes holds it exclusively. Nothing
// is kept in memory between calls for longer than a millisecond, so a [Store] sees soon
// what another process did, and opening one costs a few system calls.
package modstore

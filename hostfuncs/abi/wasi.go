package abi

// File types.
// Source of this and the following: WASI snapshot_preview1, types filetype,
// rights, fdflags, lookupflags, oflags, fstflags, whence, clockid, eventtype.
const (
	FiletypeUnknown         uint8 = 0
	FiletypeCharacterDevice uint8 = 2
	FiletypeDirectory       uint8 = 3
	FiletypeRegularFile     uint8 = 4
	FiletypeSymbolicLink    uint8 = 7
)

// Rights of a descriptor.
const (
	RightFdDatasync uint64 = 1 << iota
	RightFdRead
	RightFdSeek
	RightFdFdstatSetFlags
	RightFdSync
	RightFdTell
	RightFdWrite
	RightFdAdvise
	RightFdAllocate
	RightPathCreateDirectory
	RightPathCreateFile
	RightPathLinkSource
	RightPathLinkTarget
	RightPathOpen
	RightFdReaddir
	RightPathReadlink
	RightPathRenameSource
	RightPathRenameTarget
	RightPathFilestatGet
	RightPathFilestatSetSize
	RightPathFilestatSetTimes
	RightFdFilestatGet
	RightFdFilestatSetSize
	RightFdFilestatSetTimes
	RightPathSymlink
	RightPathRemoveDirectory
	RightPathUnlinkFile
	RightPollFdReadwrite
	RightSockShutdown
	RightSockAccept
)

// Descriptor flags.
const (
	FdAppend   uint16 = 1 << 0
	FdDsync    uint16 = 1 << 1
	FdNonblock uint16 = 1 << 2
	FdRsync    uint16 = 1 << 3
	FdSync     uint16 = 1 << 4
)

// Flags of path lookup, of path_open and of setting times.
const (
	LookupFollow = 1 << 0

	OpenCreate    = 1 << 0
	OpenDirectory = 1 << 1
	OpenExclusive = 1 << 2
	OpenTruncate  = 1 << 3

	TimeAtime    = 1 << 0
	TimeAtimeNow = 1 << 1
	TimeMtime    = 1 << 2
	TimeMtimeNow = 1 << 3
)

// Origins of fd_seek.
const (
	SeekSet = 0
	SeekCur = 1
	SeekEnd = 2
)

// Clocks.
const (
	ClockRealtime       = 0
	ClockMonotonic      = 1
	ClockProcessCPUTime = 2
	ClockThreadCPUTime  = 3
)

// Events of poll_oneoff.
const (
	EventClock   uint8 = 0
	EventFdRead  uint8 = 1
	EventFdWrite uint8 = 2

	// ClockAbsolute in a clock subscription: the timeout is a point in time.
	ClockAbsolute uint16 = 1 << 0
)

// Limits of this implementation.
const (
	MaxDescriptors   = 1024 // open at once; one more is EMFILE
	MaxIovecs        = 1024 // of one call; more is EINVAL. POSIX's IOV_MAX on Linux
	MaxSubscriptions = 4096 // of one poll_oneoff; more is EINVAL
	MaxPath          = 4096 // bytes of a path; more is ENAMETOOLONG
)

// Sizes in guest memory, in bytes.
const (
	SizeIovec        = 8
	SizeSubscription = 48
	SizeEvent        = 32
	SizeFdstat       = 24
	SizeFilestat     = 64
	SizePrestat      = 8
	SizeDirent       = 24 // without the name that follows it
)

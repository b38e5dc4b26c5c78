package engine

// Errno is a WASI preview 1 error number. Zero is success.
// Source of the numbers: WASI snapshot_preview1, type errno.
type Errno uint16

// FileOp is an operation on the files behind a leader's mounts. The numbers
// are those of the wire and append-only.
type FileOp uint8

// Paths are relative to the directory Handle and use "/"; none leaves it, not
// by "..", not by a symbolic link. Follow: the last part may be a symlink.
const (
	FileOpen         FileOp = 1  // Handle, Path, Flags (Open*) → Handle, Stat
	FileClose        FileOp = 2  // Handle
	FileRead         FileOp = 3  // Handle, Offset, Size ≤ MaxChunk → Data; empty is end of file
	FileWrite        FileOp = 4  // Handle, Offset, Data ≤ MaxChunk, Flags (OpenAppend) → Size written
	FileStat         FileOp = 5  // Handle → Stat
	FilePathStat     FileOp = 6  // Handle, Path, Flags (Follow) → Stat
	FileSetSize      FileOp = 7  // Handle, Size
	FileSetTimes     FileOp = 8  // Handle, Atime, Mtime, Flags (SetAtime...)
	FilePathSetTimes FileOp = 9  // Handle, Path, Atime, Mtime, Flags (SetAtime..., Follow)
	FileSync         FileOp = 10 // Handle
	FileDatasync     FileOp = 11 // Handle
	FileAllocate     FileOp = 12 // Handle, Offset, Size: the file is at least Offset+Size long
	FileReadDir      FileOp = 13 // Handle, Offset (cookie), Size ≤ MaxChunk → Data: dirents as fd_readdir lays them out, whole entries only
	FileMkdir        FileOp = 14 // Handle, Path
	FileRmdir        FileOp = 15 // Handle, Path
	FileUnlink       FileOp = 16 // Handle, Path
	FileRename       FileOp = 17 // Handle, Path, Handle2, Path2
	FileLink         FileOp = 18 // Handle, Path, Handle2, Path2, Flags (Follow)
	FileSymlink      FileOp = 19 // Handle, Path (of the link), Path2 (its target, relative and inside)
	FileReadlink     FileOp = 20 // Handle, Path → Data
)

// Flags of a FileRequest.
const (
	OpenCreate    uint32 = 1 << 0 // as WASI oflags
	OpenDirectory uint32 = 1 << 1
	OpenExclusive uint32 = 1 << 2
	OpenTruncate  uint32 = 1 << 3
	OpenRead      uint32 = 1 << 4
	OpenWrite     uint32 = 1 << 5
	OpenAppend    uint32 = 1 << 6 // write at the end, whatever Offset says
	OpenSync      uint32 = 1 << 7
	Follow        uint32 = 1 << 8
	SetAtime      uint32 = 1 << 9
	SetAtimeNow   uint32 = 1 << 10
	SetMtime      uint32 = 1 << 11
	SetMtimeNow   uint32 = 1 << 12
)

// FileRequest is one operation of a process on the files of its leader.
// Handles are the process's own; 1..len(Spec.Mounts) are its mounts.
type FileRequest struct {
	ID           uint64 // chosen by the process; the reply carries it
	Op           FileOp
	Flags        uint32
	Handle       uint32
	Handle2      uint32
	Path, Path2  string
	Offset       uint64
	Size         uint64
	Atime, Mtime int64 // nanoseconds since 1970
	Data         []byte
}

// FileReply answers the request of the same ID. Replies come in any order.
type FileReply struct {
	ID     uint64
	Errno  Errno
	Handle uint32
	Size   uint64
	Stat   FileAttr
	Data   []byte
}

// FileAttr is a WASI filestat.
type FileAttr struct {
	Dev, Ino            uint64
	Type                uint8 // WASI filetype
	Nlink, Size         uint64
	Atime, Mtime, Ctime uint64 // nanoseconds since 1970
}

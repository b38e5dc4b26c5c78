package modstore

import "errors"

// The kinds of failure. Errors of this package wrap one of them, or an error of
// the operating system (a full disk is syscall.ENOSPC), and name the module,
// block or tag; use [errors.Is].
var (
	// ErrNotFound: no such module or tag here.
	ErrNotFound = errors.New("not found")
	// ErrAmbiguous: a CID prefix fits several modules; the message names them.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrCorrupt: a block, record or tag on disk, or a block given to an
	// [Import], is not what its name says, or a block of a recorded module is
	// gone. The message names it. Adding the module again repairs blocks;
	// [Store.Verify] finds all that is damaged.
	ErrCorrupt = errors.New("corrupt")
	// ErrTooLarge: more than [MaxModule].
	ErrTooLarge = errors.New("module too large: the limit is 64 MiB")
	// ErrBadDAG: not a file in the shape of profile unixfs-v1-2025.
	ErrBadDAG = errors.New("not a unixfs-v1-2025 file")
	// ErrBadCAR: not the archive of one module.
	ErrBadCAR = errors.New("not the CAR of a module")
	// ErrUnexpected: an [Import] got a block other than the next one.
	ErrUnexpected = errors.New("unexpected block")
	// ErrIncomplete: [Import.Commit] before the last block.
	ErrIncomplete = errors.New("import incomplete")
	// ErrPinned: a pinned module is not removed; unpin it first.
	ErrPinned = errors.New("pinned: unpin it first")
	// ErrBadName: a tag outside the allowed form.
	ErrBadName = errors.New("invalid tag name")
	// ErrFormat: the directory is no module store, or one of another version.
	ErrFormat = errors.New("not a module store of this version")
	// ErrClosed: the store was closed, or the import ended.
	ErrClosed = errors.New("closed")
)

package engine

import "time"

// Kind is the kind of a signal. The numbers are those of the wire and append-only.
type Kind uint8

const (
	// Process signals.
	KindSpawn     Kind = 1  // Spec. To is the pid the spawner minted
	KindDown      Kind = 2  // Ref, Reason, Report. From ended, or could not be reached
	KindExit      Kind = 3  // Reason. From ended and was linked to To
	KindExit2     Kind = 4  // Reason. exit_signal(To, Reason) by From
	KindMonitor   Kind = 5  // Ref. From monitors To, or who has Name on the node of To
	KindUnlink    Kind = 6  // N: a number of From's. From no longer takes part in To's end, nor To in its
	KindDemonitor Kind = 7  // Ref, Name of one by name
	KindLink      Kind = 8  // N: 1 if From is of another origin than its node's owner
	KindUnlinkAck Kind = 9  // N: of the unlink
	KindMessage   Kind = 10 // Message; Name: to who has it on the node of To; N: 1 for a MessageCall of another origin than that of its node's owner
	KindLeader    Kind = 11 // Leader, the new group leader of To; zero: the one it was spawned with

	// Between nodes; To has the node alone.
	KindWait   Kind = 12 // N: 1 hold back messages to From, and to Name, as its mailbox is filling; 0 go on
	KindGlobal Kind = 18 // Name: a cluster-wide one. N: 1 From has it, 0 no more
	KindGroup  Kind = 19 // Name: a group. N: 1 From joined it, 0 left it, once

	// Calls of services a node offers by name; To is zero. One out, one back.
	KindCall  Kind = 16 // Ref, Name, Data
	KindReply Kind = 17 // Ref, Reason (zero: fine), Data

	// Between a process and its group leader. All of a process's carry Token.
	KindOutput    Kind = 32 // Stream, Data: at most MaxChunk, within credit
	KindCredit    Kind = 33 // N more bytes of output may be sent; leader to process
	KindInput     Kind = 34 // N bytes of stdin are wanted; process to leader
	KindInputData Kind = 35 // Data: at most MaxChunk; More: the rest follows; empty without More: end of file
	KindFile      Kind = 36 // File
	KindFileReply Kind = 37 // FileReply
	KindWindow    Kind = 38 // Rows, Cols in N: rows<<16|cols; leader to process
)

// Limits of the protocol between a process and its leader.
const (
	MaxChunk     = 16 << 10  // bytes of output, input or file data in one signal
	OutputCredit = 256 << 10 // bytes of output a leader grants each process at its start
	MaxInput     = 64 << 10  // bytes a process may ask for at once
)

// Stream is a standard stream.
type Stream uint8

const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// Signal is one signal from one process to another. Which fields count is said
// at each Kind. A signal and its Data belong to the receiver once sent.
type Signal struct {
	Kind      Kind
	From, To  PID
	Ref       Ref
	Name      string
	Reason    Reason
	Spec      *Spec
	Report    *Report
	Token     [16]byte
	Stream    Stream
	More      bool
	N         uint64
	Data      []byte
	File      *FileRequest
	FileReply *FileReply
	Message   *Message
	Leader    Leader

	session *Session // that it came over; nil: from this node
}

// Report is what a process cost, sent with its Down.
type Report struct {
	Fetch, Compile, Start, Run time.Duration
	MaxMemory                  uint64 // bytes of linear memory
	Fuel                       uint64 // 0: not counted
	End                        End
}

// End is in which way a process came to its end: its reason alone does not tell, as a
// guest may give any. The numbers are those of the wire and of the guest ABI, and
// append-only.
type End uint8

const (
	EndRuntime  End = 0 // it did not run, or what became of it is not known: the reason is a node's
	EndReturned End = 1 // its function returned
	EndExited   End = 2 // it ended itself with the reason
	EndThrown   End = 3 // it ended itself with an error for who called it, the reason's detail
	EndTrapped  End = 4 // its code failed
	EndKilled   End = 5 // it was ended from outside, or for a limit of its own
)

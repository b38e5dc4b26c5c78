package abi

// A message in guest memory, little endian:
//
//	kind u8, end u8 (of a down: engine.End), pad u16 (0), length u32 (of the payload), tag u64,
//	ref 32, from 32, payload
//
// The kinds are those of engine.MessageKind. The payload of an exit and of a down
// is a reason, that of nodeup and nodedown the node's name, and that of name_lost
// the name; what they are about is in from. A pid of from that is a node has
// nothing else: minter and counter 0.
const (
	MessageData     = 1
	MessageCall     = 2
	MessageReply    = 3
	MessageExit     = 4
	MessageDown     = 5
	MessageNodeUp   = 6
	MessageNodeDown = 7
	MessageTimeout  = 8
	MessageCast     = 9
	MessageNameLost = 10
)

// A match, little endian:
//
//	kinds u32 (bit 1<<kind for each; 0 any), pad u32 (0), tag u64,
//	mask u64 (of the tag: bits that must be as in tag), ref 32 (zero any)
//
// A null pointer to a match is any message.

// A reason, little endian:
//
//	code u32 (of "exited"), word length u16, detail length u16, word, detail

// A spec is any number of fields, little endian:
//
//	field u16, pad u16 (0), length u32, bytes
//
// with these numbers. Text is not terminated. What a field says that is there twice
// is taken the second time, but for those that may be repeated.
const (
	SpecNode    = 1  // 16: the node's id; none: this node
	SpecModule  = 2  // text: a tag or CID of the target; none: the module of the caller
	SpecEntry   = 3  // text: an export; none: _start
	SpecArg     = 4  // text, repeated
	SpecEnv     = 5  // text, K=V, repeated
	SpecFlags   = 6  // u32 of SpecLink...
	SpecMemory  = 7  // u64 bytes; 0 the node's default, as of those that follow
	SpecWall    = 8  // u64 nanoseconds
	SpecFuel    = 9  // u64 reductions
	SpecStack   = 10 // u64 bytes
	SpecMailbox = 11 // u64 bytes
	SpecName    = 12 // text: a name on its node
	SpecGrant   = 13 // text, repeated: of those that the caller has
	SpecSeed    = 14 // u64
	SpecInput   = 15 // bytes, which the new process reads with input
)

// Flags of a spec.
const (
	SpecLink     = 1 << 0 // the caller and the new process are linked
	SpecMonitor  = 1 << 1 // the caller monitors the new process
	SpecSameEnv  = 1 << 2 // it has the caller's environment, before what SpecEnv adds
	SpecSameDirs = 1 << 3 // it sees the directories that the caller sees
	SpecNoInput  = 1 << 4 // its stdin is at its end
	SpecDrop     = 1 << 5 // messages that find its mailbox full are dropped
	SpecCall     = 1 << 6 // as SpecMonitor; what the entry returns comes as the reply to the monitor, in place of the down
)

// Tags of the reply to a spec with SpecCall.
const (
	ResultBytes = 0 // what the process gave to output
	ResultText  = 1 // the results of the entry in text form, one to a line
)

// Scopes of names.
const (
	ScopeNode    = 0
	ScopeCluster = 1
)

// Sizes in guest memory, in bytes.
const (
	SizePID     = 32
	SizeRef     = 32
	SizeNode    = 16
	SizeMessage = 80 // without payload
	SizeMatch   = 56
	SizeReason  = 8 // without word and detail
	SizeField   = 8 // without its bytes
)

// Limits of the functions of module wnode.
const (
	MaxMessage = 16 << 20 // bytes of payload; more is E2BIG
	MaxReason  = 4 << 10  // bytes of a reason; more is E2BIG
	MaxWord    = 64       // of its word; more is EINVAL
	MaxSpec    = 1 << 20  // of a spec; more is E2BIG
	MaxName    = 63       // of a name or group; more is EINVAL
)

// What a server exports, a module that handles one message at a time:
//
//	wnode_server_1:     func()             is never called: that it is there makes the module a server
//	wnode_init:         func() -> i32      first, behind _initialize; with the arguments in args_get
//	wnode_handle_call:  func(i32) -> i32   a call
//	wnode_handle_cast:  func(i32) -> i32   a cast
//	wnode_handle_info:  func(i32) -> i32   any other message
//	wnode_terminate:    func(i32)          last; message has the reason, unless it was killed
//
// All but the first may be missing: a message without a handler is dropped. A
// parameter is the size of the message with its payload, which [Wnode] message
// copies. A result is 0 to go on, or StopNormal to end with reason normal; another
// is a trap. A server is killed by nothing that happens between two messages, and
// has no stack between them: only memory and globals stay.
const (
	Server     = "wnode_server_1"
	ServerInit = "wnode_init"
	HandleCall = "wnode_handle_call"
	HandleCast = "wnode_handle_cast"
	HandleInfo = "wnode_handle_info"
	Terminate  = "wnode_terminate"

	StopNormal = 1
)

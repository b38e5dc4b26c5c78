package engine

// MessageKind is the kind of a message in a mailbox. The numbers are those of the
// wire and of the guest ABI, and append-only.
type MessageKind uint8

// The kinds of messages. The engine itself makes those from MessageExit on but
// MessageCast: no other node can send them.
const (
	MessageData     MessageKind = 1  // from another process, with its tag
	MessageCall     MessageKind = 2  // a call; the answer is a MessageReply with the same Ref to From
	MessageReply    MessageKind = 3  // the answer to the call Ref: see Process.Call
	MessageExit     MessageKind = 4  // From, linked or not, sent an exit signal with Reason, and exits are trapped
	MessageDown     MessageKind = 5  // From ended with Reason; Ref is the monitor
	MessageNodeUp   MessageKind = 6  // the node of From is connected; Data is its name
	MessageNodeDown MessageKind = 7  // the node of From is not connected any more; Data is its name
	MessageTimeout  MessageKind = 8  // the timer Ref is due, with its tag and data
	MessageCast     MessageKind = 9  // as data, for the handle_cast of a server
	MessageNameLost MessageKind = 10 // another process has the cluster-wide name in Data: From
)

// MaxMessage bounds the data of a message, in bytes.
const MaxMessage = 16 << 20

// Message is one message in a mailbox. The receiver owns it and its Data.
type Message struct {
	Kind   MessageKind
	End    End    // of MessageDown
	Tag    uint64 // the sender's
	Ref    Ref
	From   PID
	Reason Reason // of MessageExit and MessageDown
	Data   []byte

	id         uint64
	next, prev *Message
	prepaid    bool // does not count towards the limit
	foreign    bool // of MessageCall: its sender may not end the receiver
}

// MayControl reports whether who sent a MessageCall may end the process that got it:
// it is of the same origin, or of the owner of one of their nodes. A process that
// does for others what only its owner may do asks that first.
func (m *Message) MayControl() bool { return m.Kind == MessageCall && !m.foreign }

// messageCost is what a message without data counts towards the limit of a
// mailbox, in bytes.
const messageCost = 128

func (m *Message) cost() int {
	if m.prepaid {
		return 0
	}
	return messageCost + len(m.Data)
}

// ID returns the number of a message in its mailbox: later ones have higher ones.
func (m *Message) ID() uint64 { return m.id }

// fromPeers reports whether another process may send a message of the kind.
func (k MessageKind) fromPeers() bool {
	return k == MessageData || k == MessageCall || k == MessageReply || k == MessageCast
}

// Match selects messages. The zero value selects all.
type Match struct {
	Kinds uint32 // a bit 1<<kind for each kind; 0 is any
	Mask  uint64 // of Tag: bits that must be as in Tag
	Tag   uint64
	Ref   Ref // zero is any
}

// Matches reports whether a message is selected.
func (m *Match) Matches(msg *Message) bool {
	return (m.Kinds == 0 || m.Kinds&(1<<msg.Kind) != 0) &&
		(msg.Tag^m.Tag)&m.Mask == 0 &&
		(m.Ref.IsZero() || m.Ref == msg.Ref)
}

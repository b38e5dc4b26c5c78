package wire

// Version is the version of the signal protocol that this package speaks, and
// MinVersion the oldest it still understands.
const (
	Version    = 1
	MinVersion = 1
)

// Hello begins a session.
type Hello struct {
	Version     uint32
	Incarnation uint32
	Session     uint64 // the dialler's; 0 in the answer
	Minter      uint32 // for the receiver's pids at the sender
	Hidden      bool
	Name        string   // "" of a hidden node
	Release     string   // of the program, for people
	Addrs       []string // multiaddrs where others reach the sender
}

const helloHidden = 1

// Append appends a hello frame.
func (h Hello) Append(b []byte) []byte {
	return AppendFrame(b, KindHello, func(b []byte) []byte {
		b = le.AppendUint32(b, h.Version)
		b = le.AppendUint32(b, h.Incarnation)
		b = le.AppendUint64(b, h.Session)
		b = le.AppendUint32(b, h.Minter)
		var flags uint8
		if h.Hidden {
			flags |= helloHidden
		}
		b = append(b, flags)
		b = appendBytes(b, h.Name)
		b = appendBytes(b, h.Release)
		return appendList(b, h.Addrs)
	})
}

// DecodeHello reads the body of a hello frame.
func DecodeHello(body []byte) (h Hello, err error) {
	d := decoder{b: body}
	h.Version = d.u32()
	h.Incarnation = d.u32()
	h.Session = d.u64()
	h.Minter = d.u32()
	h.Hidden = d.u8()&helloHidden != 0
	h.Name = d.string()
	h.Release = d.string()
	h.Addrs = d.list()
	return h, d.err
}

package wire

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/wnode-project/wnode/engine"
)

// Endpoint is a node in one of its lives: what all pids of one side of a
// session have in common.
type Endpoint struct {
	Node        engine.NodeID
	Incarnation uint32
}

func (e Endpoint) pid(minter uint32, counter uint64) engine.PID {
	return engine.PID{Node: e.Node, Incarnation: e.Incarnation, Minter: minter, Counter: counter}
}

// maxWord bounds an exit reason's word, maxDetail its detail: a longer one, a
// stack trace of a trap say, is cut.
const (
	maxWord   = 64
	maxDetail = 16 << 10
)

// AppendSignal appends the frame of a signal. The error is a signal that does
// not fit in a frame, or of a kind that this version does not know; b is then
// returned as it was.
func AppendSignal(b []byte, s *engine.Signal) ([]byte, error) {
	begin := len(b)
	known := true
	b = AppendFrame(b, uint8(s.Kind), func(b []byte) []byte {
		b, known = appendBody(appendEnds(b, s), s)
		return b
	})
	if !known {
		return b[:begin], fmt.Errorf("signal of unknown kind %d", s.Kind)
	}
	if n := len(b) - begin - 4; n > MaxFrame {
		return b[:begin], fmt.Errorf("a signal of kind %d takes %d bytes, the limit is %d", s.Kind, n, MaxFrame)
	}
	return b, nil
}

func appendEnds(b []byte, s *engine.Signal) []byte {
	b = le.AppendUint32(b, s.From.Minter)
	b = le.AppendUint64(b, s.From.Counter)
	b = le.AppendUint32(b, s.To.Minter)
	return le.AppendUint64(b, s.To.Counter)
}

func appendBody(b []byte, s *engine.Signal) (_ []byte, known bool) {
	switch s.Kind {
	case engine.KindSpawn:
		b = AppendSpec(b, s.Spec)
	case engine.KindDown:
		b = appendRef(b, s.Ref)
		b = appendReason(b, s.Reason)
		b = appendReport(b, s.Report)
	case engine.KindExit, engine.KindExit2:
		b = appendReason(b, s.Reason)
	case engine.KindMonitor, engine.KindDemonitor:
		b = appendRef(b, s.Ref)
		b = appendBytes(b, s.Name)
	case engine.KindLink, engine.KindUnlink, engine.KindUnlinkAck:
		b = le.AppendUint64(b, s.N)
	case engine.KindWait, engine.KindGlobal, engine.KindGroup:
		b = le.AppendUint64(b, s.N)
		b = appendBytes(b, s.Name)
	case engine.KindMessage:
		b = appendMessageHead(b, s)
		b = append(b, s.Message.Data...)
	case engine.KindLeader:
		b = appendRef(b, engine.Ref(s.Leader.PID))
		b = append(b, s.Leader.Token[:]...)
	case engine.KindCall:
		b = appendRef(b, s.Ref)
		b = appendBytes(b, s.Name)
		b = appendBytes(b, s.Data)
	case engine.KindReply:
		b = appendRef(b, s.Ref)
		b = appendReason(b, s.Reason)
		b = appendBytes(b, s.Data)
	case engine.KindOutput:
		b = append(b, s.Token[:]...)
		b = append(b, byte(s.Stream))
		b = appendBytes(b, s.Data)
	case engine.KindCredit, engine.KindWindow:
		b = le.AppendUint64(b, s.N)
	case engine.KindInput:
		b = append(b, s.Token[:]...)
		b = le.AppendUint64(b, s.N)
	case engine.KindInputData:
		b = appendBool(b, s.More)
		b = appendBytes(b, s.Data)
	case engine.KindFile:
		b = append(b, s.Token[:]...)
		b = appendFile(b, s.File)
	case engine.KindFileReply:
		b = appendFileReply(b, s.FileReply)
	default:
		return b, false
	}
	return b, true
}

// DecodeSignal reads the body of a signal frame that came from one node to the
// other. The signal's data is a part of body. A kind that this version does not
// know is a nil signal.
func DecodeSignal(kind uint8, body []byte, from, to Endpoint) (*engine.Signal, error) {
	s := &engine.Signal{}
	known, err := DecodeInto(s, kind, body, from, to)
	if err != nil || !known {
		return nil, err
	}
	return s, nil
}

// DecodeInto is as DecodeSignal, into a zero signal, and reports whether it knows the
// kind.
func DecodeInto(s *engine.Signal, kind uint8, body []byte, from, to Endpoint) (known bool, err error) {
	d := decoder{b: body}
	s.Kind = engine.Kind(kind)
	s.From = from.pid(d.u32(), d.u64())
	s.To = to.pid(d.u32(), d.u64())
	if d.err != nil {
		return false, d.err
	}
	switch s.Kind {
	case engine.KindSpawn:
		s.Spec, d.err = DecodeSpec(d.b)
	case engine.KindDown:
		s.Ref = d.ref()
		s.Reason = d.reason()
		s.Report = d.report()
	case engine.KindExit, engine.KindExit2:
		s.Reason = d.reason()
	case engine.KindMonitor, engine.KindDemonitor:
		s.Ref = d.ref()
		s.Name = d.string()
	case engine.KindLink, engine.KindUnlink, engine.KindUnlinkAck:
		s.N = d.u64()
	case engine.KindWait, engine.KindGlobal, engine.KindGroup:
		s.N = d.u64()
		s.Name = d.string()
	case engine.KindMessage:
		d.message(s)
	case engine.KindLeader:
		s.Leader.PID = d.pid()
		copy(s.Leader.Token[:], d.take(len(s.Leader.Token)))
	case engine.KindCall:
		s.Ref = d.ref()
		s.Name = d.string()
		s.Data = d.bytes()
	case engine.KindReply:
		s.Ref = d.ref()
		s.Reason = d.reason()
		s.Data = d.bytes()
	case engine.KindOutput:
		copy(s.Token[:], d.take(len(s.Token)))
		s.Stream = engine.Stream(d.u8())
		s.Data = d.chunk()
	case engine.KindCredit, engine.KindWindow:
		s.N = d.u64()
	case engine.KindInput:
		copy(s.Token[:], d.take(len(s.Token)))
		s.N = d.u64()
	case engine.KindInputData:
		s.More = d.u8() != 0
		s.Data = d.chunk()
	case engine.KindFile:
		copy(s.Token[:], d.take(len(s.Token)))
		s.File = d.file()
	case engine.KindFileReply:
		s.FileReply = d.fileReply()
	default:
		return false, nil
	}
	return true, d.err
}

// What a message has besides its kind and data.
const (
	messageTag     = 1 << 0
	messageRef     = 1 << 1
	messageName    = 1 << 2
	messageForeign = 1 << 3 // nothing more
)

// appendMessageHead appends all of a message but its data.
func appendMessageHead(b []byte, s *engine.Signal) []byte {
	m := s.Message
	b = append(b, byte(m.Kind), 0)
	has := &b[len(b)-1]
	if m.Tag != 0 {
		*has |= messageTag
	}
	if !m.Ref.IsZero() {
		*has |= messageRef
	}
	if s.Name != "" {
		*has |= messageName
	}
	if s.N != 0 {
		*has |= messageForeign
	}
	bits := *has
	if bits&messageTag != 0 {
		b = le.AppendUint64(b, m.Tag)
	}
	if bits&messageRef != 0 {
		b = appendRef(b, m.Ref)
	}
	if bits&messageName != 0 {
		b = appendBytes(b, s.Name)
	}
	return binary.AppendUvarint(b, uint64(len(m.Data)))
}

func (d *decoder) message(s *engine.Signal) {
	m := &engine.Message{Kind: engine.MessageKind(d.u8()), From: s.From}
	has := d.u8()
	if has&messageTag != 0 {
		m.Tag = d.u64()
	}
	if has&messageRef != 0 {
		m.Ref = d.ref()
	}
	if has&messageName != 0 {
		s.Name = d.string()
	}
	if has&messageForeign != 0 {
		s.N = 1
	}
	m.Data = d.bytes()
	s.Message = m
}

// chunk reads data of a process and its leader, which is bounded.
func (d *decoder) chunk() []byte {
	b := d.bytes()
	if len(b) > engine.MaxChunk {
		d.fail("a chunk of %d bytes, the limit is %d", len(b), engine.MaxChunk)
		return nil
	}
	return b
}

func appendReason(b []byte, r engine.Reason) []byte {
	if r.Word == "" {
		return append(b, 0)
	}
	return appendNested(b, func(b []byte) []byte {
		b = le.AppendUint32(b, r.Code)
		b = appendBytes(b, cut(string(r.Word), maxWord))
		return appendBytes(b, cut(r.Detail, maxDetail))
	})
}

func (d *decoder) reason() (r engine.Reason) {
	n := d.nested()
	if len(n.b) == 0 {
		d.join(n)
		return r
	}
	r.Code = n.u32()
	r.Word = engine.Word(n.string())
	r.Detail = n.string()
	if n.err == nil && (r.Word == "" || len(r.Word) > maxWord) {
		n.fail("a reason whose word has %d bytes", len(r.Word))
	}
	d.join(n)
	return r
}

func appendReport(b []byte, r *engine.Report) []byte {
	if r == nil {
		r = &engine.Report{}
	}
	return appendNested(b, func(b []byte) []byte {
		for _, v := range []time.Duration{r.Fetch, r.Compile, r.Start, r.Run} {
			b = le.AppendUint64(b, uint64(v))
		}
		b = le.AppendUint64(b, r.MaxMemory)
		b = le.AppendUint64(b, r.Fuel)
		return append(b, byte(r.End))
	})
}

func (d *decoder) report() *engine.Report {
	n := d.nested()
	r := &engine.Report{}
	for _, p := range []*time.Duration{&r.Fetch, &r.Compile, &r.Start, &r.Run} {
		*p = time.Duration(n.u64())
	}
	r.MaxMemory = n.u64()
	r.Fuel = n.u64()
	if len(n.b) > 0 { // not there in the first version
		r.End = engine.End(n.u8())
	}
	d.join(n)
	return r
}

func appendFile(b []byte, f *engine.FileRequest) []byte {
	return appendNested(b, func(b []byte) []byte {
		b = le.AppendUint64(b, f.ID)
		b = append(b, byte(f.Op))
		b = le.AppendUint32(b, f.Flags)
		b = le.AppendUint32(b, f.Handle)
		b = le.AppendUint32(b, f.Handle2)
		b = le.AppendUint64(b, f.Offset)
		b = le.AppendUint64(b, f.Size)
		b = le.AppendUint64(b, uint64(f.Atime))
		b = le.AppendUint64(b, uint64(f.Mtime))
		b = appendBytes(b, f.Path)
		b = appendBytes(b, f.Path2)
		return appendBytes(b, f.Data)
	})
}

func (d *decoder) file() *engine.FileRequest {
	n := d.nested()
	f := &engine.FileRequest{}
	f.ID = n.u64()
	f.Op = engine.FileOp(n.u8())
	f.Flags = n.u32()
	f.Handle = n.u32()
	f.Handle2 = n.u32()
	f.Offset = n.u64()
	f.Size = n.u64()
	f.Atime = int64(n.u64())
	f.Mtime = int64(n.u64())
	f.Path = n.string()
	f.Path2 = n.string()
	f.Data = n.chunk()
	d.join(n)
	return f
}

func appendFileReply(b []byte, f *engine.FileReply) []byte {
	return appendNested(b, func(b []byte) []byte {
		b = le.AppendUint64(b, f.ID)
		b = le.AppendUint16(b, uint16(f.Errno))
		b = le.AppendUint32(b, f.Handle)
		b = le.AppendUint64(b, f.Size)
		s := f.Stat
		b = le.AppendUint64(b, s.Dev)
		b = le.AppendUint64(b, s.Ino)
		b = append(b, s.Type)
		for _, v := range []uint64{s.Nlink, s.Size, s.Atime, s.Mtime, s.Ctime} {
			b = le.AppendUint64(b, v)
		}
		return appendBytes(b, f.Data)
	})
}

func (d *decoder) fileReply() *engine.FileReply {
	n := d.nested()
	f := &engine.FileReply{}
	f.ID = n.u64()
	f.Errno = engine.Errno(n.u16())
	f.Handle = n.u32()
	f.Size = n.u64()
	f.Stat.Dev = n.u64()
	f.Stat.Ino = n.u64()
	f.Stat.Type = n.u8()
	for _, p := range []*uint64{&f.Stat.Nlink, &f.Stat.Size, &f.Stat.Atime, &f.Stat.Mtime, &f.Stat.Ctime} {
		*p = n.u64()
	}
	f.Data = n.chunk()
	d.join(n)
	return f
}

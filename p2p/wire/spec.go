package wire

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode/engine"
)

// Numbers of the fields of a spec. Append-only.
const (
	specCID       = 1  // bytes of the CID
	specSize      = 2  // uvarint
	specModule    = 3  // string: the name
	specEntry     = 4  // string
	specArg       = 5  // string, repeated
	specEnv       = 6  // string, repeated
	specMount     = 7  // flags u8 (1: read only), then the path; repeated
	specTerminal  = 8  // flags u8 (1 stdin, 2 stdout, 4 stderr), rows u16, cols u16
	specNoInput   = 9  // empty
	specMemory    = 10 // uvarint, bytes
	specWall      = 11 // uvarint, nanoseconds
	specFuel      = 12 // uvarint
	specGrant     = 13 // string, repeated
	specSeed      = 14 // uvarint
	specOrigin    = 15 // user key 32
	specLeader    = 16 // pid 32, token 16
	specParent    = 17 // pid 32
	specLink      = 18 // empty
	specMonitor   = 19 // ref 32
	specName      = 20 // string
	specStack     = 21 // uvarint, bytes
	specClock     = 22 // kind u8, start i64
	specFresh     = 23 // empty
	specMailbox   = 26 // uvarint, bytes
	specDrop      = 27 // empty: messages that find the mailbox full are dropped
	specLinkTo    = 28 // pid 32
	specOutput    = 24 // uvarint, bytes
	specFiles     = 25 // uvarint
	specInput     = 29 // bytes
	specCall      = 30 // empty: what the entry returns is sent to the parent
	specGlobal    = 31 // string: the cluster-wide name
	mountReadOnly = 1
)

// AppendSpec appends a spec. Zero values take no space.
func AppendSpec(b []byte, s *engine.Spec) []byte {
	if s.Module.CID.Defined() {
		b = appendField(b, specCID, s.Module.CID.Bytes())
	}
	b = appendNumber(b, specSize, s.Module.Size)
	b = appendText(b, specModule, s.Module.Name)
	b = appendText(b, specEntry, s.Entry)
	for _, v := range s.Args {
		b = appendField(b, specArg, v)
	}
	for _, v := range s.Env {
		b = appendField(b, specEnv, v)
	}
	if len(s.Input) > 0 {
		b = appendField(b, specInput, s.Input)
	}
	b = appendMark(b, specCall, s.Call)
	for _, m := range s.Mounts {
		b = appendField(b, specMount, append(appendBool(nil, m.ReadOnly), m.Guest...))
	}
	if t := s.Terminal; t != (engine.Terminal{}) {
		var flags uint8
		for i, on := range []bool{t.Stdin, t.Stdout, t.Stderr} {
			if on {
				flags |= 1 << i
			}
		}
		b = appendField(b, specTerminal, le.AppendUint16(le.AppendUint16([]byte{flags}, t.Rows), t.Cols))
	}
	b = appendMark(b, specNoInput, s.NoInput)
	b = appendNumber(b, specMemory, s.Limits.Memory)
	b = appendNumber(b, specWall, uint64(max(0, s.Limits.Wall)))
	b = appendNumber(b, specFuel, s.Limits.Fuel)
	b = appendNumber(b, specStack, s.Limits.Stack)
	b = appendNumber(b, specOutput, s.Limits.Output)
	b = appendNumber(b, specFiles, s.Limits.Files)
	if c := s.Clock; c != (engine.Clock{}) {
		b = appendField(b, specClock, le.AppendUint64([]byte{uint8(c.Kind)}, uint64(c.Start)))
	}
	b = appendMark(b, specFresh, s.Fresh)
	b = appendNumber(b, specMailbox, s.Limits.Mailbox)
	b = appendMark(b, specDrop, s.DropWhenFull)
	if !s.LinkTo.IsZero() {
		b = appendField(b, specLinkTo, appendRef(nil, engine.Ref(s.LinkTo)))
	}
	for _, v := range s.Grants {
		b = appendField(b, specGrant, v)
	}
	b = appendNumber(b, specSeed, s.Seed)
	if s.Origin != (engine.Origin{}) {
		b = appendField(b, specOrigin, s.Origin[:])
	}
	if s.Leader != (engine.Leader{}) {
		pid := appendRef(nil, engine.Ref(s.Leader.PID))
		b = appendField(b, specLeader, append(pid, s.Leader.Token[:]...))
	}
	if !s.Parent.IsZero() {
		b = appendField(b, specParent, appendRef(nil, engine.Ref(s.Parent)))
	}
	b = appendMark(b, specLink, s.Link)
	if !s.Monitor.IsZero() {
		b = appendField(b, specMonitor, appendRef(nil, s.Monitor))
	}
	b = appendText(b, specName, s.Name)
	return appendText(b, specGlobal, s.GlobalName)
}

func appendField[T ~string | ~[]byte](b []byte, field uint64, v T) []byte {
	return appendBytes(binary.AppendUvarint(b, field), v)
}

func appendText(b []byte, field uint64, v string) []byte {
	if v == "" {
		return b
	}
	return appendField(b, field, v)
}

func appendNumber(b []byte, field, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendField(b, field, binary.AppendUvarint(nil, v))
}

func appendMark(b []byte, field uint64, v bool) []byte {
	if !v {
		return b
	}
	return appendField(b, field, "")
}

// DecodeSpec reads a spec, all of b.
func DecodeSpec(b []byte) (*engine.Spec, error) {
	s := &engine.Spec{}
	d := &decoder{b: b}
	for len(d.b) > 0 && d.err == nil {
		field := d.uvarint()
		v := d.nested()
		v.field(s, field)
		d.join(v)
	}
	return s, d.err
}

// field reads the value of one field.
func (d *decoder) field(s *engine.Spec, field uint64) {
	if d.err != nil {
		return
	}
	switch field {
	case specCID:
		c, err := cid.Cast(d.b)
		if err != nil {
			d.fail("not a CID: %v", err)
			return
		}
		s.Module.CID = c
	case specSize:
		s.Module.Size = d.uvarint()
	case specModule:
		s.Module.Name = string(d.b)
	case specEntry:
		s.Entry = string(d.b)
	case specArg:
		s.Args = append(s.Args, string(d.b))
	case specEnv:
		s.Env = append(s.Env, string(d.b))
	case specInput:
		s.Input = slices.Clone(d.b)
	case specCall:
		s.Call = true
	case specMount:
		ro := d.u8()&mountReadOnly != 0
		s.Mounts = append(s.Mounts, engine.Mount{Guest: string(d.b), ReadOnly: ro})
	case specTerminal:
		flags := d.u8()
		s.Terminal = engine.Terminal{
			Stdin: flags&1 != 0, Stdout: flags&2 != 0, Stderr: flags&4 != 0,
			Rows: d.u16(), Cols: d.u16(),
		}
	case specNoInput:
		s.NoInput = true
	case specMemory:
		s.Limits.Memory = d.uvarint()
	case specWall:
		wall := d.uvarint()
		if wall > uint64(1<<63-1) {
			d.fail("a limit of %d ns", wall)
			return
		}
		s.Limits.Wall = time.Duration(wall)
	case specFuel:
		s.Limits.Fuel = d.uvarint()
	case specClock:
		s.Clock = engine.Clock{Kind: engine.ClockKind(d.u8()), Start: int64(d.u64())}
	case specFresh:
		s.Fresh = true
	case specMailbox:
		s.Limits.Mailbox = d.uvarint()
	case specDrop:
		s.DropWhenFull = true
	case specLinkTo:
		s.LinkTo = d.pid()
	case specStack:
		s.Limits.Stack = d.uvarint()
	case specOutput:
		s.Limits.Output = d.uvarint()
	case specFiles:
		s.Limits.Files = d.uvarint()
	case specGrant:
		s.Grants = append(s.Grants, string(d.b))
	case specSeed:
		s.Seed = d.uvarint()
	case specOrigin:
		copy(s.Origin[:], d.take(len(s.Origin)))
	case specLeader:
		s.Leader.PID = d.pid()
		copy(s.Leader.Token[:], d.take(len(s.Leader.Token)))
	case specParent:
		s.Parent = d.pid()
	case specLink:
		s.Link = true
	case specMonitor:
		s.Monitor = d.ref()
	case specName:
		s.Name = string(d.b)
	case specGlobal:
		s.GlobalName = string(d.b)
	}
}

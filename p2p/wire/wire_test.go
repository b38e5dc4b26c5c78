package wire_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

var (
	kate = wire.Endpoint{Node: engine.NodeID{0xaa, 1}, Incarnation: 7}
	alex = wire.Endpoint{Node: engine.NodeID{0xbb, 2}, Incarnation: 9}
)

func pid(e wire.Endpoint, minter uint32, counter uint64) engine.PID {
	return engine.PID{Node: e.Node, Incarnation: e.Incarnation, Minter: minter, Counter: counter}
}

func sum(data string) cid.Cid {
	mh, err := multihash.Sum([]byte(data), multihash.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// pass sends a signal from kate to alex.
func pass(t interface{ Fatalf(string, ...any) }, s *engine.Signal) *engine.Signal {
	b, err := wire.AppendSignal(nil, s)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	kind, body, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(b)), wire.MaxFrame)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	got, err := wire.DecodeSignal(kind, body, kate, alex)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return got
}

// drawSignal draws any signal that a node may send.
func drawSignal(t *rapid.T) *engine.Signal {
	data := rapid.SliceOfN(rapid.Byte(), 0, 300)
	text := rapid.StringN(0, 40, 200)
	token := func() (b [16]byte) {
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "token"))
		return b
	}
	anyPID := func(name string) engine.PID {
		var node engine.NodeID
		copy(node[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
		return pid(wire.Endpoint{Node: node, Incarnation: rapid.Uint32().Draw(t, "incarnation")},
			rapid.Uint32().Draw(t, "minter"), rapid.Uint64().Draw(t, "counter"))
	}
	reason := func() engine.Reason {
		if rapid.Bool().Draw(t, "no reason") {
			return engine.Reason{}
		}
		return engine.Reason{
			Word: engine.Word(rapid.StringMatching("[a-z_]{1,20}").Draw(t, "word")),
			Code: rapid.Uint32().Draw(t, "code"), Detail: text.Draw(t, "detail"),
		}
	}
	s := &engine.Signal{
		From: pid(kate, rapid.Uint32().Draw(t, "from minter"), rapid.Uint64().Draw(t, "from")),
		To:   pid(alex, rapid.Uint32().Draw(t, "to minter"), rapid.Uint64().Draw(t, "to")),
	}
	s.Kind = rapid.SampledFrom([]engine.Kind{
		engine.KindSpawn, engine.KindDown, engine.KindExit, engine.KindExit2, engine.KindMonitor,
		engine.KindUnlink, engine.KindDemonitor, engine.KindLink, engine.KindUnlinkAck, engine.KindMessage,
		engine.KindLeader, engine.KindWait, engine.KindGlobal, engine.KindGroup, engine.KindCall, engine.KindReply, engine.KindOutput,
		engine.KindCredit, engine.KindInput, engine.KindInputData, engine.KindFile, engine.KindFileReply, engine.KindWindow,
	}).Draw(t, "kind")
	switch s.Kind {
	case engine.KindSpawn:
		texts := rapid.SliceOfN(text, 0, 5)
		s.Spec = &engine.Spec{
			Module: engine.Module{Size: rapid.Uint64().Draw(t, "size"), Name: text.Draw(t, "module")},
			Entry:  text.Draw(t, "entry"), Args: texts.Draw(t, "args"), Env: texts.Draw(t, "env"),
			Terminal: engine.Terminal{
				Stdin: rapid.Bool().Draw(t, "in"), Stdout: rapid.Bool().Draw(t, "out"), Stderr: rapid.Bool().Draw(t, "err"),
				Rows: rapid.Uint16().Draw(t, "rows"), Cols: rapid.Uint16().Draw(t, "cols"),
			},
			NoInput: rapid.Bool().Draw(t, "no input"),
			Limits: engine.Limits{
				Memory: rapid.Uint64().Draw(t, "memory"), Wall: time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "wall")),
				Fuel: rapid.Uint64().Draw(t, "fuel"), Stack: rapid.Uint64().Draw(t, "stack"),
				Mailbox: rapid.Uint64().Draw(t, "mailbox"),
				Output:  rapid.Uint64().Draw(t, "output"), Files: rapid.Uint64().Draw(t, "files"),
			},
			DropWhenFull: rapid.Bool().Draw(t, "drop"), LinkTo: anyPID("link to"),
			Grants: texts.Draw(t, "grants"), Seed: rapid.Uint64().Draw(t, "seed"),
			Clock:  engine.Clock{Kind: engine.ClockKind(rapid.Uint8().Draw(t, "clock")), Start: rapid.Int64().Draw(t, "start")},
			Fresh:  rapid.Bool().Draw(t, "fresh"),
			Leader: engine.Leader{PID: anyPID("leader"), Token: token()},
			Parent: anyPID("parent"), Link: rapid.Bool().Draw(t, "link"),
			Monitor: engine.Ref(anyPID("monitor")), Name: text.Draw(t, "name"),
			GlobalName: text.Draw(t, "global name"),
		}
		if rapid.Bool().Draw(t, "by cid") {
			s.Spec.Module.CID = sum(text.Draw(t, "content"))
		}
		copy(s.Spec.Origin[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "origin"))
		for range rapid.IntRange(0, 3).Draw(t, "mounts") {
			s.Spec.Mounts = append(s.Spec.Mounts, engine.Mount{Guest: "/" + text.Draw(t, "mount"), ReadOnly: rapid.Bool().Draw(t, "ro")})
		}
	case engine.KindDown:
		s.Ref, s.Reason = engine.Ref(anyPID("ref")), reason()
		s.Report = &engine.Report{Fetch: 1, Compile: 2, Start: 3, Run: time.Duration(rapid.Int64().Draw(t, "run")), MaxMemory: 5, Fuel: rapid.Uint64().Draw(t, "fuel")}
	case engine.KindExit, engine.KindExit2:
		s.Reason = reason()
	case engine.KindMonitor, engine.KindDemonitor:
		s.Ref, s.Name = engine.Ref(anyPID("ref")), text.Draw(t, "name")
	case engine.KindLink, engine.KindUnlink, engine.KindUnlinkAck:
		s.N = rapid.Uint64().Draw(t, "n")
	case engine.KindWait, engine.KindGlobal, engine.KindGroup:
		s.N, s.Name = rapid.Uint64().Draw(t, "n"), text.Draw(t, "name")
	case engine.KindLeader:
		s.Leader = engine.Leader{PID: anyPID("leader"), Token: token()}
	case engine.KindMessage:
		s.Name, s.N = text.Draw(t, "name"), rapid.Uint64Range(0, 1).Draw(t, "foreign")
		s.Message = &engine.Message{
			Kind: engine.MessageKind(rapid.Uint8().Draw(t, "message")), Tag: rapid.Uint64().Draw(t, "tag"),
			From: s.From, Data: data.Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "has ref") {
			s.Message.Ref = engine.Ref(anyPID("ref"))
		}
	case engine.KindCall:
		s.Ref, s.Name, s.Data = engine.Ref(anyPID("ref")), text.Draw(t, "name"), data.Draw(t, "data")
	case engine.KindReply:
		s.Ref, s.Reason, s.Data = engine.Ref(anyPID("ref")), reason(), data.Draw(t, "data")
	case engine.KindOutput:
		s.Token, s.Stream, s.Data = token(), engine.Stderr, data.Draw(t, "data")
	case engine.KindCredit, engine.KindWindow:
		s.N = rapid.Uint64().Draw(t, "n")
	case engine.KindInput:
		s.Token, s.N = token(), rapid.Uint64().Draw(t, "n")
	case engine.KindInputData:
		s.More, s.Data = rapid.Bool().Draw(t, "more"), data.Draw(t, "data")
	case engine.KindFile:
		s.Token = token()
		s.File = &engine.FileRequest{
			ID: rapid.Uint64().Draw(t, "id"), Op: engine.FileOp(rapid.Byte().Draw(t, "op")), Flags: rapid.Uint32().Draw(t, "flags"),
			Handle: 1, Handle2: 2, Path: text.Draw(t, "path"), Path2: text.Draw(t, "path2"), Offset: 3, Size: 4,
			Atime: rapid.Int64().Draw(t, "atime"), Mtime: -1, Data: data.Draw(t, "data"),
		}
	case engine.KindFileReply:
		s.FileReply = &engine.FileReply{
			ID: rapid.Uint64().Draw(t, "id"), Errno: 44, Handle: 5, Size: 6, Data: data.Draw(t, "data"),
			Stat: engine.FileAttr{Dev: 1, Ino: 2, Type: 3, Nlink: 4, Size: 5, Atime: 6, Mtime: 7, Ctime: 8},
		}
	}
	return s
}

// same compares signals; nil and empty data are the same on the wire.
func same(a, b *engine.Signal) bool {
	norm := func(s engine.Signal) engine.Signal {
		s.Data = append([]byte{}, s.Data...)
		if f := s.File; f != nil {
			c := *f
			c.Data = append([]byte{}, f.Data...)
			s.File = &c
		}
		if f := s.FileReply; f != nil {
			c := *f
			c.Data = append([]byte{}, f.Data...)
			s.FileReply = &c
		}
		if p := s.Spec; p != nil {
			c := *p
			for _, l := range []*[]string{&c.Args, &c.Env, &c.Grants} {
				*l = append([]string{}, *l...)
			}
			s.Spec = &c
		}
		return s
	}
	return reflect.DeepEqual(norm(*a), norm(*b))
}

func TestSignalsPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSignal(t)
		if got := pass(t, s); !same(got, s) {
			t.Fatalf("sent %+v\n got %+v", s, got)
		}
	})
}

// What a later version appends is passed over, at every level.
func TestTrailingBytesArePassedOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSignal(t)
		if s.Kind == engine.KindSpawn {
			t.Skip("a spec has no end but the frame's: see TestUnknownSpecField")
		}
		b, err := wire.AppendSignal(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.DecodeSignal(uint8(s.Kind), append(b[6:], "more"...), kate, alex)
		if err != nil || !same(got, s) {
			t.Fatalf("%v: sent %+v\n got %+v", err, s, got)
		}
	})
}

func TestUnknownSpecField(t *testing.T) {
	b := wire.AppendSpec(nil, &engine.Spec{Entry: "f"})
	b = append(b, 0xff, 0x01, 3, 'n', 'e', 'w') // field 255
	s, err := wire.DecodeSpec(append(b, wire.AppendSpec(nil, &engine.Spec{Args: []string{"a"}})...))
	if err != nil || s.Entry != "f" || len(s.Args) != 1 {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func TestUnknownKindIsPassedOver(t *testing.T) {
	s, err := wire.DecodeSignal(200, make([]byte, 24), kate, alex)
	if s != nil || err != nil {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func TestEverySignalCutShortIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSignal(t)
		b, err := wire.AppendSignal(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		body := b[6:]
		body = body[:rapid.IntRange(0, len(body)-1).Draw(t, "length")]
		_, err = wire.DecodeSignal(uint8(s.Kind), body, kate, alex)
		if err == nil && s.Kind != engine.KindSpawn { // a spec may end at any field
			t.Fatalf("%d of %d bytes of %+v were taken", len(body), len(b)-6, s)
		}
		if err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("the error is %v", err)
		}
	})
}

func TestTooLarge(t *testing.T) {
	old := []byte("before")
	b, err := wire.AppendSignal(old, &engine.Signal{Kind: engine.KindCall, Data: make([]byte, wire.MaxFrame)})
	if err == nil || !bytes.Equal(b, old) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	b, err = wire.AppendSignal(old, &engine.Signal{Kind: 99})
	if err == nil || !bytes.Equal(b, old) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	big := strings.Repeat("x", wire.MaxFrame)
	got := pass(t, &engine.Signal{Kind: engine.KindExit, Reason: engine.Reason{Word: engine.Trap, Detail: big}})
	if n := len(got.Reason.Detail); n == 0 || n > 16<<10 {
		t.Fatalf("a detail of %d bytes", n)
	}
	chunk, err := wire.AppendSignal(nil, &engine.Signal{Kind: engine.KindOutput, Data: make([]byte, engine.MaxChunk+1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.DecodeSignal(uint8(engine.KindOutput), chunk[6:], kate, alex); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("a chunk above the limit: %v", err)
	}
}

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		limit     int
		want      error
	}{
		{"empty stream", "", 100, io.EOF},
		{"cut header", "0200", 100, io.ErrUnexpectedEOF},
		{"cut body", "0a000000f000", 100, io.ErrUnexpectedEOF},
		{"too short", "01000000f000", 100, wire.ErrMalformed},
		{"too long", "ffffffff0000", 100, wire.ErrMalformed},
		{"above the limit", "65000000f000", 100, wire.ErrMalformed},
		{"empty body", "02000000f000", 100, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			kind, body, err := wire.ReadFrame(bufio.NewReader(bytes.NewReader(in)), c.limit)
			if !errors.Is(err, c.want) || err == nil && (kind != 0xf0 || len(body) != 0) {
				t.Fatalf("got %x %x %v", kind, body, err)
			}
		})
	}
}

// The bytes of version 1 never change.
func TestGoldenBytes(t *testing.T) {
	signal := func(s *engine.Signal) []byte {
		b, err := wire.AppendSignal(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ends := func(s engine.Signal) *engine.Signal {
		s.From, s.To = pid(kate, 1, 2), pid(alex, 3, 4)
		return &s
	}
	const head = "01000000" + "0200000000000000" + "03000000" + "0400000000000000"
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"exit", signal(ends(engine.Signal{Kind: engine.KindExit, Reason: engine.Reason{Word: engine.Exited, Code: 3}})),
			"27000000" + "0300" + head + "0c" + "03000000" + "06" + "657869746564" + "00"},
		{"output", signal(ends(engine.Signal{Kind: engine.KindOutput, Token: [16]byte{1}, Stream: engine.Stdout, Data: []byte("hi")})),
			"2e000000" + "2000" + head + "01000000000000000000000000000000" + "01" + "026869"},
		{"credit", signal(ends(engine.Signal{Kind: engine.KindCredit, N: 5})), "22000000" + "2100" + head + "0500000000000000"},
		{"spec", wire.AppendSpec(nil, &engine.Spec{Entry: "f", Args: []string{"a", ""}, Link: true, Limits: engine.Limits{Memory: 300}}),
			"0401660501610500" + "0a02ac02" + "1200"},
		{"limits", wire.AppendSpec(nil, &engine.Spec{Limits: engine.Limits{Output: 300, Files: 8}}), "1802ac02" + "190108"},
		{"hello", wire.Hello{Version: 1, Incarnation: 2, Session: 3, Minter: 4, Hidden: true, Name: "kate", Release: "v1"}.Append(nil),
			"20000000" + "f800" + "01000000" + "02000000" + "0300000000000000" + "04000000" + "01" + "046b617465" + "027631" + "00"},
		{"refusal", wire.Refusal{Code: wire.RefusedName, Text: "no"}.Append(nil), "07000000" + "fa00" + "0300" + "026e6f"},
		{"ping", wire.AppendFrame(nil, wire.KindPing, nil), "02000000f000"},
		{"offer", wire.Offer{Versions: []uint32{1}, Features: []string{"x"}}.Body(), "01" + "01000000" + "010178" + strings.Repeat("00", 32)},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestMessagesPass(t *testing.T) {
	hello := wire.Hello{Version: 1, Incarnation: 2, Session: 3, Minter: 4, Name: "kate", Release: "devel", Addrs: []string{"/ip4/127.0.0.1/tcp/1", ""}}
	offer := wire.Offer{Versions: []uint32{1, 2}, Features: []string{"a"}, Nonce: [32]byte{9}}
	proof := wire.Proof{Kind: wire.ProofCookie, Delegation: []byte("d"), Certificates: []string{"c"}, MAC: [32]byte{8}}
	grant := wire.Delegation{User: [32]byte{1}, Expiry: -5, Sig: [64]byte{2}}
	check := func(got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	gotHello, err := wire.DecodeHello(hello.Append(nil)[6:])
	check(gotHello, err, hello)
	gotOffer, err := wire.DecodeOffer(offer.Body())
	check(gotOffer, err, offer)
	gotProof, err := wire.DecodeProof(proof.Append(nil)[6:])
	check(gotProof, err, proof)
	gotGrant, err := wire.DecodeDelegation(grant.Bytes())
	check(gotGrant, err, grant)
	text, err := wire.DecodeGoodbye(wire.AppendGoodbye(nil, "so long")[6:])
	check(text, err, "so long")
	c := sum("block")
	got, err := wire.DecodeWant(wire.AppendWant(nil, c)[6:])
	check(got, err, c)
	got, data, err := wire.DecodeBlock(wire.AppendBlock(nil, c, []byte("block"))[6:])
	check(got, err, c)
	check(string(data), nil, "block")
}

package wire_test

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/p2p/wire"
)

// FuzzFrames reads any bytes as a stream of frames and each as a signal. What
// decodes must encode again to what decodes to the same.
func FuzzFrames(f *testing.F) {
	for _, s := range []*engine.Signal{
		{Kind: engine.KindSpawn, Spec: &engine.Spec{Args: []string{"a"}, Module: engine.Module{CID: sum("x")}, Mounts: []engine.Mount{{Guest: "/d"}}}},
		{Kind: engine.KindDown, Reason: engine.Reason{Word: engine.Killed}, Report: &engine.Report{Run: 5}},
		{Kind: engine.KindCall, Name: "ping", Data: []byte("{}")},
		{Kind: engine.KindOutput, Data: []byte("hello")},
		{Kind: engine.KindFile, File: &engine.FileRequest{Path: "p"}},
		{Kind: engine.KindFileReply, FileReply: &engine.FileReply{Data: []byte("x")}},
	} {
		b, err := wire.AppendSignal(nil, s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(wire.AppendFrame(nil, wire.KindPing, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		for {
			kind, body, err := wire.ReadFrame(r, wire.MaxFrame)
			if err != nil {
				return
			}
			s, err := wire.DecodeSignal(kind, body, kate, alex)
			if err != nil || s == nil {
				continue
			}
			b, err := wire.AppendSignal(nil, s)
			if err != nil {
				continue // longer in canonical form
			}
			again, err := wire.DecodeSignal(kind, b[6:], kate, alex)
			if err != nil || !same(s, again) {
				t.Fatalf("%v:\n got %+v\nthen %+v", err, s, again)
			}
		}
	})
}

// FuzzAuth reads any bytes as each message of authentication.
func FuzzAuth(f *testing.F) {
	f.Add(wire.Offer{Versions: []uint32{1}, Features: []string{"a"}}.Body())
	f.Add(wire.Proof{Kind: 1, Delegation: wire.Delegation{}.Bytes()}.Append(nil)[6:])
	f.Add(wire.Refusal{Code: 1, Text: "no"}.Append(nil)[6:])
	f.Fuzz(func(t *testing.T, in []byte) {
		if o, err := wire.DecodeOffer(in); err == nil {
			if _, err := wire.DecodeOffer(o.Body()); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := wire.DecodeProof(in); err == nil {
			if _, err := wire.DecodeProof(p.Append(nil)[6:]); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := wire.DecodeDelegation(in); err == nil && !bytes.Equal(d.Bytes(), in[:len(d.Bytes())]) {
			t.Fatal("a delegation changed on the way")
		}
		if r, err := wire.DecodeRefusal(in); err == nil {
			if _, err := wire.DecodeRefusal(r.Append(nil)[6:]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzHello reads any bytes as what begins and ends a session.
func FuzzHello(f *testing.F) {
	f.Add(wire.Hello{Version: 1, Name: "kate", Addrs: []string{"/ip4/127.0.0.1/tcp/1"}}.Append(nil)[6:])
	f.Fuzz(func(t *testing.T, in []byte) {
		if h, err := wire.DecodeHello(in); err == nil {
			if _, err := wire.DecodeHello(h.Append(nil)[6:]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := wire.DecodeGoodbye(in); err != nil {
			return
		}
	})
}

// FuzzModule reads any bytes as the messages that carry CIDs and blocks.
func FuzzModule(f *testing.F) {
	c := sum("block")
	f.Add(wire.AppendWant(nil, c)[6:])
	f.Add(wire.AppendBlock(nil, c, []byte("block"))[6:])
	f.Fuzz(func(t *testing.T, in []byte) {
		if c, err := wire.DecodeWant(in); err == nil {
			if again, err := wire.DecodeWant(wire.AppendWant(nil, c)[6:]); err != nil || !again.Equals(c) {
				t.Fatal(err)
			}
		}
		if c, data, err := wire.DecodeBlock(in); err == nil {
			_, again, err := wire.DecodeBlock(wire.AppendBlock(nil, c, data)[6:])
			if err != nil || !bytes.Equal(data, again) {
				t.Fatal(err)
			}
		}
	})
}

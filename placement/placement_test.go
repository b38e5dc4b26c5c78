package placement

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{"kate", ""}, {"local", ""}, {"any", ""}, {"any:3", ""}, {"all", ""}, {"label:gpu=yes", ""},
		{"kate,label:site.b/rack=7,any:2", ""}, {"12D3KooWabc", ""}, {"label:a=", ""},
		{"", "an empty part"}, {"kate,", "an empty part"}, {"any:0", "any:N"}, {"any:x", "any:N"}, {"any:", "any:N"},
		{"any:99999999999", "any:N"}, {"label:gpu", "want K=V"}, {"label:=v", "want K=V"}, {"label:a=b c", "want K=V"},
		{"label:" + strings.Repeat("a", 64) + "=b", "want K=V"}, {"tag:x", "want a node"}, {strings.Repeat("a,", 3000) + "a", "the limit is"},
	} {
		s, err := Parse(c.text)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v, want %q", c.text, err, c.err)
		}
		if err == nil && s.String() != c.text {
			t.Errorf("%q is %q", c.text, s)
		}
	}
	for text, want := range map[string][3]bool{ // Local, Every, Searches
		"local": {true, false, false}, "kate": {}, "kate,local": {}, "any": {false, false, true}, "any:2": {false, true, true},
		"all": {false, true, true}, "kate,label:a=b": {false, false, true},
	} {
		s, err := Parse(text)
		if got := [3]bool{s.Local(), s.Every(), s.Searches()}; err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"kate", "any:3,all", "label:a=b,local", ",", "any:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err == nil && (len(s.parts) != strings.Count(text, ",")+1 || s.String() != text) {
			t.Errorf("%q: %d parts", text, len(s.parts))
		}
	})
}

func TestFind(t *testing.T) {
	net := enginetest.NewNetwork(t, &enginetest.Programs{}, nil)
	module := enginetest.ModuleOf([]byte("m")).CID
	var alex *engine.Engine
	peers := map[string][]string{"alex": {"kate"}, "kate": {"alex", "bob", "drained", "gone"}, "bob": {"kate", "zoe"}, "drained": {"kate"}, "zoe": {"bob"}}
	loads := map[string]control.Load{
		"alex": {Cores: 2, Running: 9}, "kate": {Cores: 2, Running: 2, Labels: map[string]string{"gpu": "yes"}},
		"bob": {Cores: 4, Running: 2, Labels: map[string]string{"gpu": "no"}}, "drained": {Cores: 8, Draining: true},
		"zoe": {Cores: 2, Running: 1, Holds: true, Labels: map[string]string{"gpu": "yes", "site": "b"}},
	}
	for name, l := range loads {
		e := net.Start(name, 1)
		l.Name, l.PeerID = name, name
		e.Serve("load", func(_ context.Context, _ engine.Caller, body []byte) ([]byte, error) {
			holds := l
			holds.Holds = l.Holds && strings.Contains(string(body), module.String())
			return json.Marshal(holds)
		})
		ps := []control.Peer{{Name: "", PeerID: "command", Hidden: true}}
		for _, p := range peers[name] {
			ps = append(ps, control.Peer{Name: p, PeerID: p})
		}
		e.Serve("peers", func(context.Context, engine.Caller, []byte) ([]byte, error) { return json.Marshal(ps) })
		if name == "alex" {
			alex = e
		}
	}
	if _, err := alex.Connect(t.Context(), "kate"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		self   bool
		sel    string
		module cid.Cid
		want   string
	}{
		{false, "all", cid.Undef, "bob kate zoe"},
		{true, "all", cid.Undef, "alex bob kate zoe"},
		{false, "local", cid.Undef, "alex"},
		{false, "drained,kate,drained", cid.Undef, "drained kate"},
		{false, "label:gpu=yes", cid.Undef, "kate zoe"},
		{false, "label:gpu=yes,all", cid.Undef, "kate zoe bob"},
		{false, "any", module, "zoe"}, // as loaded as bob, and it has it
		{false, "any:2", module, "zoe bob"},
		{false, "any:9", module, "zoe bob kate"},
		{true, "any:9", module, "zoe bob kate alex"},
		{false, "label:gpu=maybe", cid.Undef, "no such node: none of 3 has the label gpu=maybe: there is gpu=no, gpu=yes"},
		{false, "label:os=x", cid.Undef, "no such node: none of 3 has the label os=x"},
	} {
		s, err := Parse(c.sel)
		if err != nil {
			t.Fatal(err)
		}
		f := Finder{Engine: alex, Self: c.self}
		places, err := f.Find(t.Context(), s, c.module)
		var names []string
		for _, p := range places {
			names = append(names, p.Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v %s: %q, want %q", c.self, c.sel, got, c.want)
		}
	}
	f := Finder{Engine: alex}
	s, _ := Parse("nobody")
	if _, err := f.Find(t.Context(), s, cid.Undef); err == nil || errors.Is(err, ErrNoNode) {
		t.Errorf("a node that cannot be reached: %v", err)
	}
	lonely := net.Start("lonely", 1)
	for _, sel := range []string{"all", "any", "label:a=b"} {
		s, _ := Parse(sel)
		f := Finder{Engine: lonely}
		if _, err := f.Find(t.Context(), s, cid.Undef); !errors.Is(err, ErrNoNode) {
			t.Errorf("%s of nobody: %v", sel, err)
		}
	}
	holder, idle := Place{Load: control.Load{Name: "holder", Cores: 2, Holds: true}}, Place{Load: control.Load{Name: "idle", Cores: 2}}
	for n, want := range map[int]string{0: "holder", 19: "holder", 21: "idle"} {
		if holder.Processes = n; Least([]Place{idle, holder}).Name != want {
			t.Errorf("with %d idle processes at the holder it is not %s", n, want)
		}
	}
	if got := Least([]Place{{Load: control.Load{Name: "a", Cores: 1, Running: 1}}, {Load: control.Load{Name: "b", Cores: 8, Running: 3}}}); got.Name != "b" {
		t.Errorf("the least loaded is %s", got.Name)
	}
}

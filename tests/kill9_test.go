package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	root "github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/origin"
)

// TestKill9 has a process on one node stream numbered messages to one on another,
// each linked with the other and watching it, and kills either node with SIGKILL at
// a random moment, again and again: 25 times, 1000 in make soak. Each time
//
//   - what was received is a prefix of what was sent: no hole, nothing twice;
//   - who is left hears one exit and one down, with noconnection, then that the
//     node is down, and the names of the other one are gone;
//   - when the node runs again the old pid is noproc there;
//   - and no process, name or session is left.
//
// WNODE_SEED repeats a sequence.
func TestKill9(t *testing.T) {
	rounds := 25
	if os.Getenv("WNODE_SOAK") != "" {
		rounds = 1000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("WNODE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("WNODE_SEED=%d", seed)
	// Over QUIC a death is known by silence alone, after 4 s: few of those.
	for i, lane := range []struct {
		transport, listen string
		rounds            int
	}{
		{"tcp", "/ip4/127.0.0.1/tcp/0", rounds - rounds/16},
		{"quic", "/ip4/127.0.0.1/udp/0/quic-v1", rounds / 16},
	} {
		t.Run(lane.transport, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, lane.listen)
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := range lane.rounds {
				victim := []string{"kate", "alex"}[r.IntN(2)]
				// From before the first message to long after mailboxes are full.
				after := uint64(r.Float64() * float64(uint64(1)<<r.IntN(15)))
				if !t.Run(fmt.Sprintf("%d-%s-after-%d", n, victim, after), func(t *testing.T) { p.round(t, victim, after) }) {
					return
				}
			}
			t.Logf("%d rounds; the longest mourning took %v, the last message was %d at most", lane.rounds, p.longest.Round(time.Millisecond), p.most)
		})
	}
}

// pair is two nodes, in processes of their own, and a hidden one of the test's.
type pair struct {
	h      *host
	listen string
	nodes  map[string]*exec.Cmd
	me     *root.Node
	module engine.Module

	longest time.Duration // from a kill to that all is heard
	most    uint64        // messages received in a round
}

func newPair(t *testing.T, listen string) *pair {
	t.Helper()
	p := &pair{h: newHost(t), listen: listen, nodes: map[string]*exec.Cmd{}}
	p.up("kate")
	p.up("alex")
	h, err := home.Open(func(key string) string { return map[string]string{"WNODE_HOME": p.h.home}[key] })
	if err != nil {
		t.Fatal(err)
	}
	if p.me, err = root.Start(t.Context(), root.Config{Home: h}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.me.Close(); err != nil {
			t.Error(err)
		}
	})
	wasm, err := os.ReadFile(guest(t, "stream"))
	if err != nil {
		t.Fatal(err)
	}
	p.module.Name = "stream"
	if p.module.CID, p.module.Size, err = p.me.Store.Add(t.Context(), bytes.NewReader(wasm)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) up(name string) { p.nodes[name], _ = p.h.up(name, "--listen", p.listen) }

// on connects to a node.
func (p *pair) on(ctx context.Context, t *testing.T, name string) control.Client {
	t.Helper()
	id, err := p.me.Engine.Connect(ctx, name)
	if err != nil {
		t.Fatalf("connect to %s: %v", name, err)
	}
	return control.Client{Engine: p.me.Engine, Node: id}
}

func (p *pair) round(t *testing.T, victim string, after uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	received, sent := newStory(t), newStory(t)
	l := origin.New(p.me.Engine, origin.Config{Stdout: received, Stderr: sent})
	defer l.Close()
	alex := p.on(ctx, t, "alex")
	sender := l.Spawn(alex.Node, &engine.Spec{Module: p.module, Args: []string{"kate"}, NoInput: true})
	sent.until(ctx, "the sender starts", func() bool { return sent.has("started") })
	kate := p.on(ctx, t, "kate")
	received.until(ctx, fmt.Sprintf("message %d comes", after), func() bool { return received.last >= after })
	receiver, err := kate.Whereis(ctx, "receiver", false)
	if err != nil && (after > 0 || !errors.Is(err, engine.Reason{Word: engine.NoProc})) {
		t.Fatal(err)
	}

	if err := p.nodes[victim].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	p.nodes[victim].Wait() // an error, as it was killed
	survivor, left, tale, dead := kate, receiver, received, alex.Node
	if victim == "kate" {
		survivor, left, tale, dead = alex, sender, sent, kate.Node
	}
	heard := []string{"exit noconnection", "down noconnection", "nodedown " + victim, "no name"}
	mourned := func() bool { return tale.has(heard[len(heard)-1]) }
	gone := false
	if victim == "alex" && after == 0 {
		// The spawn may have been lost with its sender; and a receiver that does not
		// trap exits yet ends with it.
		eventually(ctx, t, "receiver is not heard of", func() bool {
			ps, err := kate.Processes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			gone = len(ps) == 0
			return gone || tale.now(mourned)
		})
	}
	if gone {
		heard = nil
	} else {
		tale.until(ctx, "the other one hears of it", mourned)
		if left.IsZero() { // its spawn was on the way when it was looked for
			if left, err = kate.Whereis(ctx, "receiver", false); err != nil {
				t.Fatal(err)
			}
		}
		p.longest = max(p.longest, time.Since(killed))
	}
	p.most = max(p.most, received.last)
	if victim == "alex" {
		if x, err := l.Wait(ctx); err != nil || x.Reason.Word != engine.NoConnection {
			t.Errorf("the sender's leader is told %v, %v", x.Reason, err)
		}
	}
	eventually(ctx, t, "session of the survivor is left", func() bool { return len(p.named(ctx, t, survivor)) == 0 })
	eventually(ctx, t, "session of the test is left", func() bool { return p.me.Engine.Session(dead) == nil })

	p.up(victim)
	reborn := p.on(ctx, t, victim)
	if heard != nil {
		p.farewell(ctx, t, left, tale)
		heard = append(heard, "again: down noproc", "again: exit noproc")
	}
	for _, c := range []control.Client{survivor, reborn} {
		if ps, err := c.Processes(ctx); err != nil || len(ps) != 0 {
			t.Errorf("processes are left: %+v, %v", ps, err)
		}
		for _, name := range []string{"sender", "receiver"} {
			for _, cluster := range []bool{false, true} {
				eventually(ctx, t, "name is left", func() bool { // the other node hears of it a little later
					_, err := c.Whereis(ctx, name, cluster)
					return errors.Is(err, engine.Reason{Word: engine.NoProc})
				})
			}
		}
	}
	got := slices.DeleteFunc(tale.words(), func(s string) bool { return s == "started" || s == "ready" })
	if len(got) > 1 && got[0] == "down noconnection" { // either may be first
		got[0], got[1] = got[1], got[0]
	}
	if !slices.Equal(got, heard) {
		t.Errorf("who is left heard %q, want %q", got, heard)
	}
	for _, s := range []*story{received, sent} {
		if s.wrong != "" {
			t.Error(s.wrong)
		}
	}
}

// eventually polls until something is so.
func eventually(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("for %v a %s", patience, what)
		}
	}
}

// named returns the nodes, commands apart, that a node is connected with.
func (p *pair) named(ctx context.Context, t *testing.T, c control.Client) (names []string) {
	t.Helper()
	peers, err := c.Peers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		if !peer.Hidden {
			names = append(names, peer.Name)
		}
	}
	return names
}

// farewell has who is left look for the other one again, and end.
func (p *pair) farewell(ctx context.Context, t *testing.T, left engine.PID, s *story) {
	t.Helper()
	down := make(chan engine.Reason, 2)
	n := p.me.Engine.Native(func(sig *engine.Signal) {
		if sig.Kind == engine.KindDown {
			down <- sig.Reason
		}
	})
	defer n.Close(engine.Reason{Word: engine.Normal})
	n.Monitor(left)
	say := func(text string) {
		n.Send(left, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageData, Data: []byte(text)}})
	}
	say("again")
	s.until(ctx, "it looks again", func() bool { return s.has("again: exit noproc") })
	say("quit")
	select {
	case why := <-down:
		if why.Word != engine.Normal {
			t.Errorf("who is left ends with %v", why)
		}
	case <-ctx.Done():
		t.Errorf("who is left does not end")
	}
}

// story is what one of the processes writes: numbers from 1 on, and words.
type story struct {
	t    *testing.T
	more chan struct{} // has one element when there is more

	mu    sync.Mutex
	cut   string // of the line that is not complete
	last  uint64
	said  []string
	wrong string // the first
}

func newStory(t *testing.T) *story { return &story{t: t, more: make(chan struct{}, 1)} }

func (s *story) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut += string(b)
	for {
		line, rest, ok := strings.Cut(s.cut, "\n")
		if !ok {
			break
		}
		s.cut = rest
		n, err := strconv.ParseUint(line, 10, 64)
		switch {
		case err != nil:
			s.said = append(s.said, line)
		case n != s.last+1 || slices.Contains(s.said, "down noconnection"):
			if s.wrong == "" {
				s.wrong = fmt.Sprintf("message %d came behind %d, %q", n, s.last, s.said)
			}
		default:
			s.last = n
		}
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(b), nil
}

// has reports whether the words were said. s.mu is held.
func (s *story) has(words string) bool { return slices.Contains(s.said, words) }

func (s *story) words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// now reports whether something is so.
func (s *story) now(ok func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok()
}

// until waits for what must come.
func (s *story) until(ctx context.Context, what string, ok func() bool) {
	s.t.Helper()
	for {
		s.mu.Lock()
		done, last, said := ok(), s.last, slices.Clone(s.said)
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			s.t.Fatalf("never: %s; so far %d messages, %q", what, last, said)
		}
	}
}

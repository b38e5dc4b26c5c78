package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/supervise"
)

// How long a supervised server of another node is away: when it is killed, and when its
// connection is closed and it starts on the supervisor's node. Figures are milliseconds
// until the first instruction of the new one is due; what is asked for is 5 and 1000.
func BenchmarkSupervisedRestart(b *testing.B) {
	b.Run("killed", func(b *testing.B) {
		c := newSupervised(b, "kate")
		c.measure(b, func() *wnode.Node {
			go c.kate.Self.Kill(b.Context(), c.child(c.kate), "")
			return c.kate
		}, func() {})
	})
	for _, on := range []string{"kate,alex", "any"} {
		b.Run("node lost, on "+on, func(b *testing.B) {
			c := newSupervised(b, on)
			c.measure(b, func() *wnode.Node {
				if err := c.kate.Net.Close(); err != nil {
					b.Fatal(err)
				}
				return c.alex
			}, func() {
				// Back to kate, which is another one.
				if err := c.kate.Close(); err != nil {
					b.Log(err) // it has no network any more
				}
				c.kate = c.start(b, "kate")
				c.connect(b)
				c.toKate(b)
			})
		})
	}
}

// supervised is a supervisor on alex, and its child on kate.
type supervised struct {
	home       *home.Home
	alex, kate *wnode.Node
}

func newSupervised(b *testing.B, on string) *supervised {
	dir := filepath.Join(b.TempDir(), "home")
	h, err := home.Open(func(k string) string {
		if k == "WNODE_HOME" {
			return dir
		}
		return ""
	})
	if err != nil {
		b.Fatal(err)
	}
	c := &supervised{home: h}
	c.alex, c.kate = c.start(b, "alex"), c.start(b, "kate")
	b.Cleanup(func() {
		c.alex.Close()
		c.kate.Close() // that it has no network any more is no error here
	})
	c.connect(b)
	wasm, err := os.ReadFile("../../wasm-examples/counter/counter.wasm")
	if err != nil {
		b.Fatal(err)
	}
	id, size, err := c.alex.Store.Add(b.Context(), bytes.NewReader(wasm))
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := c.kate.Store.Add(b.Context(), bytes.NewReader(wasm)); err != nil { // or any would always be alex
		b.Fatal(err)
	}
	t := &supervise.Tree{Name: "tree", Supervisor: supervise.Supervisor{
		Strategy: otp.OneForOne, MaxRestarts: 1 << 29, MaxSeconds: 1,
		Children: []supervise.Child{{ID: "child", Name: "child", Module: "counter", CID: id.String(), Size: size, On: on}},
	}}
	if _, err := c.alex.Self.StartTree(b.Context(), t, engine.PID{}, nil); err != nil {
		b.Fatal(err)
	}
	c.toKate(b)
	return c
}

// toKate has the child be on kate.
func (c *supervised) toKate(b *testing.B) {
	for c.child(c.kate).IsZero() {
		if old := c.child(c.alex); !old.IsZero() {
			if err := c.alex.Self.Kill(b.Context(), old, ""); err != nil {
				b.Log(err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *supervised) start(b *testing.B, name string) *wnode.Node {
	n, err := wnode.Start(b.Context(), wnode.Config{Home: c.home, Name: name, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (c *supervised) connect(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.alex.Engine.Connect(ctx, "kate"); err != nil {
		b.Fatal(err)
	}
}

func (c *supervised) child(n *wnode.Node) engine.PID { return n.Engine.Whereis("child") }

// measure ends the child b.N times, and says how long it was until there was another
// one on the node that end returns.
func (c *supervised) measure(b *testing.B, end func() *wnode.Node, again func()) {
	var away []float64
	for b.Loop() {
		old := c.child(c.kate)
		if err := c.kate.Engine.Started(b.Context(), old); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		n := end()
		for pid := old; pid == old || pid.IsZero(); pid = c.child(n) {
			time.Sleep(20 * time.Microsecond)
		}
		if err := n.Engine.Started(b.Context(), c.child(n)); err != nil {
			b.Fatal(err)
		}
		away = append(away, float64(time.Since(begin).Microseconds())/1000)
		again()
	}
	slices.Sort(away)
	b.ReportMetric(away[len(away)/2], "p50-ms")
	b.ReportMetric(away[len(away)*99/100], "p99-ms")
}

package batch_test

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/batch"
	"github.com/wnode-project/wnode/engine"
)

// event is something that happens to the nodes of a map.
type event struct {
	After time.Duration // the one before
	Do    string
	Node  int
}

func (e event) String() string { return fmt.Sprintf("%v %s %d", e.After, e.Do, e.Node) }

// Whatever happens to nodes and processes, each result comes once, whole and in order,
// as long as there is a node from time to time; and nothing is left of the map.
func TestRandomLosses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
			return event{
				After: time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond,
				Do:    rapid.SampledFrom([]string{"die", "die", "heal", "join", "drain", "kill", "kill"}).Draw(t, "do"),
				Node:  rapid.IntRange(0, 3).Draw(t, "node"),
			}
		}), 0, 40).Draw(rt, "events")
		c := batch.Config{
			Retries: 1 << 30, Patience: time.Hour,
			Unordered: rapid.Bool().Draw(rt, "unordered"), Worker: rapid.Bool().Draw(rt, "worker"),
			Hedge: rapid.Bool().Draw(rt, "hedge"), Ahead: rapid.Bool().Draw(rt, "ahead"),
		}
		n := rapid.IntRange(0, 60).Draw(rt, "tasks")
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = suffer(t, c, n, events) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// suffer maps n tasks while the events happen, and says what was wrong.
func suffer(t *testing.T, c batch.Config, n int, events []event) string {
	names := []string{"n0", "n1", "n2", "n3"}
	w := newWorld(t, names...)
	took := func(n int) time.Duration { return time.Duration(n*37%11) * 100 * time.Millisecond }
	if c.Worker {
		c.Spec = w.program(worker(func(p *engine.Process, n int) (string, engine.Reason) {
			say(p, "%d", n/10)
			wait(p, took(n))
			say(p, "%d", n%10)
			return "\n", engine.Reason{}
		}))
	} else {
		c.Spec = w.program(func(p *engine.Process, _ string, args []string) engine.Reason {
			n, _ := strconv.Atoi(args[0])
			say(p, "%d", n/10)
			wait(p, took(n))
			say(p, "%d\n", n%10)
			return normal
		})
	}
	var got sink
	c.Next, c.Nodes, c.Emit = calls(n), w.find, got.emit
	if !c.Worker {
		c.Next = count(n)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, e := range events {
			time.Sleep(e.After)
			w.happen(e, names[e.Node])
		}
		for _, name := range names {
			w.heal(name, 2)
		}
	}()
	sum, err := batch.Run(t.Context(), w.me, c)
	<-ended
	synctest.Wait()
	if err != nil || sum.Good != n || sum.Failed != 0 {
		return fmt.Sprintf("%+v, %v, want %d", sum, err, n)
	}
	seen := map[int]bool{}
	want := ""
	for i, seq := range got.order {
		if seen[seq] || seq < 1 || seq > n || !c.Unordered && seq != i+1 {
			return fmt.Sprintf("results in the order %v", got.order)
		}
		seen[seq] = true
		want += fmt.Sprintf("%d%d\n", seq/10, seq%10)
	}
	if got.text.String() != want {
		return fmt.Sprintf("output %q, want %q", got.text.String(), want)
	}
	for name, e := range w.nodes {
		if left := len(e.Processes()); left > 0 {
			return fmt.Sprintf("%d processes are left on %s", left, name)
		}
	}
	return ""
}

func (w *world) happen(e event, name string) {
	switch e.Do {
	case "die":
		w.die(name)
	case "heal":
		w.heal(name, 1)
	case "join":
		w.heal(name, 1+e.Node)
	case "drain":
		w.join(name, 0)
	case "kill":
		if all := w.nodes[name].Processes(); len(all) > 0 {
			if p := w.nodes[name].Process(all[0].PID); p != nil {
				p.Kill(engine.Reason{Word: engine.Killed, Detail: "by a test"})
			}
		}
	}
}

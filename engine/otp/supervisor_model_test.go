package otp_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
)

// model is what a supervisor should be, by the manual: its children and when it
// restarted one.
type model struct {
	strategy otp.Strategy
	max      int
	seconds  time.Duration
	children []*modelChild
	restarts []time.Time
	over     bool
	trace    []string // what happens to the children in the step that is done
}

type modelChild struct {
	id      string
	restart otp.Restart
	runs    bool
}

func (m *model) find(id string) *modelChild {
	for _, c := range m.children {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (m *model) stop(list []*modelChild) {
	for _, c := range slices.Backward(list) {
		if c.runs {
			m.trace = append(m.trace, "-"+c.id)
			c.runs = false
		}
	}
}

// ends is the end of a child's process.
func (m *model) ends(c *modelChild, normal bool) {
	m.trace = append(m.trace, "-"+c.id)
	c.runs = false
	if c.restart == otp.Temporary {
		m.children = slices.DeleteFunc(m.children, func(d *modelChild) bool { return d == c })
		return
	}
	if c.restart == otp.Transient && normal {
		return
	}
	now := time.Now()
	m.restarts = append(m.restarts, now)
	recent := 0
	for _, t := range m.restarts {
		if now.Sub(t) <= m.seconds {
			recent++
		}
	}
	if recent > m.max {
		m.stop(m.children)
		m.over = true
		return
	}
	i := slices.Index(m.children, c)
	switch m.strategy {
	case otp.OneForOne:
		m.trace = append(m.trace, "+"+c.id)
		c.runs = true
		return
	case otp.OneForAll:
		i = 0
	}
	m.stop(m.children[i:])
	again := m.children[:i:i]
	for _, d := range m.children[i:] {
		if d.restart != otp.Temporary {
			d.runs = true
			again = append(again, d)
			m.trace = append(m.trace, "+"+d.id)
		}
	}
	m.children = again
}

// Children end at random, are terminated, restarted and deleted, and time passes: the
// supervisor does what the model does.
func TestRandomEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			strategy: rapid.SampledFrom([]otp.Strategy{otp.OneForOne, otp.OneForAll, otp.RestForOne}).Draw(rt, "strategy"),
			max:      rapid.IntRange(0, 6).Draw(rt, "max"),
			seconds:  rapid.SampledFrom([]time.Duration{5, 25, 60, 600}).Draw(rt, "seconds") * time.Second,
		}
		var texts []string
		for i := range rapid.IntRange(1, 6).Draw(rt, "children") {
			c := &modelChild{
				id: string(rune('a' + i)), runs: true,
				restart: rapid.SampledFrom([]otp.Restart{otp.Permanent, otp.Permanent, otp.Transient, otp.Temporary}).Draw(rt, "restart"),
			}
			m.children = append(m.children, c)
			texts = append(texts, c.id+" "+string(c.restart)+rapid.SampledFrom([]string{"", " on=kate,alex", " takes=stubborn shutdown=1s"}).Draw(rt, "manner"))
		}
		type doing struct{ what, child string }
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) doing {
			return doing{
				rapid.SampledFrom([]string{"normal", "trap", "kill", "kill", "terminate_child", "restart_child", "delete_child", "wait"}).Draw(t, "do"),
				string(rune('a' + rapid.IntRange(0, 5).Draw(t, "child"))),
			}
		}), 1, 60).Draw(rt, "steps")
		var wrong string
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex", "kate")
			s := w.start(&otp.Supervisor{Strategy: m.strategy, Intensity: m.max, Period: m.seconds}, texts...)
			why := w.done(s)
			w.happened()
			for i, step := range steps {
				m.trace = nil
				do := step.what + " " + step.child
				switch c := m.find(step.child); step.what {
				case "wait":
					do = "wait 2s"
				case "terminate_child":
					switch {
					case c == nil:
						m.trace = append(m.trace, "(noproc: not_found)")
					default:
						m.stop([]*modelChild{c})
						if c.restart == otp.Temporary {
							m.children = slices.DeleteFunc(m.children, func(d *modelChild) bool { return d == c })
						}
					}
				case "restart_child", "delete_child":
					switch {
					case c == nil:
						m.trace = append(m.trace, "(noproc: not_found)")
					case c.runs:
						m.trace = append(m.trace, "(badarg: running)")
					case step.what == "restart_child":
						c.runs = true
						m.trace = append(m.trace, "+"+c.id)
					default:
						m.children = slices.DeleteFunc(m.children, func(d *modelChild) bool { return d == c })
					}
				default:
					if c == nil || !c.runs {
						continue
					}
					m.ends(c, step.what == "normal")
				}
				w.do(s, do)
				if step.what != "wait" {
					time.Sleep(10 * time.Second) // more than all of them take to end
				}
				got, want := w.happened(), strings.Join(m.trace, " ")
				if got != want {
					wrong = fmt.Sprintf("step %d, %s: %s, want %s", i, do, got, want)
					return
				}
				if m.over {
					if got := why(); got != "shutdown" {
						wrong = "above its intensity it ended with " + got
					}
					return
				}
				children, err := s.WhichChildren(t.Context())
				if err != nil || len(children) != len(m.children) {
					wrong = fmt.Sprintf("step %d, %s: %d children, want %d; error %v", i, do, len(children), len(m.children), err)
					return
				}
				for j, c := range m.children {
					if got := children[j]; got.ID != c.id || (got.State == "running") != c.runs {
						wrong = fmt.Sprintf("step %d, %s: child %d is %s %s", i, do, j, got.ID, got.State)
						return
					}
				}
			}
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// Whatever a supervisor is sent, it answers and goes on.
func FuzzRequest(f *testing.F) {
	for _, op := range []string{"which_children", "count_children", "start_child", "terminate_child", "restart_child", "delete_child", "x"} {
		b, err := json.Marshal(map[string]any{"op": op, "id": "a", "args": []string{"x"}, "child": otp.NewChild{ID: "b"}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "alex")
			s := w.start(&otp.Supervisor{Intensity: 1000}, "a")
			why := w.done(s)
			answered := make(chan []byte, 1)
			ref := s.Engine.MakeRef()
			n := s.Engine.Native(func(sig *engine.Signal) {
				if sig.Kind == engine.KindMessage {
					answered <- sig.Message.Data
				}
			})
			defer n.Close(engine.Reason{Word: engine.Normal})
			n.Send(s.PID, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageCall, Ref: ref, Data: data}})
			synctest.Wait()
			select {
			case b := <-answered:
				if !json.Valid(b) {
					t.Errorf("the answer is %q", b)
				}
			default:
				if why() != "shutdown" { // it was asked to stop
					t.Error("no answer")
				}
				return
			}
			if _, err := s.WhichChildren(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

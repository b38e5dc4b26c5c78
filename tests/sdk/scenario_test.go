package sdk

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/hostfuncs/abi"
	"github.com/wnode-project/wnode/origin"
)

// patience bounds a wait for what must come; reaching it is a failure.
const patience = time.Minute

// Guests of all languages do the same: those of one language on both nodes, and
// each with one of the next language.
func TestScenarios(t *testing.T) {
	look(t)
	all := scenarios(t)
	cluster := newCluster(t)
	var here []language
	for _, l := range languages {
		t.Run("build "+l.name, func(t *testing.T) {
			scenario, counter := build(t, l)
			cluster.add(t, "scenario-"+l.name, scenario)
			cluster.add(t, "counter-"+l.name, counter)
			here = append(here, l)
		})
	}
	for i, l := range here {
		next := here[(i+1)%len(here)]
		for _, partner := range []language{l, next} {
			for _, s := range all {
				t.Run(l.name+" with "+partner.name+"/"+s.name, func(t *testing.T) {
					cluster.play(t, s, l.name, partner.name)
				})
			}
			if next.name == l.name {
				break
			}
		}
	}
}

// cluster is the nodes kate and alex, and those that scenarios start.
type cluster struct {
	home  *home.Home
	nodes map[string]*wnode.Node
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	h, err := home.Open(func(k string) string {
		if k == "WNODE_HOME" {
			return dir
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{home: h, nodes: map[string]*wnode.Node{}}
	t.Cleanup(func() {
		for name := range c.nodes {
			c.stop(t, name)
		}
	})
	c.start(t, "kate")
	c.start(t, "alex")
	if _, err := c.nodes["alex"].Engine.Connect(t.Context(), "kate"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) start(t *testing.T, name string) {
	t.Helper()
	n, err := wnode.Start(t.Context(), wnode.Config{Home: c.home, Name: name, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	c.nodes[name] = n
}

func (c *cluster) stop(t *testing.T, name string) {
	t.Helper()
	if err := c.nodes[name].Close(); err != nil {
		t.Errorf("close %s: %v", name, err)
	}
	delete(c.nodes, name)
}

// add gives all nodes a module under a name.
func (c *cluster) add(t *testing.T, name string, wasm []byte) {
	t.Helper()
	for _, n := range c.nodes {
		id, _, err := n.Store.Add(t.Context(), bytes.NewReader(wasm))
		if err == nil {
			err = n.Store.Tag(name, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// player is a scenario guest and who gives it commands.
type player struct {
	in    *io.PipeWriter
	lines chan string
	ended chan struct{} // closed when why is known
	why   string        // it ended
	over  bool          // as the scenario wanted
}

func (c *cluster) player(t *testing.T, node, language string) *player {
	n := c.nodes[node]
	input, in := io.Pipe()
	output, out := io.Pipe()
	p := &player{in: in, lines: make(chan string, 100), ended: make(chan struct{})}
	leader := origin.New(n.Engine, origin.Config{Stdin: input, Stdout: out, Stderr: t.Output()})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(output); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	leader.Spawn(n.Engine.Node(), &engine.Spec{
		Module: engine.Module{Name: "scenario-" + language}, Args: []string{"one", "two"}, Env: []string{"COLOUR=green"},
		Grants: abi.Grants(), Terminal: engine.Terminal{Rows: 24, Cols: 80},
	})
	go func() {
		defer close(p.ended)
		x, err := leader.Wait(ctx)
		p.why = x.Reason.Error()
		if err != nil {
			p.why = err.Error()
		}
		input.CloseWithError(fmt.Errorf("the guest has ended: %s", p.why))
		out.Close()
	}()
	t.Cleanup(func() {
		in.Close()
		if why := p.end(); !p.over && why != "normal" {
			t.Errorf("%s at the end: %s", node, why)
		}
		cancel()
		<-p.ended
		leader.Close()
		for range p.lines {
		}
		for _, i := range n.Engine.Processes() { // children
			if err := n.Self.Kill(context.Background(), i.PID, ""); err != nil {
				t.Logf("kill: %v", err) // it is gone already
			}
		}
	})
	return p
}

// end waits for the end and returns its reason.
func (p *player) end() string {
	select {
	case <-p.ended:
		return p.why
	case <-time.After(patience):
		return "it does not end"
	}
}

// answer returns the next line of output, with the name of its error.
func (p *player) answer() string {
	select {
	case line, ok := <-p.lines:
		switch code, failed := strings.CutPrefix(line, "error "); {
		case !ok:
			return "the guest has ended"
		case failed && errnos[code] != "":
			return errnos[code]
		}
		return strings.TrimRight(line, " ")
	case <-time.After(patience):
		return "nothing"
	}
}

var errnos = func() map[string]string {
	m := map[string]string{}
	for name, errno := range map[string]abi.Errno{
		"E2BIG": abi.E2BIG, "EEXIST": abi.EEXIST, "EINVAL": abi.EINVAL, "ENOENT": abi.ENOENT, "ENOMEM": abi.ENOMEM,
		"ENOSYS": abi.ENOSYS, "ESRCH": abi.ESRCH, "ETIMEDOUT": abi.ETIMEDOUT, "ENOTCAPABLE": abi.ENOTCAPABLE,
	} {
		m[fmt.Sprint(errno)] = name
	}
	return m
}()

// play plays a scenario with guests of two languages, the first at kate.
func (c *cluster) play(t *testing.T, s scenario, first, second string) {
	players := map[string]*player{"kate": c.player(t, "kate", first), "alex": c.player(t, "alex", second)}
	v := variables{
		"$scenario": "scenario-" + second, "$counter": "counter-" + second,
		"$nowhere": strings.Repeat("ee", abi.SizeNode),
	}
	for name, n := range c.nodes {
		v["$"+name] = n.Engine.Node().String()
		b, _ := engine.PID{Node: n.Engine.Node(), Incarnation: n.Engine.Incarnation(), Counter: 1 << 40}.AppendBinary(nil)
		v["$nobody_at_"+name] = fmt.Sprintf("%x", b)
	}
	for _, x := range s.steps {
		text, err := v.expand(x.text)
		if err != nil {
			t.Fatalf("line %d: %v", x.line, err)
		}
		p := players[x.who]
		got := ""
		say := func() {
			if _, err := io.WriteString(p.in, text+"\n"); err != nil {
				t.Fatalf("line %d: %v", x.line, err)
			}
		}
		switch x.verb {
		case '+':
			c.start(t, text)
			v["$"+text] = c.nodes[text].Engine.Node().String()
			continue
		case '-':
			c.stop(t, text)
			continue
		case '&':
			say()
			continue
		case '>':
			say()
			got = p.answer()
		case '~':
			for end := time.Now().Add(patience); ; {
				say()
				if got = p.answer(); v.match(x.want, got) || time.Now().After(end) {
					break
				}
			}
		case '.':
			got = p.answer()
		case '!':
			got = p.end()
			p.over = true
		}
		if !v.match(x.want, got) {
			t.Fatalf("line %d: %s%c %s\n got: %s\nwant: %s", x.line, x.who, x.verb, x.text, got, x.want)
		}
	}
}

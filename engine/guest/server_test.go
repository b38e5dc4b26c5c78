package guest_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/hostfuncs"
)

// Servers by hand, in hex.
const (
	// A cast grows the memory by a page and writes its size, in pages, to its end; a
	// call answers with how many calls there were, and the sum of all such sizes.
	// Any other message is a trap.
	growingServer = "0061736d01000000011e0560037f7f7f017f60067f7f7e7f7f7f017f6000006000017f60017f017f021e0205776e6f6465076d657373616765000005776e6f64650473656e640001030605020304040405030100010606017f0141000b076406066d656d6f727902000e776e6f64655f7365727665725f3100020a776e6f64655f696e6974000311776e6f64655f68616e646c655f63617374000411776e6f64655f68616e646c655f63616c6c000511776e6f64655f68616e646c655f696e666f00060a91010502000b040041000b1800410140001a3f00418080046c41046b3f0036020041000b6a01027f418008418001410010001a230041016a24003f00418080046c210202400340200241808004460d012001200241046b2802006a21012002418080046b21020c000b0b4180042300360200418404200136020041b00841034200419008418004410810011a41000b0300000b"
	// (module (func (export "wnode_server_1")) (func (export "wnode_handle_call") (result i32) (i32.const 0)))
	wrongHandler = "0061736d010000000108026000006000017f03030200010726020e776e6f64655f7365727665725f31000011776e6f64655f68616e646c655f63616c6c00010a090202000b040041000b"
	// (module (func (export "wnode_server_1")) (func (export "wnode_init") (result i32) (i32.const 7)))
	wrongResult = "0061736d010000000108026000006000017f0303020001071f020e776e6f64655f7365727665725f3100000a776e6f64655f696e697400010a090202000b040041070b"
	// (module (func (export "wnode_server_1")) (func (export "wnode_handle_cast") (param i32) (result i32) (loop (br 0)) (i32.const 0)))
	spinningServer = "0061736d0100000001090260000060017f017f03030200010726020e776e6f64655f7365727665725f31000011776e6f64655f68616e646c655f6361737400010a0e0202000b090003400c000b41000b"
)

// client is a process of Go that calls servers.
type client struct {
	t    *testing.T
	e    *engine.Engine
	work chan func(*engine.Process)
}

func newClient(t *testing.T, e *engine.Engine) *client {
	c := &client{t: t, e: e, work: make(chan func(*engine.Process))}
	e.Go("client", func(p *engine.Process) engine.Reason {
		for {
			select {
			case f := <-c.work:
				f(p)
			case <-p.Context().Done():
				return engine.Reason{Word: engine.Shutdown}
			}
		}
	})
	return c
}

// do runs f as the process.
func (c *client) do(f func(p *engine.Process)) {
	done := make(chan struct{})
	c.work <- func(p *engine.Process) { f(p); close(done) }
	<-done
}

// call calls a server and returns its answer, or why there is none.
func (c *client) call(to engine.PID, request string) (answer string) {
	c.t.Helper()
	c.do(func(p *engine.Process) {
		ref := p.Monitor(to)
		if err := p.Send(to, &engine.Message{Kind: engine.MessageCall, Ref: ref, Data: []byte(request)}); err != nil {
			c.t.Error(err)
		}
		m, err := p.Receive(engine.Match{Ref: ref}, time.Minute)
		switch {
		case err != nil || m == nil:
			c.t.Errorf("no answer: %v", err)
		case m.Kind == engine.MessageDown:
			answer = "down: " + m.Reason.Error()
		default:
			answer = string(m.Data)
			p.Demonitor(ref, true)
		}
	})
	return answer
}

func (c *client) cast(to engine.PID, request string) {
	c.do(func(p *engine.Process) {
		if err := p.Send(to, &engine.Message{Kind: engine.MessageCast, Data: []byte(request)}); err != nil {
			c.t.Error(err)
		}
	})
}

func newServerNode(t *testing.T) (*node, *client) {
	n := newNodeOf(t, guest.Config{Host: hostfuncs.New(), Slots: 2})
	return n, newClient(t, n.eng)
}

// asleep puts all servers to sleep once there are so many idle ones.
func (n *node) asleep(want int) {
	n.t.Helper()
	for end := time.Now().Add(time.Minute); n.runner.Awake() < want; {
		if time.Now().After(end) {
			n.t.Fatal("the servers do not become idle")
		}
	}
	if got := n.runner.SleepAll(); got != want {
		n.t.Fatalf("%d servers sleep, want %d", got, want)
	}
}

func TestServer(t *testing.T) {
	n, c := newServerNode(t)
	r := n.start(example(t, "counter"), engine.Spec{})
	for _, step := range []struct{ request, want string }{
		{"get", "0"}, {"inc 2", "2"}, {"inc 40", "42"}, {"sleep", "42"}, {"inc 1", "43"}, {"sleep", "43"}, {"get", "43"},
	} {
		if step.request == "sleep" {
			n.asleep(1)
			continue
		}
		if got := c.call(r.pid, step.request); got != step.want {
			t.Fatalf("%s: %q, want %q", step.request, got, step.want)
		}
	}
	c.cast(r.pid, "inc 7")
	if got := c.call(r.pid, "stop"); got != "50" {
		t.Errorf("after a cast: %q", got)
	}
	if why := r.end(t); why.Word != engine.Normal {
		t.Errorf("ended with %v", why)
	}
	if r.down.Report.Fuel == 0 || r.down.Report.MaxMemory == 0 {
		t.Errorf("report %+v", r.down.Report)
	}
	if got := c.call(r.pid, "get"); got != "down: noproc" {
		t.Errorf("after its end: %q", got)
	}
}

// What a server is charged does not show whether it slept.
func TestServerFuelAndSleep(t *testing.T) {
	n, c := newServerNode(t)
	var fuel [2]uint64
	for i := range fuel {
		r := n.start(example(t, "counter"), engine.Spec{})
		for range 3 {
			c.call(r.pid, "inc 1")
			if i == 1 {
				n.asleep(1)
			}
		}
		c.call(r.pid, "stop")
		r.end(t)
		fuel[i] = r.down.Report.Fuel
	}
	if fuel[0] != fuel[1] || fuel[0] == 0 {
		t.Errorf("fuel awake and with sleep: %d", fuel)
	}
}

// Memory that grew, and what is in it, survives sleep, and others do not see it.
func TestServerMemorySurvivesSleep(t *testing.T) {
	n, c := newServerNode(t)
	sum := func(pid engine.PID) string {
		b := []byte(c.call(pid, ""))
		if len(b) != 8 {
			t.Fatalf("answer %q", b)
		}
		return fmt.Sprint(binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]))
	}
	a, b := n.start(fromHex(t, growingServer), engine.Spec{}), n.start(fromHex(t, growingServer), engine.Spec{})
	for i := range 5 {
		c.cast(a.pid, "")
		if i%2 == 0 {
			if got := sum(b.pid); got != fmt.Sprint(i/2+1, 0) {
				t.Errorf("the other one has %s", got)
			}
			sum(a.pid)
			n.asleep(2)
		}
	}
	if got := sum(a.pid); got != "4 20" {
		t.Errorf("calls and sum: %s, want 4 20", got)
	}
}

func TestServersEnd(t *testing.T) {
	for _, test := range []struct {
		name, module string
		do           func(n *node, c *client, pid engine.PID)
		want         string
	}{
		{"a handler of another type", wrongHandler, func(n *node, c *client, pid engine.PID) { c.call(pid, "") }, "module_invalid: wnode_handle_call has the type () -> i32"},
		{"a result that is none", wrongResult, nil, "trap: wnode_init returned 7"},
		{"a trap", growingServer, func(n *node, c *client, pid engine.PID) {
			c.do(func(p *engine.Process) { p.Send(pid, &engine.Message{Kind: engine.MessageData}) })
		}, "trap: unreachable"},
		{"a kill while it is idle", growingServer, func(n *node, c *client, pid engine.PID) {
			c.call(pid, "")
			c.do(func(p *engine.Process) { p.Exit(pid, engine.Reason{Word: engine.Kill}) })
		}, "killed"},
		{"an exit signal while it sleeps", growingServer, func(n *node, c *client, pid engine.PID) {
			c.call(pid, "")
			n.asleep(1)
			c.do(func(p *engine.Process) { p.Exit(pid, engine.Reason{Word: engine.Shutdown}) })
		}, "shutdown"},
		{"a kill while it handles", spinningServer, func(n *node, c *client, pid engine.PID) {
			c.cast(pid, "")
			c.do(func(p *engine.Process) { p.Exit(pid, engine.Reason{Word: engine.Kill}) })
		}, "killed"},
		{"its fuel", spinningServer, func(n *node, c *client, pid engine.PID) { c.cast(pid, "") }, "killed: fuel limit 1000000 reductions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, c := newServerNode(t)
			spec := engine.Spec{}
			if strings.Contains(test.want, "fuel") {
				spec.Limits.Fuel = 1_000_000
			}
			r := n.start(fromHex(t, test.module), spec)
			if test.do != nil {
				test.do(n, c, r.pid)
			}
			if got, _, _ := strings.Cut(r.end(t).Error(), "\n"); got != test.want {
				t.Errorf("ended with %q, want %q", got, test.want)
			}
		})
	}
}

// A server that has no handler for a message drops it.
func TestServerWithoutHandler(t *testing.T) {
	n, c := newServerNode(t)
	r := n.start(fromHex(t, spinningServer), engine.Spec{})
	c.do(func(p *engine.Process) {
		p.Send(r.pid, &engine.Message{Kind: engine.MessageData})
		p.Exit(r.pid, engine.Reason{Word: engine.Shutdown})
	})
	if why := r.end(t); why.Word != engine.Shutdown {
		t.Errorf("ended with %v", why)
	}
}

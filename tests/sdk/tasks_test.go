package sdk

import (
	"bytes"
	"testing"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
)

// Tasks, streams and calls of several nodes, as sdk/go has them.
func TestGoTasks(t *testing.T) {
	c := newCluster(t)
	c.addGo(t, "tasks")
	c.prints(t, "tasks", `await: thrown: no b
await: aa
await: wnode: timeout
yield: false <nil>
shutdown: false <nil>
shutdown: false <nil>
shutdown: false <nil>
one at a time: 0=aa 1=bb 2=cc
ordered: 0=9 1=0 2=0 3=0 4=5
unordered: 1=bb
timeout: 0=wnode: timeout 1=wnode: timeout
failing: 0=thrown: no a 1=thrown: no b
left: 0=xx 1=xx 2=xx
call: ["its own: hi"]
multi call: ["noconnection" "its own: hello" "its own: hello"]
multi request: ["noconnection" "xx" "xx"]
nobody: true
multi cast: all stopped
left in the mailbox: <nil> wnode: timeout
`)
}

// prints runs a program on alex, and compares what it prints.
func (c *cluster) prints(t *testing.T, program, want string) {
	t.Helper()
	var out bytes.Buffer
	n := c.nodes["alex"]
	leader := origin.New(n.Engine, origin.Config{Stdout: &out, Stderr: t.Output()})
	defer leader.Close()
	leader.Spawn(n.Engine.Node(), &engine.Spec{Module: engine.Module{Name: program}})
	x, err := leader.Wait(t.Context())
	if err != nil || x.Reason.Word != engine.Normal || out.String() != want {
		t.Errorf("%s: %v, %v; it prints\n%s\nwant\n%s", program, x.Reason, err, out.String(), want)
	}
}

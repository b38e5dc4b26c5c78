package sdk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
)

// A program in Go waits for messages, in several goroutines, and for input at once;
// and sleeps although there is a message that nobody wants.
func TestGoWaitsForAll(t *testing.T) {
	c := newCluster(t)
	c.addGo(t, "waiting")
	plain := c.wait(t)
	left := c.wait(t, "leave")
	if left > 2*plain {
		t.Errorf("%d reductions with a message that nobody wants, %d without", left, plain)
	}
}

// addGo gives the nodes one more guest in Go.
func (c *cluster) addGo(t *testing.T, name string) (scenario, counter []byte) {
	t.Helper()
	look(t)
	for _, l := range languages {
		if l.name == "go" {
			scenario, counter = build(t, l)
		}
	}
	wasm, err := os.ReadFile("guests/out/go-" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	c.add(t, name, wasm)
	return scenario, counter
}

// A server in Go may wait in a handler, with goroutines, and each handler is called.
func TestGoServerWaits(t *testing.T) {
	c := newCluster(t)
	scenarioGuest, counter := c.addGo(t, "relay")
	c.add(t, "scenario-go", scenarioGuest)
	c.add(t, "counter-go", counter)
	steps, err := parse(`
kate> self
ok $me
kate> register cluster heir -
ok
kate> spawn module=counter-go
ok $count -
kate> call $count 1 20000 get
ok 0
kate> spawn module=relay flags=m
ok $relay $ref
kate> call $relay 1 20000 $count
ok 0
kate> cast $count 0 inc 3
ok
kate> call $relay 1 20000 $count
ok 3
kate> whereis node relay
ok $relay
alex> self
ok $other
kate> call $relay 1 20000 $other
ok wnode: timeout
kate> call $relay 1 20000 $nobody_at_kate
ok noproc
kate> send $relay data 6 - there and back
ok
kate> receive
ok data 7 - $relay there and back
kate> cast $relay 0
ok
kate> receive kind=down
ok down 0 $ref $relay normal 0
kate> receive
ok data 9 - $relay normal
kate> spawn module=relay flags=m
ok $again $ref2
kate> call $again 1 20000 nonsense
down badarg 0 encoding/hex: invalid byte: U+006E 'n'
`)
	if err != nil {
		t.Fatal(err)
	}
	c.play(t, scenario{name: "relay", steps: steps}, "go", "go")
}

// wait runs the program and returns how many reductions it took.
func (c *cluster) wait(t *testing.T, args ...string) uint64 {
	n := c.nodes["kate"]
	input, in := io.Pipe()
	output, out := io.Pipe()
	leader := origin.New(n.Engine, origin.Config{Stdin: input, Stdout: out, Stderr: t.Output()})
	defer leader.Close()
	defer in.Close()
	defer out.Close()
	sender := n.Engine.Native(func(*engine.Signal) {})
	pid := leader.Spawn(n.Engine.Node(), &engine.Spec{Module: engine.Module{Name: "waiting"}, Args: args, Seed: 1})
	lines := bufio.NewScanner(output)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	send := func(tag uint64, text string) {
		sender.Send(pid, &engine.Signal{Kind: engine.KindMessage, Message: &engine.Message{Kind: engine.MessageData, Tag: tag, Data: []byte(text)}})
	}
	for i := range 3 {
		for _, tag := range []uint64{2, 0, 3, 1} {
			send(tag, fmt.Sprint(i))
			expect(fmt.Sprintf("tag %d: %d", tag, i))
			fmt.Fprintln(in, "line", i)
			expect(fmt.Sprintf("input: line %d", i))
		}
	}
	// Large ones, two at once, and nothing for a while.
	send(1, string(bytes.Repeat([]byte("x"), 30000)))
	expect("tag 1: " + string(bytes.Repeat([]byte("x"), 30000)))
	both := []string{"tag 1: a", "tag 3: b"}
	send(1, "a")
	send(3, "b")
	for range both {
		if !lines.Scan() || !slices.Contains(both, lines.Text()) {
			t.Fatalf("got %q, want one of %q", lines.Text(), both)
		}
	}
	time.Sleep(100 * time.Millisecond) // what would compute for nothing does it here
	fmt.Fprintln(in, "quit")
	x, err := leader.Wait(t.Context())
	if err != nil || x.Reason.Word != engine.Normal {
		t.Fatalf("%v, %v", x.Reason, err)
	}
	return x.Report.Fuel
}

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
	look(t)
	for _, l := range languages {
		if l.name == "go" {
			build(t, l)
		}
	}
	wasm, err := os.ReadFile("guests/out/go-waiting.wasm")
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.add(t, "waiting", wasm)
	plain := c.wait(t)
	left := c.wait(t, "leave")
	if left > 2*plain {
		t.Errorf("%d reductions with a message that nobody wants, %d without", left, plain)
	}
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

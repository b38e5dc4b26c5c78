// Tasks tries the tasks and calls of several nodes that package wnode has, and prints
// a line for each step. Without arguments it is the owner of tasks on the nodes alex and
// kate; a task, "double" and the like, is the same module.
package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	wnode "github.com/wnode-project/wnode/sdk/go"
)

// task is what a child does with its input.
func task(what string) {
	in := wnode.Input()
	switch what {
	case "double":
		try(wnode.Output(append(in, in...)))
	case "throw":
		try(wnode.Throw("no " + string(in)))
	case "wait":
		wnode.Receive(wnode.Match{}, -1)
	case "stubborn":
		wnode.TrapExit(true)
		for {
			wnode.Receive(wnode.Match{}, -1)
		}
	case "slow":
		time.Sleep(time.Duration(in[0]-'0') * 20 * time.Millisecond)
		try(wnode.Output(in))
	case "server":
		for {
			m, err := wnode.Receive(wnode.Match{}, -1)
			try(err)
			switch {
			case m.Kind == wnode.Called:
				try(wnode.Reply(m, append([]byte(wnode.Node().String()[:4]+" "), m.Data...)))
			case string(m.Data) == "stop":
				return
			}
		}
	}
}

func try(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	try(err)
	return v
}

// show writes a result.
func show(b []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(b)
}

var nodes []wnode.NodeID

// spec is of a task, on the other node.
func spec(what, input string) wnode.Spec {
	return wnode.Spec{Node: nodes[1], Args: []string{what}, Input: []byte(input), NoInput: true}
}

func tasks() {
	a, b := must(wnode.Async(spec("double", "a"))), must(wnode.AsyncNoLink(spec("throw", "b")))
	fmt.Println("await:", show(b.Await(-1)))
	fmt.Println("await:", show(a.Await(-1)))
	fmt.Println("await:", show(must(wnode.Async(spec("wait", ""))).Await(time.Millisecond)))
	c := must(wnode.AsyncNoLink(spec("wait", "")))
	_, done, err := c.Yield(time.Millisecond)
	fmt.Println("yield:", done, err)
	for what, in := range map[string]time.Duration{"wait": -1, "stubborn": 0} {
		t := must(wnode.Async(spec(what, "")))
		_, done, err := t.Shutdown(in)
		fmt.Println("shutdown:", done, err)
	}
	_, done, err = c.Shutdown(time.Second)
	fmt.Println("shutdown:", done, err)
}

func specs(what, inputs string) iter.Seq[wnode.Spec] {
	return func(yield func(wnode.Spec) bool) {
		for _, in := range strings.Fields(inputs) {
			if !yield(spec(what, in)) {
				return
			}
		}
	}
}

func stream(name string, seq iter.Seq[wnode.Spec], stop int, o wnode.StreamOptions) {
	var all []string
	for e := range wnode.Stream(seq, o) {
		all = append(all, fmt.Sprintf("%d=%s", e.Index, show(e.Data, e.Err)))
		if len(all) == stop {
			break
		}
	}
	fmt.Printf("%s: %s\n", name, strings.Join(all, " "))
}

func streams() {
	stream("one at a time", specs("double", "a b c"), -1, wnode.StreamOptions{})
	stream("ordered", specs("slow", "9 0 0 0 5"), -1, wnode.StreamOptions{Nodes: nodes, MaxConcurrency: 3})
	stream("unordered", func(yield func(wnode.Spec) bool) {
		_ = yield(spec("wait", "for ever")) && yield(spec("double", "b"))
	}, 1, wnode.StreamOptions{Nodes: nodes, Unordered: true})
	stream("timeout", specs("wait", "a b"), -1, wnode.StreamOptions{MaxConcurrency: 2, Timeout: time.Millisecond})
	stream("failing", specs("throw", "a b"), -1, wnode.StreamOptions{})
	stream("left", func(yield func(wnode.Spec) bool) {
		for yield(spec("double", "x")) { // without an end
		}
	}, 3, wnode.StreamOptions{Nodes: nodes, MaxConcurrency: 4})
}

func servers() {
	for _, n := range nodes {
		s := spec("server", "")
		s.Node, s.Name = n, "tasks"
		must(wnode.SpawnLink(s))
	}
	for _, n := range nodes {
		for show(wnode.CallName(n, "tasks", 0, []byte("up?"), -1)) == "noproc" { // until it has its name
		}
	}
	said := func(answers []wnode.Answer) (all []string) {
		for _, a := range answers {
			text := show(a.Data, a.Err)
			if rest, ok := strings.CutPrefix(text, a.Node.String()[:4]+" "); ok {
				text = "its own: " + rest
			}
			all = append(all, text)
		}
		return all
	}
	everyone := append([]wnode.NodeID{{9}}, nodes...)
	fmt.Printf("call: %q\n", said([]wnode.Answer{{Node: nodes[1], Data: must(wnode.CallName(nodes[1], "tasks", 0, []byte("hi"), -1))}}))
	fmt.Printf("multi call: %q\n", said(wnode.MultiCall(everyone, "tasks", 0, []byte("hello"), 20*time.Second)))
	fmt.Printf("multi request: %q\n", said(wnode.MultiRequest(everyone, spec("double", "x"), 20*time.Second)))
	_, err := wnode.CallName(nodes[1], "nobody", 0, nil, -1)
	var f *wnode.Failure
	fmt.Println("nobody:", errors.As(err, &f) && f.End == wnode.EndRuntime && errors.Is(err, wnode.Reason{Word: "noproc"}))
	refs := []wnode.Ref{must(wnode.MonitorName(nodes[0], "tasks")), must(wnode.MonitorName(nodes[1], "tasks"))}
	try(wnode.MultiCast(everyone, "tasks", 0, []byte("stop")))
	for _, r := range refs {
		must(wnode.Receive(wnode.Match{Ref: r}, -1))
	}
	fmt.Println("multi cast: all stopped")
}

func main() {
	if len(os.Args) > 1 {
		task(os.Args[1])
		return
	}
	nodes = []wnode.NodeID{must(wnode.FindNode("alex")), must(wnode.FindNode("kate"))}
	tasks()
	streams()
	servers()
	m, err := wnode.Receive(wnode.Match{}, 0)
	fmt.Println("left in the mailbox:", m, err)
}

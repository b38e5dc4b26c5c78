package wnode_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/otp"
	"github.com/wnode-project/wnode/home"
)

// A program that is a node itself, and calls a function of a module. With Offline
// false and a Name it would be found by other nodes of the home, and node in the call
// could be one of them.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	h, err := home.Open(func(name string) string { return map[string]string{"WNODE_HOME": dir}[name] })
	if err != nil {
		log.Fatal(err)
	}
	n, err := wnode.Start(context.Background(), wnode.Config{Home: h, Offline: true})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	file, err := os.Open("wasm-examples/add/add.wasm")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	cid, _, err := n.Store.Add(context.Background(), file)
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	n.Engine.Go("caller", func(p *engine.Process) engine.Reason {
		defer close(done)
		node := n.Engine.Node()
		for _, args := range [][]string{{"2", "3"}, {"2", "three"}} {
			spec := &engine.Spec{Module: engine.Module{CID: cid}, Entry: "add", Args: args}
			r, err := otp.Apply(p, node, spec, 5*time.Second)
			fmt.Printf("%s%v\n", r.Data, err)
		}
		return engine.Reason{Word: engine.Normal}
	})
	<-done
	// Output:
	// 5
	// <nil>
	// entry_not_found: argument 2 of add(i32, i32) -> i32 is no i32: "three"
}

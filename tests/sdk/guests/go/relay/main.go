// Relay is a server that waits in a handler: a call with the pid of a process, in hex,
// is answered with what that answers to "get", or with the error. Data is sent back, a
// cast ends it, and then who is called "heir" is told why.
package main

import (
	"encoding/hex"
	"time"

	wnode "github.com/wnode-project/wnode/sdk/go"
	"github.com/wnode-project/wnode/sdk/go/server"
)

func relay(m *wnode.Message) error {
	var to wnode.PID
	if _, err := hex.Decode(to[:], m.Data); err != nil {
		return wnode.Reason{Word: "badarg", Detail: err.Error()}
	}
	// In a goroutine, which the handler waits for.
	answer := make(chan []byte)
	go func() {
		b, err := wnode.Call(to, 0, []byte("get"), time.Second)
		if err != nil {
			b = []byte(err.Error())
		}
		answer <- b
	}()
	return wnode.Reply(m, <-answer)
}

func init() {
	server.Serve(server.Handlers{
		Init: func() error { return wnode.Register(wnode.OnNode, "relay", wnode.PID{}) },
		Call: relay,
		Info: func(m *wnode.Message) error { return wnode.Send(m.From, m.Tag+1, m.Data) },
		Cast: func(*wnode.Message) error { return server.ErrStop },
		Terminate: func(why wnode.Reason) {
			name, err := wnode.Whereis(wnode.InCluster, "heir")
			if err == nil {
				wnode.Send(name, 9, []byte(why.Word)) // nobody is there to be told of an error
			}
		},
	})
}

func main() {}

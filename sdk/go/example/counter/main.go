// Command counter is a server: it holds a number between messages, and nothing else of it
// runs until one comes. A call "inc N" adds and answers with the sum, "get" answers;
// a cast "inc N" adds; "stop" ends it.
package main

import (
	"errors"
	"strconv"
	"strings"

	wnode "github.com/wnode-project/wnode/sdk/go"
	"github.com/wnode-project/wnode/sdk/go/server"
)

var count int

func run(m *wnode.Message) error {
	command, n, _ := strings.Cut(string(m.Data), " ")
	switch command {
	case "inc":
		add, err := strconv.Atoi(n)
		if err != nil {
			return nil // who sends nonsense does not end us
		}
		count += add
	case "stop":
		return server.ErrStop
	}
	return nil
}

func init() {
	server.Serve(server.Handlers{
		Call: func(m *wnode.Message) error {
			stop := run(m)
			return errors.Join(wnode.Reply(m, strconv.AppendInt(nil, int64(count), 10)), stop)
		},
		Cast: run,
	})
}

func main() {}

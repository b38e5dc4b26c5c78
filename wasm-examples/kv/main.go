//go:build wasip1

// Command kv is a server that keeps texts by their keys, for processes on all nodes. A
// call "get KEY" is answered with the value, "put KEY VALUE" with the one before, "keys"
// with all keys, a line each. What it keeps ends with it: who supervises it has it
// there again, and empty.
package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	wnode "github.com/wnode-project/wnode/sdk/go"
	"github.com/wnode-project/wnode/sdk/go/server"
)

var values = map[string]string{}

// answer carries out one request.
func answer(request string) string {
	word, rest, _ := strings.Cut(request, " ")
	key, value, _ := strings.Cut(rest, " ")
	switch word {
	case "get":
		return values[key]
	case "put":
		before := values[key]
		values[key] = value
		return before
	case "keys":
		return strings.Join(slices.Sorted(maps.Keys(values)), "\n")
	}
	return "want: get KEY, put KEY VALUE, or keys"
}

func init() {
	server.Serve(server.Handlers{
		Init: func() error {
			fmt.Println("kv: empty")
			return nil
		},
		Call: func(m *wnode.Message) error { return wnode.Reply(m, []byte(answer(string(m.Data)))) },
		Cast: func(m *wnode.Message) error {
			answer(string(m.Data))
			return nil
		},
	})
}

func main() {}

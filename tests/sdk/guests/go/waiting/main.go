// Waiting waits for everything at once: four goroutines for messages with a tag of
// their own, and main for lines of input. Each says what it got, and how it is
// blocked does not hold up another one. A line "quit" ends it. With the argument
// "leave" there is a message in its mailbox that nobody wants.
package main

import (
	"bufio"
	"fmt"
	"os"

	wnode "github.com/wnode-project/wnode/sdk/go"
)

func main() {
	for tag := range uint64(4) {
		go func() {
			for {
				m, err := wnode.Receive(wnode.Tagged(tag), -1)
				if err != nil {
					panic(err)
				}
				fmt.Printf("tag %d: %s\n", tag, m.Data)
			}
		}()
	}
	if len(os.Args) > 1 {
		if err := wnode.Send(wnode.Self(), 9, nil); err != nil {
			panic(err)
		}
	}
	info, err := wnode.ProcessInfo(wnode.PID{})
	if err != nil || info.Module != "waiting" || info.TrapsExit || info.Created.IsZero() {
		panic(fmt.Sprintf("%+v, %v", info, err))
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "quit"; {
		fmt.Println("input:", in.Text())
	}
}

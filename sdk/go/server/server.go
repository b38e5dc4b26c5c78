//go:build wasip1

// Package server makes a module a server: a process that handles one message at a
// time, and of which nothing but memory is there between two. Its package main is
// to be built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o server.wasm .
//
// and calls [Serve] in an init function; main is never called.
package server

import (
	"errors"
	"fmt"
	"os"

	wnode "github.com/wnode-project/wnode/sdk/go"
)

// ErrStop is returned by a handler to end the process with reason normal.
var ErrStop = errors.New("stop")

// Handlers are called one after the other, each for one message. One that is nil
// drops its messages. An error but ErrStop ends the process: with the reason if it is
// a [wnode.Reason], else with code 1, and the error's text on stderr. A goroutine
// that a handler leaves behind runs only while another one is called.
type Handlers struct {
	Init      func() error                 // first
	Call      func(m *wnode.Message) error // a call: it is answered with wnode.Reply, now or later
	Cast      func(m *wnode.Message) error
	Info      func(m *wnode.Message) error // any other message
	Terminate func(why wnode.Reason)       // last, unless the process is killed
}

var handlers Handlers

// Serve sets the handlers. It does not block.
func Serve(h Handlers) { handlers = h }

// That it is there makes the module a server.
//
//go:wasmexport wnode_server_1
func exportServer() {}

//go:wasmexport wnode_init
func exportInit() uint32 {
	if handlers.Init == nil {
		return 0
	}
	return result(handlers.Init())
}

//go:wasmexport wnode_handle_call
func exportCall(uint32) uint32 { return handle(handlers.Call) }

//go:wasmexport wnode_handle_cast
func exportCast(uint32) uint32 { return handle(handlers.Cast) }

//go:wasmexport wnode_handle_info
func exportInfo(uint32) uint32 { return handle(handlers.Info) }

//go:wasmexport wnode_terminate
func exportTerminate(uint32) {
	if handlers.Terminate == nil {
		return
	}
	m, err := wnode.Current()
	if err != nil {
		panic(err)
	}
	handlers.Terminate(m.Reason)
}

func handle(f func(*wnode.Message) error) uint32 {
	if f == nil {
		return 0
	}
	m, err := wnode.Current()
	if err != nil {
		panic(err)
	}
	return result(f(m))
}

// result returns what a handler returns to the host: 0 to go on, 1 to end.
func result(err error) uint32 {
	var why wnode.Reason
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrStop):
		return 1
	case !errors.As(err, &why):
		fmt.Fprintln(os.Stderr, err)
		why = wnode.Reason{Word: "exited", Code: 1}
	}
	panic(wnode.Exit(why)) // it returns only for what is no reason
}

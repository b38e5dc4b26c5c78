// Package wnode runs nodes: Erlang/OTP distribution for WebAssembly.
//
// [Start] gives a running [Node]; a hidden one, made from the zero [Config], is
// what every command of cmd/wnode is. To run a module on a node and have its
// output here:
//
//	n, err := wnode.Start(ctx, wnode.Config{})
//	kate, err := n.Engine.Connect(ctx, "kate")
//	l := origin.New(n.Engine, origin.Config{Stdout: os.Stdout, Stderr: os.Stderr})
//	l.Spawn(kate, &engine.Spec{Module: engine.Module{Name: "hello"}})
//	exit, err := l.Wait(ctx)
//
// The package joins the parts and has no logic of its own: engine is the
// process model, engine/guest runs modules, hostfuncs is what they can call,
// modstore keeps them, p2p connects nodes, origin owns the terminal, control
// answers what a node is asked about itself, home is the state on disk.
package wnode

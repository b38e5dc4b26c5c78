package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
)

func (a *app) spawnCmd() *cobra.Command {
	var f runFlags
	var name, link string
	c := &cobra.Command{
		Use:   "spawn [flags] MODULE [args...]",
		Short: "Start a module on a node, detached",
		Long: `Start a module on a node and print its pid once it has started. What it writes is
kept there: see logs and attach. It ends by itself, by kill, or with its node.`,
		Example: `  wnode spawn --on kate --register counter counter.wasm
  wnode spawn --on kate server.wasm --port 80`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("want: wnode spawn [flags] MODULE [args...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.spawnDetached(c.Context(), &f, name, link, args[0], args[1:])
		},
	}
	f.add(c)
	f.addInvoke(c)
	c.Flags().StringVar(&f.on, "on", "", "start it on `SEL`, as of run (default: the only one of yours that runs here)")
	c.Flags().StringVar(&name, "register", "", "give it a `NAME` on its node")
	c.Flags().StringVar(&link, "link", "", "link it to the process `PID` on the same node: when one ends, so does the other")
	return c
}

// only returns the node that a command means which names none: the only one of this
// user that runs here.
func (a *app) only() (string, error) {
	names, err := a.running()
	if err != nil {
		return "", err
	}
	if len(names) > 1 {
		return "", usagef("several nodes run here: name one with --on: %s", clean(strings.Join(names, ", ")))
	}
	return names[0], nil
}

func (a *app) spawnDetached(ctx context.Context, f *runFlags, name, link, module string, args []string) (err error) {
	if f.on == "" {
		if f.on, err = a.only(); err != nil {
			return err
		}
	}
	if f.on == "local" {
		return usagef("--on local: this command's own node ends with it; name a node, or use `wnode run`")
	}
	spec, _, err := a.spec(f, args)
	if err != nil {
		return err
	}
	if name != "" && !engine.ValidName(name) {
		return usagef("--register %q: want 1 to 63 of a-z 0-9 _ -, the first a letter or digit", clean(name))
	}
	spec.Name, spec.NoInput, spec.Terminal = name, true, engine.Terminal{}
	if err := oneNode(f.on); err != nil {
		return err
	}
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	if spec.Module, err = a.resolve(ctx, n, module, spec.Limits.Memory, true); err != nil {
		return err
	}
	cl, err := a.place(ctx, n, f.on, spec.Module.CID)
	if err != nil {
		return err
	}
	if link != "" {
		if spec.LinkTo, err = a.pidOn(ctx, cl, link); err != nil {
			return err
		}
	}
	pid, err := spawnStarted(ctx, n, cl, spec)
	if err != nil {
		return err
	}
	text := n.Engine.PIDText(pid)
	if a.json {
		return a.print(map[string]string{"pid": text, "node": f.on})
	}
	_, err = fmt.Fprintln(a.out, text)
	return err
}

// spawnStarted starts a detached process and returns once it has started; the error is
// why it did not.
func spawnStarted(ctx context.Context, n *wnode.Node, cl control.Client, spec *engine.Spec) (engine.PID, error) {
	down := make(chan engine.Reason, 1)
	parent := n.Engine.Native(func(s *engine.Signal) {
		if s.Kind == engine.KindDown {
			down <- s.Reason
		}
	})
	defer parent.Close(engine.Reason{Word: engine.Normal})
	spec.Monitor = n.Engine.MakeRef()
	pid := parent.Spawn(cl.Node, spec)
	err := cl.Started(ctx, pid)
	select {
	case why := <-down: // it was told before the answer, on the same connection
		if why.Word != engine.Normal && !errors.Is(why, engine.Reason{Word: engine.Exited}) {
			return pid, why
		}
	default:
	}
	return pid, err
}

// pidOn reads a PID that must be on a node.
func (a *app) pidOn(ctx context.Context, cl control.Client, text string) (engine.PID, error) {
	node, pid, err := engine.ParsePID(text)
	if err != nil {
		return pid, usagef("%v", err)
	}
	id, err := cl.Engine.Connect(ctx, node)
	if err != nil {
		return pid, err
	}
	if id != cl.Node {
		return pid, usagef("%s is on another node", clean(text))
	}
	pid.Node = id
	return pid, nil
}

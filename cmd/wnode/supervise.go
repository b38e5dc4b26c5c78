package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/origin"
	"github.com/wnode-project/wnode/supervise"
)

func (a *app) superviseCmd() *cobra.Command {
	var on string
	var detach, dry bool
	c := &cobra.Command{
		Use:   "supervise [flags] FILE",
		Short: "Run a supervision tree",
		Long: `Run a supervision tree that a TOML file describes, on a node: it starts modules, and
starts them again when they end, also on other nodes when theirs is lost. What they
write comes to this terminal; Ctrl-C ends them in reverse order. With -d they stay when
the command has ended, and write to their logs. The keys of the file:

  name, strategy (one_for_one, one_for_all, rest_for_one, simple_one_for_one),
  max_restarts, max_seconds, and a [[child]] for each child in the order of their
  start, which has
  id, module, entry, args, env, name, cluster_name, on, memory, timeout, dirs,
  restart (permanent, transient, temporary), shutdown ("5s", brutal_kill, infinity),
  or, instead of a module, the keys of a supervisor and [[child.child]] and so on

` + "`go doc github.com/wnode-project/wnode/supervise` describes each.",
		Example: `  wnode supervise app.toml
  wnode supervise --on kate -d app.toml
  wnode supervise tree app
  wnode supervise stop app`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("want: wnode supervise [flags] FILE, or wnode supervise %s", strings.Join(commandNames(c), "|"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if dry {
				return a.superviseDry(c.Context(), args[0], on)
			}
			return a.supervise(c.Context(), args[0], on, detach)
		},
	}
	c.Flags().StringVar(&on, "on", "", "run the supervisors on `NODE` (default: the only one of yours that runs here)")
	c.Flags().BoolVarP(&detach, "detach", "d", false, "leave them running, and print the pid of the first supervisor")
	c.Flags().BoolVar(&dry, "dry-run", false, "print what would be started where, and start nothing")
	c.AddCommand(a.superviseCheckCmd(), a.superviseLsCmd(), a.superviseTreeCmd(), a.superviseStopCmd())
	return c
}

// loadTree reads a file. What is wrong in it is a usage error.
func loadTree(file string) (*supervise.Tree, error) {
	t, err := supervise.Load(file)
	var e *supervise.Error
	switch {
	case errors.As(err, &e):
		return nil, &failure{"invalid", exitOwn, exitUsage, err}
	case errors.Is(err, os.ErrNotExist):
		return nil, notFoundf("no_such_file", "%s: no such file", file)
	}
	return t, err
}

// at says where in the file a child is that an error is about.
func at(file string, c *supervise.Child, err error) error {
	p, f := c.Position(), classify(err)
	return &failure{f.word, f.run, f.code, fmt.Errorf("%s:%d:%d: child %q: %w", file, p.Line, p.Column, c.ID, err)}
}

// resolveTree finds the modules of a tree, those of files beside it too, and puts them
// into the command's store. Others are for the node to look up.
func (a *app) resolveTree(ctx context.Context, n *wnode.Node, file string, t *supervise.Tree) error {
	return t.Workers(func(_ string, c *supervise.Child) error {
		name := c.Module
		if isPath(name) && !filepath.IsAbs(name) {
			if name = filepath.Join(filepath.Dir(file), name); !filepath.IsAbs(name) {
				name = "./" + name
			}
		}
		m, err := a.resolve(ctx, n, name, c.Memory, true)
		if err != nil {
			return at(file, c, err)
		}
		if m.CID.Defined() {
			c.CID, c.Size, c.Module = m.CID.String(), m.Size, m.Name
		}
		return nil
	})
}

// treeNode returns the node that a tree is to run at.
func (a *app) treeNode(ctx context.Context, n *wnode.Node, on string) (control.Client, error) {
	if on == "local" {
		return control.Client{}, usagef("--on local: this command's own node ends with it; name a node")
	}
	if err := oneNode(on); err != nil {
		return control.Client{}, err
	}
	return a.place(ctx, n, on, cid.Undef)
}

func (a *app) supervise(ctx context.Context, file, on string, detach bool) error {
	stop, end := interrupts()
	defer end()
	t, err := loadTree(file)
	if err != nil {
		return err
	}
	if on == "" {
		if on, err = a.only(); err != nil {
			return err
		}
	}
	if detach {
		err := t.Workers(func(_ string, c *supervise.Child) error {
			if len(c.Dirs) > 0 {
				return at(file, c, usagef("dirs are served by the terminal of a tree, and with -d it has none"))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	n, err := a.start(ctx, wnode.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := a.resolveTree(ctx, n, file, t); err != nil {
		return err
	}
	cl, err := a.treeNode(ctx, n, on)
	if err != nil {
		return err
	}
	if err := push(ctx, cl, file, t); err != nil {
		return err
	}
	if detach {
		pid, err := cl.StartTree(ctx, t, engine.PID{}, nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(map[string]string{"pid": n.Engine.PIDText(pid), "name": t.Name, "node": nodeName(n, cl)})
		}
		_, err = fmt.Fprintln(a.out, n.Engine.PIDText(pid))
		return err
	}
	return a.superviseAttached(ctx, n, cl, file, t, stop)
}

// nodeName is the name of a node that this one is connected with.
func nodeName(n *wnode.Node, cl control.Client) string {
	if s := n.Engine.Session(cl.Node); s != nil && s.Peer().Name != "" {
		return s.Peer().Name
	}
	return cl.Node.String()
}

// push has the node fetch the modules that this command has: it may be gone when they
// are needed.
func push(ctx context.Context, cl control.Client, file string, t *supervise.Tree) error {
	pushed := map[string]bool{}
	return t.Workers(func(_ string, c *supervise.Child) error {
		if c.CID == "" || pushed[c.CID] {
			return nil
		}
		pushed[c.CID] = true
		if err := cl.AddModule(ctx, c.CID, c.Size, ""); err != nil {
			return at(file, c, err)
		}
		return nil
	})
}

// superviseAttached runs a tree whose group leader is this command, and which ends with
// it.
func (a *app) superviseAttached(ctx context.Context, n *wnode.Node, cl control.Client, file string, t *supervise.Tree, stop <-chan os.Signal) error {
	cfg := origin.Config{Stdout: a.out, Stderr: a.err}
	l := origin.New(n.Engine, cfg)
	defer l.Close()
	// A leader serves all its processes the same directories, so each child that has
	// some has a leader of its own.
	var own []*origin.Leader
	err := t.Workers(func(_ string, c *supervise.Child) error {
		if len(c.Dirs) == 0 {
			return nil
		}
		files, err := openDirs(file, c)
		if err != nil {
			return at(file, c, err)
		}
		of := origin.New(n.Engine, origin.Config{Stdout: a.out, Stderr: a.err, Files: files})
		own = append(own, of)
		token := of.Leader()
		c.Leader, c.Mounts = &token, files.Mounts()
		return nil
	})
	defer func() {
		for _, l := range own {
			l.Close()
		}
	}()
	if err != nil {
		return err
	}
	token := l.Leader()
	pid, err := cl.StartTree(ctx, t, token.PID, &token)
	if err != nil {
		return err
	}
	l.Follow(pid)
	text := n.Engine.PIDText(pid)
	if a.json {
		line, _ := json.Marshal(map[string]string{"pid": text, "name": t.Name, "node": nodeName(n, cl)}) // of strings: cannot fail
		fmt.Fprintf(a.err, "%s\n", line)
	} else {
		a.note("%s runs as %s", t.Name, text)
	}
	done := make(chan origin.Exit, 1)
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if x, err := l.Wait(wait); err == nil {
			done <- x
		}
	}()
	var first os.Signal
	for {
		select {
		case s := <-stop:
			if first != nil {
				return &failure{"interrupted", signalCode(s), signalCode(s), fmt.Errorf("left without waiting: %s is told to end when this connection closes", text)}
			}
			first = s
			l.Exit(pid, engine.Reason{Word: engine.Shutdown})
		case x := <-done:
			for _, l := range own {
				l.Flush(ctx)
			}
			return treeEnded(x, first, t.Name, text)
		}
	}
}

// treeEnded says how a tree ended.
func treeEnded(x origin.Exit, sig os.Signal, name, pid string) error {
	switch {
	case x.Reason.Word == engine.NoConnection:
		return &failure{"node_down", exitKilled, exitUnreachable, fmt.Errorf("node down: lost %s (%s) with its node; what it wrote until then is above", name, pid)}
	case sig != nil:
		return &failure{"interrupted", signalCode(sig), signalCode(sig), fmt.Errorf("%s ended by %v", name, sig)}
	case x.Output != nil:
		return fmt.Errorf("output: %w", x.Output)
	case x.Reason.Word == engine.Shutdown && x.Reason.Detail == "": // supervise stop
		return nil
	}
	return &failure{string(x.Reason.Word), exitFailed, exitFailed, fmt.Errorf("%s (%s): %w", name, pid, x.Reason)}
}

// openDirs opens the directories of a child, relative to the file.
func openDirs(file string, c *supervise.Child) (*origin.Files, error) {
	var dirs []origin.Dir
	for _, d := range c.Dirs {
		dir, err := parseDir(d)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(dir.Host) {
			dir.Host = filepath.Join(filepath.Dir(file), dir.Host)
		}
		dirs = append(dirs, dir)
	}
	return origin.OpenDirs(dirs)
}

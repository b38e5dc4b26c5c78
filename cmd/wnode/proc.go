package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/placement"
)

const procHelp = `A process is a PID as ps prints it, NAME@NODE, or @NAME for a name in the cluster.`

// proc is a process that a command names.
type proc struct {
	control.Client             // of its node
	own            *wnode.Node // this command's
	pid            engine.PID
}

func (p proc) Close() error { return p.own.Close() }

// find connects to the node of a process that a command names: PID, NAME@NODE or
// @NAME. The caller closes the node.
func (a *app) find(ctx context.Context, text string) (p proc, err error) {
	name, node, named := strings.Cut(text, "@")
	if !named {
		if node, p.pid, err = engine.ParsePID(text); err != nil {
			return p, usagef("%q is no process: want a PID as kate.1.3.19, NAME@NODE or @NAME", clean(text))
		}
		p.own, p.Client, err = a.connect(ctx, node)
		p.pid.Node = p.Node
		return p, err
	}
	cluster := name == ""
	if cluster {
		name = node
		if node, err = a.someNode(); err != nil {
			return p, err
		}
	}
	if !engine.ValidName(name) {
		return p, usagef("%q is no name of a process: 1 to 63 of a-z 0-9 _ -", clean(name))
	}
	if p.own, p.Client, err = a.connect(ctx, node); err != nil {
		return p, err
	}
	if p.pid, err = p.Whereis(ctx, name, cluster); err == nil && p.pid.Node != p.Node {
		p.Node, err = p.Engine.Connect(ctx, p.pid.Node.String())
	}
	if errors.Is(err, engine.Reason{Word: engine.NoProc}) {
		err = notFoundf("noproc", "no process has the name %s", clean(text))
	}
	if err != nil {
		err = errors.Join(err, p.own.Close())
	}
	return p, err
}

// someNode returns a node to ask what all know.
func (a *app) someNode() (string, error) {
	names, err := a.running()
	if err != nil {
		return "", err
	}
	return names[0], nil
}

func (a *app) sendCmd() *cobra.Command {
	var tag uint64
	var cast bool
	c := &cobra.Command{
		Use:   "send PROC MESSAGE",
		Short: "Send a message to a process",
		Long: `Send a message to a process and return when it is in its mailbox. ` + procHelp + `
NAME@all and other selectors send it to the process of that name on each node.
MESSAGE - is what stdin has.`,
		Example: `  wnode send kate.1.3.19 hello
  wnode send counter@kate --cast "inc 2"
  wnode send @leader - < file`,
		Args: exactArgs(2, "send PROC MESSAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			data := []byte(args[1])
			if args[1] == "-" {
				var err error
				if data, err = io.ReadAll(io.LimitReader(a.in, engine.MaxMessage+1)); err != nil {
					return err
				}
			}
			if len(data) > engine.MaxMessage {
				return usagef("a message has at most %s", engine.SizeText(engine.MaxMessage))
			}
			m := engine.Message{Kind: engine.MessageData, Tag: tag, Data: data}
			if cast {
				m.Kind = engine.MessageCast
			}
			name, on, named := strings.Cut(args[0], "@")
			if sel, err := placement.Parse(on); named && name != "" && err == nil && (sel.Searches() || strings.Contains(on, ",")) {
				return a.sendEach(c.Context(), name, on, m)
			}
			p, err := a.find(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer p.Close()
			return p.send(c.Context(), args[0], &m)
		},
	}
	c.Flags().Uint64Var(&tag, "tag", 0, "give it the tag `N`, by which a receiver can choose")
	c.Flags().BoolVar(&cast, "cast", false, "send a cast, for a server")
	return c
}

// sendEach sends a message to who has a name on each node of a selector. Those where
// nobody has are reported.
func (a *app) sendEach(ctx context.Context, name, on string, m engine.Message) error {
	return a.each(ctx, on, func(ctx context.Context, node string, c control.Client) error {
		pid, err := c.Whereis(ctx, name, false)
		if err != nil {
			return err
		}
		own := m
		return proc{Client: c, pid: pid}.send(ctx, name+"@"+node, &own)
	})
}

// send sends a message and returns when it has arrived: what the process watches
// for comes back behind it.
func (p proc) send(ctx context.Context, text string, m *engine.Message) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	down := make(chan engine.Reason, 1)
	from := p.Engine.Native(func(s *engine.Signal) {
		if s.Kind == engine.KindDown {
			down <- s.Reason
		}
	})
	defer from.Close(engine.Reason{Word: engine.Normal})
	from.Monitor(p.pid)
	from.Send(p.pid, &engine.Signal{Kind: engine.KindMessage, Message: m})
	_, err := p.Ping(ctx)
	select {
	case why := <-down:
		if why.Word == engine.NoProc {
			return notFoundf("noproc", "there is no process %s", clean(text))
		}
	default:
	}
	return err
}

func (a *app) describeCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "describe PROC",
		Short:   "Show what is known of a process",
		Long:    `Show what is known of a process. ` + procHelp,
		Example: `  wnode describe counter@kate`,
		Args:    exactArgs(1, "describe PROC"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.find(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer p.Close()
			ctx, cancel := context.WithTimeout(c.Context(), connectTime)
			defer cancel()
			d, err := p.Describe(ctx, p.pid)
			if err != nil {
				return err
			}
			if a.json {
				return a.print(d)
			}
			kind := "runs to its end"
			if d.Server {
				kind = "server"
			}
			list := func(l []string) string { return strings.Join(l, " ") }
			return a.table([][]string{
				{"pid", d.PID},
				{"names", list(d.Names)},
				{"cluster names", list(d.ClusterNames)},
				{"groups", list(d.Groups)},
				{"module", d.Module},
				{"cid", d.CID},
				{"entry", d.Entry},
				{"state", d.State + " for " + ago(d.Started)},
				{"kind", kind},
				{"parent", d.Parent},
				{"leader", d.Leader},
				{"origin", d.Origin},
				{"links", list(d.Links)},
				{"monitors", list(d.Monitors)},
				{"monitored by", list(d.MonitoredBy)},
				{"traps exits", strconv.FormatBool(d.TrapsExit)},
				{"mailbox", fmt.Sprintf("%d messages, %s, %d dropped", d.Messages, size(uint64(d.MailboxBytes)), d.Dropped)},
				{"reductions", strconv.FormatUint(d.Reductions, 10)},
			})
		},
	}
}

func (a *app) logsCmd() *cobra.Command {
	var follow, times bool
	c := &cobra.Command{
		Use:   "logs PID",
		Short: "Print what a detached process wrote",
		Long: `Print what a detached process wrote, its stdout to stdout and its stderr to stderr.
The node keeps the last 512 KiB at least, also when the process has ended.`,
		Example: `  wnode logs kate.1.3.19
  wnode logs -f counter@kate`,
		Args: exactArgs(1, "logs PID"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.find(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer p.Close()
			return a.printLogs(c.Context(), p, follow, times)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the process ends")
	c.Flags().BoolVarP(&times, "times", "t", false, "begin each piece with its time")
	return c
}

func (a *app) printLogs(ctx context.Context, p proc, follow, times bool) error {
	for from := int64(0); ; {
		l, err := p.Logs(ctx, p.pid, from, follow && from > 0)
		if err != nil {
			return err
		}
		for _, r := range l.Records {
			w := a.out
			if r.Stream == engine.Stderr {
				w = a.err
			}
			if times {
				fmt.Fprint(w, r.Time.UTC().Format(time.RFC3339Nano), " ")
			}
			if _, err := w.Write(r.Data); err != nil {
				return err
			}
		}
		if len(l.Records) == 0 && (!follow || !l.More) {
			return nil
		}
		from = l.Next
	}
}

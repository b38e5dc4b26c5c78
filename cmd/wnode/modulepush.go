package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/modstore"
)

// pushed is what came of a push to one node.
type pushed struct {
	CID     string  `json:"cid"`
	Size    uint64  `json:"size"`
	Tag     string  `json:"tag,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (a *app) modulePushCmd() *cobra.Command {
	var to, tag string
	c := &cobra.Command{
		Use: "push MODULE", Short: "Have nodes fetch a module from here, ahead of its first run there",
		Long: `Have each of some nodes fetch a module from your store, check that it can run it, and
compile it. MODULE is a file, a CID, a prefix of one, or a tag. There is a line for
each node; exit code 5 if some of them failed.`,
		Example: `  wnode module push --to all hello.wasm
  wnode module push --to kate,alex --tag hello:v2 hello`,
		Args: exactArgs(1, "module push [--to SEL] [--tag TAG] CID|TAG|FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if tag != "" {
				if err := modstore.CheckTag(tag); err != nil {
					return usagef("%v", err)
				}
			}
			if _, err := parseOn(to); err != nil {
				return err
			}
			n, err := a.start(c.Context(), wnode.Config{})
			if err != nil {
				return err
			}
			defer n.Close()
			m, err := a.resolve(c.Context(), n, args[0], guest.MaxMemory, "local")
			if err != nil {
				return err
			}
			here, err := n.Self.Find(c.Context(), m.CID.String())
			if err != nil {
				return err
			}
			answers, err := askNodes(c.Context(), a, n, to, 0, func(cl control.Client, ctx context.Context) (pushed, error) {
				begin := time.Now()
				err := cl.AddModule(ctx, here.CID, here.Size, tag)
				return pushed{here.CID, here.Size, tag, time.Since(begin).Seconds()}, err
			})
			if err != nil {
				return err
			}
			answers.several = true
			return printAnswers(a, answers, nil, func(p pushed) [][]string {
				return [][]string{{p.CID, size(p.Size), time.Duration(p.Seconds * float64(time.Second)).Round(time.Millisecond).String(), p.Tag}}
			})
		},
	}
	c.Flags().StringVar(&to, "to", "all", "have the nodes `SEL` fetch it, as of run --on: names, all, any:N, label:K=V")
	c.Flags().StringVar(&tag, "tag", "", "give it the name `TAG` there")
	return c
}

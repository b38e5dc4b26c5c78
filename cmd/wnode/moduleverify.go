package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
)

func (a *app) moduleVerifyCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "verify [MODULE...]", Short: "Read every block of a store, and repair what is corrupt",
		Long: `Read every block of a store, or of some modules, and compare it with its hash. What is
corrupt is named and moved into quarantine, a directory of the store that nothing is
removed from; then it is fetched again from a node that has it: for a node's store one
that it is connected with or this one, for your own one that runs here.

Exit code 1 if something stays broken.`,
		Example: `  wnode module verify
  wnode module verify --on all`,
		Args: func(*cobra.Command, []string) error { return nil },
		RunE: func(c *cobra.Command, args []string) error {
			n, err := a.start(c.Context(), wnode.Config{Offline: on == "local" && len(a.home.Announced()) == 0})
			if err != nil {
				return err
			}
			defer n.Close()
			if on == "local" {
				for _, r := range a.home.Announced() {
					_, _ = a.reach(c.Context(), n, r.Name) // who cannot be reached is not asked
				}
			}
			answers, err := askNodes(c.Context(), a, n, on, 0, func(cl control.Client, ctx context.Context) (control.Verification, error) {
				return cl.VerifyModules(ctx, args)
			})
			if err != nil {
				return err
			}
			if err := printAnswers(a, answers, nil, verified); err != nil {
				return err
			}
			for _, r := range answers.list {
				if r.value.Damaged > r.value.Repaired {
					a.code = exitFailed
				}
			}
			return nil
		},
	}
	storesFlag(c, &on)
	return c
}

// verified returns the rows of a verification.
func verified(v control.Verification) (rows [][]string) {
	for _, d := range v.Damage {
		what := "block " + d.Block
		switch {
		case d.Tag != "":
			what = "tag " + d.Tag
		case d.Block == "":
			what = "record"
		}
		if len(d.Modules) > 0 && (len(d.Modules) > 1 || d.Modules[0] != d.Block) {
			what += " of " + strings.Join(d.Modules, ", ")
		}
		why := d.Why
		if d.Kept != "" {
			why += ", kept as " + d.Kept
		}
		end := "repaired"
		switch {
		case d.Broken != "":
			end = "BROKEN: " + d.Broken
		case len(d.Modules) == 0:
			end = "nothing needs it"
		}
		rows = append(rows, []string{what, why, end})
	}
	return append(rows, []string{fmt.Sprintf("%s, %s, %s: %d damaged, %d repaired",
		count(v.Modules, "module"), count(v.Blocks, "block"), size(v.Bytes), v.Damaged, v.Repaired)})
}

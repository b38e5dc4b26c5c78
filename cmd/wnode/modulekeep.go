package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/modstore"
)

func (a *app) moduleTagCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "tag NAME MODULE", Short: "Give a module a name, in place of what it named before",
		Long: `Give a module of a store a name, NAME or NAME:VERSION; MODULE is a CID, a prefix of one,
or another tag. What has a tag is not removed by gc. Prints the CID.`,
		Example: `  wnode module tag --on all hello:stable hello:v2`,
		Args:    exactArgs(2, "module tag [--on SEL] NAME CID|TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := modstore.CheckTag(args[0]); err != nil {
				return usagef("%v", err)
			}
			return a.mark(c.Context(), on, func(cl control.Client, ctx context.Context) (string, error) {
				return cl.TagModule(ctx, args[0], args[1])
			})
		},
	}
	storesFlag(c, &on)
	return c
}

func (a *app) moduleUntagCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "untag NAME", Short: "Remove a tag; its module stays until gc or rm",
		Example: `  wnode module untag --on kate hello:v1`,
		Args:    exactArgs(1, "module untag [--on SEL] NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := modstore.CheckTag(args[0]); err != nil {
				return usagef("%v", err)
			}
			untag := func(cl control.Client, ctx context.Context) (map[string]string, error) {
				return map[string]string{"untagged": args[0]}, cl.UntagModule(ctx, args[0])
			}
			answers, err := onNodes(c.Context(), a, on, connectTime, untag)
			if err != nil {
				return err
			}
			return printAnswers(a, answers, nil, func(map[string]string) [][]string { return nil })
		},
	}
	storesFlag(c, &on)
	return c
}

func (a *app) modulePinCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "pin MODULE", Short: "Keep a module until it is unpinned: gc and rm leave it",
		Example: `  wnode module pin --on all hello`,
		Args:    exactArgs(1, "module pin [--on SEL] CID|TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), on, func(cl control.Client, ctx context.Context) (string, error) {
				return cl.PinModule(ctx, args[0])
			})
		},
	}
	storesFlag(c, &on)
	return c
}

func (a *app) moduleUnpinCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "unpin MODULE", Short: "Take a pin away; the module stays until gc or rm",
		Example: `  wnode module unpin --on all hello`,
		Args:    exactArgs(1, "module unpin [--on SEL] CID|TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.mark(c.Context(), on, func(cl control.Client, ctx context.Context) (string, error) {
				return cl.UnpinModule(ctx, args[0])
			})
		},
	}
	storesFlag(c, &on)
	return c
}

// mark does something to a module on the nodes of a selector, and prints its CID.
func (a *app) mark(ctx context.Context, on string, do func(control.Client, context.Context) (string, error)) error {
	type marked struct {
		CID string `json:"cid"`
	}
	answers, err := onNodes(ctx, a, on, connectTime, func(cl control.Client, ctx context.Context) (marked, error) {
		cid, err := do(cl, ctx)
		return marked{cid}, err
	})
	if err != nil {
		return err
	}
	return printAnswers(a, answers, nil, func(m marked) [][]string { return [][]string{{m.CID}} })
}

func (a *app) moduleGCCmd() *cobra.Command {
	var on, older string
	var dryRun bool
	c := &cobra.Command{
		Use: "gc", Short: "Remove the modules that nobody needs",
		Long: `Remove the modules of a store that have no tag and no pin, that no process runs, and
that were not added, run or sent for 30 days (--older); and what adds that died left
behind. It may run while others add, run and fetch modules: a process that runs keeps
its module, and so does a command of yours that works with one.

Your own store fills with each file that you run, call, map or spawn: this empties it.
A module that must be there whenever its process begins again is pinned, or tagged.`,
		Example: `  wnode module gc --dry-run
  wnode module gc --on all --older 7d`,
		Args: exactArgs(0, "module gc [--on SEL] [--older DURATION] [--dry-run]"),
		RunE: func(c *cobra.Command, _ []string) error {
			age, err := parseAge(older)
			if err != nil {
				return usagef("--older %v", err)
			}
			answers, err := onNodes(c.Context(), a, on, 0, func(cl control.Client, ctx context.Context) (control.Collection, error) {
				return cl.CollectModules(ctx, age, dryRun)
			})
			if err != nil {
				return err
			}
			return printAnswers(a, answers, nil, func(r control.Collection) (rows [][]string) {
				for _, m := range r.Removed {
					rows = append(rows, []string{m.CID, size(m.Size), "used " + ago(m.Used) + " ago"})
				}
				freed := "freed"
				if r.DryRun {
					freed = "would free"
				}
				return append(rows, []string{fmt.Sprintf("%s %s: %s, %d stay", freed, size(r.Freed), count(r.Modules, "module"), r.Kept)})
			})
		},
	}
	storesFlag(c, &on)
	c.Flags().StringVar(&older, "older", "30d", "remove what was not used for this `DURATION`: 30d, 12h; 0 is all that nothing uses now")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "remove nothing, and print what would go")
	return c
}

// count writes a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// parseAge reads a duration that may also be in days, as 30d.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q: want a number of days, as 30d", clean(s))
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q: want a duration, as 30d, 12h or 0", clean(s))
	}
	return d, nil
}

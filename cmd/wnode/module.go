package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/modstore"
)

func (a *app) moduleCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "module",
		Short: "Look after modules",
		Long: `Modules are known by the hash of their bytes (CID), by a unique prefix of it, and
by tags. For inspect, get and push, as for run, PEER/TAG is what the node PEER calls
so. Without --on these commands work on your own store, which run uses; with --on
NODE on that node's.

What run, call and map of a file leave in your store, and what others left in a node's,
goes by gc: modules without tag and pin that nothing runs and nobody used for 30 days.`,
		Example: `  wnode module add --on kate --tag kate kate.wasm
  wnode module ls --on kate`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q%s", clean(args[0]), suggest(args[0], commandNames(c)))
			}
			return c.Help()
		},
	}
	c.AddCommand(
		a.moduleAddCmd(), a.moduleLsCmd(), a.moduleInspectCmd(), a.moduleGetCmd(), a.moduleRmCmd(),
		a.moduleTagCmd(), a.moduleUntagCmd(), a.modulePinCmd(), a.moduleUnpinCmd(), a.moduleGCCmd(),
		a.moduleVerifyCmd(), a.modulePushCmd(),
	)
	return c
}

// storeFlag adds --on with the meaning it has for module commands.
func storeFlag(c *cobra.Command, on *string) {
	c.Flags().StringVar(on, "on", "local", "work on the store of `NODE` (local: your own)")
}

// storesFlag is as storeFlag, for what works on several at once.
func storesFlag(c *cobra.Command, on *string) {
	c.Flags().StringVar(on, "on", "local", "work on the stores of the nodes `SEL`, as of run: names, all, label:K=V (local: your own)")
}

// readModule reads what a path names: a file of at most the size of a module, the module
// in a CAR, or what is built of source.
func (a *app) readModule(ctx context.Context, path string) ([]byte, error) {
	path, err := a.built(ctx, path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			return nil, notFoundf("no_such_file", "%s: %w", path, pe.Err)
		}
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if filepath.Ext(path) == ".car" {
		_, b, err := modstore.ReadCAR(f)
		if err != nil {
			return nil, invalidf("bad_car", "%s: %w", path, err)
		}
		return b, nil
	}
	if info.Size() > modstore.MaxModule {
		return nil, invalidf("module_too_large", "%s has %s, above the limit of %s: strip it (-ldflags=-s for Go, wasm-strip)", path, size(uint64(info.Size())), size(modstore.MaxModule))
	}
	return io.ReadAll(io.LimitReader(f, modstore.MaxModule+1))
}

// importFile checks that a node can run a file, with so much memory, and puts
// it into the node's store.
func (a *app) importFile(ctx context.Context, n *wnode.Node, path string, memory uint64) (cid.Cid, uint64, error) {
	b, err := a.readModule(ctx, path)
	if err != nil {
		return cid.Undef, 0, err
	}
	if err := guest.Check(b, memory); err != nil {
		return cid.Undef, 0, fmt.Errorf("%s: %w", path, err)
	}
	return n.Store.Add(ctx, bytes.NewReader(b))
}

func (a *app) moduleAddCmd() *cobra.Command {
	var on, tag string
	var quiet bool
	c := &cobra.Command{
		Use:   "add FILE",
		Short: "Check a module and put it into a store; prints its CID",
		Long: `Check a module and put it into a store; prints its CID. FILE is a .wasm file, or a .car
file that get or an IPFS tool wrote: each of its blocks is verified, and the CID is
the same.`,
		Example: `  wnode module add hello.wasm
  wnode module add --on kate --tag kate kate.wasm
  wnode module add /media/stick/hello.car`,
		Args: exactArgs(1, "module add [--on NODE] [--tag TAG] FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if tag != "" {
				if err := modstore.CheckTag(tag); err != nil {
					return usagef("%v", err)
				}
			}
			n, cl, err := a.connect(c.Context(), on)
			if err != nil {
				return err
			}
			defer n.Close()
			id, bytes, err := a.importFile(c.Context(), n, args[0], guest.MaxMemory)
			if err != nil {
				return err
			}
			if err := cl.AddModule(c.Context(), id.String(), bytes, tag); err != nil {
				return err
			}
			switch {
			case a.json:
				return a.print(map[string]any{"cid": id.String(), "size": bytes, "tag": tag})
			case quiet:
				_, err = fmt.Fprintln(a.out, id)
			default:
				_, err = fmt.Fprintf(a.out, "%s  %s  %s\n", id, size(bytes), clean(strings.TrimSpace(tag+" "+filepath.Base(args[0]))))
			}
			return err
		},
	}
	storeFlag(c, &on)
	c.Flags().StringVar(&tag, "tag", "", "give it the name `TAG` there")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the CID alone")
	return c
}

func (a *app) moduleLsCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "ls", Short: "List a store", Args: exactArgs(0, "module ls [--on SEL]"),
		Example: `  wnode module ls --on kate`,
		RunE: func(c *cobra.Command, _ []string) error {
			answers, err := onNodes(c.Context(), a, on, connectTime, control.Client.Modules)
			if err != nil {
				return err
			}
			header := []string{"CID", "SIZE", "AGE", "USED", "TAGS"}
			return printAnswers(a, answers, header, func(ms []control.Module) (rows [][]string) {
				for _, m := range ms {
					marks := m.Tags
					if m.Pinned {
						marks = append(marks, "(pinned)")
					}
					rows = append(rows, []string{m.CID, size(m.Size), ago(m.Added), ago(m.Used), strings.Join(marks, " ")})
				}
				return rows
			})
		},
	}
	storesFlag(c, &on)
	return c
}

func (a *app) moduleInspectCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "inspect MODULE", Short: "Describe a module: imports, exports, toolchain, hashes",
		Example: `  wnode module inspect hello.wasm
  wnode module inspect kate/hello`,
		Args: exactArgs(1, "module inspect [--on NODE] MODULE"),
		RunE: func(c *cobra.Command, args []string) error {
			var i control.Inspection
			if isPath(args[0]) {
				b, err := a.readModule(c.Context(), args[0])
				if err != nil {
					return err
				}
				if i, err = control.Inspect(b); err != nil {
					return invalidf("module_invalid", "%s: %w", args[0], err)
				}
				id, _, err := modstore.CIDOf(bytes.NewReader(b))
				if err != nil {
					return err
				}
				i.CID = id.String()
				if err := guest.Check(b, guest.MaxMemory); err != nil {
					i.NotRunnable = err.Error()
				}
			} else {
				on, name, err := onPeer(on, args[0])
				if err != nil {
					return err
				}
				n, cl, err := a.connect(c.Context(), on)
				if err != nil {
					return err
				}
				defer n.Close()
				if i, err = cl.Inspect(c.Context(), name); err != nil {
					return err
				}
			}
			if a.json {
				return a.print(i)
			}
			return a.printInspection(i)
		},
	}
	storeFlag(c, &on)
	return c
}

func (a *app) printInspection(i control.Inspection) error {
	memory := size(i.MemoryMin)
	if i.MemoryMax > 0 {
		memory += " to " + size(i.MemoryMax)
	}
	runs := "yes"
	if i.NotRunnable != "" {
		runs = "no: " + i.NotRunnable
	}
	rows := [][]string{
		{"cid", i.CID}, {"sha256", i.SHA256}, {"size", size(i.Size)}, {"kind", i.Kind},
		{"toolchain", i.Toolchain}, {"memory", memory}, {"tags", strings.Join(i.Tags, " ")}, {"runs here", runs},
	}
	for _, f := range i.Imports {
		rows = append(rows, []string{"import", f.Module + "." + f.Name + " " + f.Signature})
	}
	for _, f := range i.Exports {
		rows = append(rows, []string{"export", f.Name + " " + f.Signature})
	}
	return a.table(rows)
}

func (a *app) moduleRmCmd() *cobra.Command {
	var on string
	c := &cobra.Command{
		Use: "rm MODULE", Short: "Remove a module and its tags; a tag of several goes alone",
		Example: `  wnode module rm --on kate kate`,
		Args:    exactArgs(1, "module rm [--on NODE] MODULE"),
		RunE: func(c *cobra.Command, args []string) error {
			n, cl, err := a.connect(c.Context(), on)
			if err != nil {
				return err
			}
			defer n.Close()
			if err := cl.RemoveModule(c.Context(), args[0]); err != nil {
				return err
			}
			if a.json {
				return a.print(map[string]string{"removed": args[0]})
			}
			return nil
		},
	}
	storeFlag(c, &on)
	return c
}

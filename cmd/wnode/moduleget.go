package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"
)

func (a *app) moduleGetCmd() *cobra.Command {
	var on, out string
	var archive bool
	c := &cobra.Command{
		Use: "get MODULE", Short: "Fetch a module into your store, and with -o into a file",
		Long: `Fetch a module into your store, and with -o into a file. A file that ends in .car, or
any with --car, is a CAR of version 1, which module add and IPFS tools read: the blocks
of the module, each with its hash.`,
		Example: `  wnode module get --on kate kate -o kate.wasm
  wnode module get kate -o kate.car`,
		Args: exactArgs(1, "module get [--on NODE] MODULE [-o FILE] [--car]"),
		RunE: func(c *cobra.Command, args []string) error {
			if archive && out == "" {
				return usagef("--car is how a file is written: name it with -o")
			}
			n, cl, err := a.connect(c.Context(), on)
			if err != nil {
				return err
			}
			defer n.Close()
			m, err := cl.Find(c.Context(), args[0])
			if err != nil {
				return err
			}
			id, err := cid.Decode(m.CID)
			if err != nil {
				return fmt.Errorf("%s answered with a bad CID: %w", on, err)
			}
			var b []byte
			if n.Net != nil {
				b, err = n.Net.Open(c.Context(), id, m.Size, cl.Node)
			} else {
				b, err = n.Store.Bytes(c.Context(), id)
			}
			if err != nil {
				return err
			}
			write := func(w io.Writer) error {
				if archive || filepath.Ext(out) == ".car" {
					return n.Store.WriteCAR(c.Context(), id, w)
				}
				_, err := w.Write(b)
				return err
			}
			switch out {
			case "":
			case "-":
				return write(a.out)
			default:
				if err := writeFile(out, write); err != nil {
					return err
				}
			}
			if a.json {
				return a.print(m)
			}
			_, err = fmt.Fprintln(a.out, m.CID)
			return err
		},
	}
	storeFlag(c, &on)
	c.Flags().StringVarP(&out, "output", "o", "", "write it to `FILE` too (-: to stdout)")
	c.Flags().BoolVar(&archive, "car", false, "write it as a CAR")
	return c
}

// writeFile writes a file whole, or leaves none.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if info, statErr := os.Lstat(path); err != nil && statErr == nil && info.Mode().IsRegular() {
		_ = os.Remove(path)
	}
	return err
}

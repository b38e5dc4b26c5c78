package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
		Example: `  wnode module get kate/hello -o hello.wasm
  wnode module get hello -o hello.car`,
		Args: exactArgs(1, "module get [--on NODE] MODULE [-o FILE] [--car]"),
		RunE: func(c *cobra.Command, args []string) error {
			if archive && out == "" {
				return usagef("--car is how a file is written: name it with -o")
			}
			on, name, err := onPeer(on, args[0])
			if err != nil {
				return err
			}
			n, cl, err := a.connect(c.Context(), on)
			if err != nil {
				return err
			}
			defer n.Close()
			m, id, err := findAt(c.Context(), cl, name)
			if err != nil {
				return err
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

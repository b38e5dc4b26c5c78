package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wnode-project/wnode/home"
	"github.com/wnode-project/wnode/p2p"
)

func goVersion() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

func (a *app) cookieCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "cookie",
		Short: "Move the cluster's secret",
		Long: `Nodes that have the same cookie trust each other. The first node started in a
home makes one. Move it to another host by a safe way; it is never sent.`,
		Example: `  wnode cookie show > cookie.txt                 # here
  wnode cookie set < cookie.txt                  # there`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q: want cookie show or cookie set", clean(args[0]))
			}
			return c.Help()
		},
	}
	c.AddCommand(
		&cobra.Command{
			Use: "show", Short: "Print the cookie", Args: exactArgs(0, "cookie show"),
			Example: `  wnode cookie show > cookie.txt`,
			RunE: func(*cobra.Command, []string) error {
				text, err := a.home.Cookie()
				if errors.Is(err, home.ErrNoCookie) {
					return notFoundf("no_cookie", "this home has no cookie yet: `wnode up NAME` makes one, `wnode cookie set` takes one")
				}
				if err != nil {
					return err
				}
				if a.json {
					return a.print(map[string]string{"cookie": text})
				}
				_, err = fmt.Fprintln(a.out, text)
				return err
			},
		},
		&cobra.Command{
			Use: "set", Short: "Take the cookie from stdin", Args: exactArgs(0, "cookie set"),
			Example: `  wnode cookie set < cookie.txt`,
			RunE: func(*cobra.Command, []string) error {
				if term.IsTerminal(int(a.in.Fd())) {
					a.note("paste the cookie, then press Enter and Ctrl-D")
				}
				b, err := io.ReadAll(io.LimitReader(a.in, 4096))
				if err != nil {
					return err
				}
				k, err := p2p.ParseCookie(strings.TrimSpace(string(b)))
				if err != nil {
					return usagef("%v", err)
				}
				if err := a.home.SetCookie(k.Text()); err != nil {
					return err
				}
				if a.json {
					return a.print(map[string]string{"file": a.home.CookieFile()})
				}
				return nil
			},
		},
	)
	return c
}

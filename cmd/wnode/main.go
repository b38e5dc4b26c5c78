// Command wnode starts nodes and runs WebAssembly modules on them.
//
// One file per subcommand; each is thin over package wnode. Results go to
// stdout, everything else to stderr. See exit.go for the exit codes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wnode-project/wnode/home"
)

func main() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// app is what all subcommands share.
type app struct {
	in       *os.File
	out, err io.Writer
	home     *home.Home

	json       bool
	join       []string
	cookieFile string
	code       int // the exit code when no error says otherwise
}

// Main runs the command line and returns the exit code.
func Main(args []string, in *os.File, out, errw *os.File) int {
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	if err := root.ExecuteContext(context.Background()); err != nil {
		return a.fail(err, usesRunCodes(root, args))
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "wnode",
		Short: "Erlang/OTP distribution for WebAssembly",
		Long: `wnode starts nodes that find and authenticate each other, and runs WebAssembly
modules on them: the module travels by its hash, its input, output and files are
those of the terminal that started it.`,
		Example: `  wnode up kate                                  # terminal 1
  wnode run --on kate hello.wasm world           # terminal 2`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(c *cobra.Command, _ []string) (err error) {
			a.home, err = home.Open(os.Getenv)
			return err
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q%s", clean(args[0]), suggest(args[0], commandNames(c)))
			}
			return c.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v: see `%s --help`", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print results as JSON")
	f.StringArrayVar(&a.join, "join", nil, "connect to the node at `ADDR` first: a multiaddr or HOST:PORT (repeatable)")
	f.StringVar(&a.cookieFile, "cookie-file", "", "take the cluster's cookie from `FILE`")
	root.AddCommand(
		a.upCmd(), a.downCmd(), a.runCmd(), a.callCmd(), a.mapCmd(), a.spawnCmd(), a.attachCmd(), a.sendCmd(),
		a.psCmd(), a.describeCmd(), a.logsCmd(), a.killCmd(), a.shellCmd(), a.superviseCmd(),
		a.peersCmd(), a.pingCmd(), a.statusCmd(),
		a.moduleCmd(), a.cookieCmd(), a.benchCmd(), a.versionCmd(),
	)
	return root
}

func commandNames(c *cobra.Command) (names []string) {
	for _, s := range c.Commands() {
		names = append(names, s.Name())
	}
	return names
}

// usesRunCodes reports whether the command line is of a command whose exit
// code is a guest's, so that wnode's own failures must be 125.
func usesRunCodes(root *cobra.Command, args []string) bool {
	c, _, err := root.Find(args)
	return err == nil && slices.Contains([]string{"run", "call", "map", "attach"}, c.Name())
}

// interrupts returns a channel of the signals that ask a command to end.
func interrupts() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// note prints a line for people on stderr.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, "wnode: "+format+"\n", args...)
}

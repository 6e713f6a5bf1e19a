package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// verbs lists every verb, in the order in which help shows them.
var verbs = []struct {
	group string
	make  func(*app) *cobra.Command
}{
	{"run", newEdgeCmd},
	{"run", newMediaCmd},
	{"run", newLabCmd},
	{"see", newStatusCmd},
	{"see", newEdgesCmd},
	{"see", newCallsCmd},
	{"see", newDrainingCmd},
	{"see", newRegistrationsCmd},
	{"see", newHistoryCmd},
	{"see", newExplainCmd},
	{"decide", newShadowCmd},
	{"change", newInitCmd},
	{"change", newTenantCmd},
	{"change", newFlipCmd},
	{"change", newHoldCmd},
	{"change", newReleaseCmd},
	{"back", newRollbackCmd},
	{"back", newUndoCmd},
	{"back", newHaltCmd},
	{"back", newResumeCmd},
	{"policy", newPolicyCmd},
	{"help", newDoctorCmd},
	{"help", newKeysCmd},
	{"help", newVersionCmd},
}

// run is the program: it parses, runs one verb, prints what is left to print and returns the exit code.
func run(args []string, in *os.File, out, errs io.Writer, now func() time.Time) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := newApp(args, in, out, errs, now)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return a.finish(err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "hotcut",
		Short: "Move telephone customers from a legacy platform to a new core, and back",
		Long: `Hotcut is a SIP edge in front of two platforms, and the commands that move tenants between them.

The store is named by --store, HOTCUT_STORE, or "store:" in the CLI's own file ($XDG_CONFIG_HOME/hotcut/cli.yaml, or
--cli-config), which may also list the edges by which --direct works when the store is gone:

  store: redis://127.0.0.1:6379/0
  edges:
    - {name: edge-1, admin: "unix:///run/hotcut/edge.sock"}

Exit codes: 0 done, 1 error, 2 usage, 3 changes pending, 4 conflict: the rev moved, 5 gate not met, 6 committed but not
on every edge in time, 7 denied, 8 store unreachable, stale or outcome unknown, 9 rolled back but calls still drain.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd)
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(err, "hotcut help"+pathOf(cmd)) })
	f := root.PersistentFlags()
	f.StringVar(&a.flags.store, "store", "", "URL of the policy store: redis://, rediss://, redis+sentinel://, redis+cluster:// (?ns=NAME tells installations on one Redis apart), file:///path")
	f.StringVarP(&a.flags.output, "output", "o", "", "table, json, yaml or jsonl (default table)")
	f.StringVar(&a.flags.cliConfig, "cli-config", "", "the CLI's own file (default $XDG_CONFIG_HOME/hotcut/cli.yaml)")
	f.BoolVar(&a.flags.noInput, "no-input", false, "ask nothing, even on a terminal")
	f.BoolVar(&a.flags.noColor, "no-color", false, "no colours, even on a terminal (also NO_COLOR)")
	f.BoolVarP(&a.flags.verbose, "verbose", "v", false, "say more on stderr")
	f.DurationVar(&a.flags.timeout, "timeout", 5*time.Second, "of one question to the store or to an edge")
	completeWords(root, "output", "table", "json", "yaml", "jsonl")
	for _, g := range [][2]string{{"run", "Run:"}, {"see", "See:"}, {"decide", "Decide:"}, {"change", "Change:"}, {"back", "Back:"}, {"policy", "Policy:"}, {"help", "Help:"}} {
		root.AddGroup(&cobra.Group{ID: g[0], Title: g[1]})
	}
	for _, v := range verbs {
		cmd := v.make(a)
		cmd.GroupID = v.group
		root.AddCommand(cmd)
	}
	root.SetHelpCommandGroupID("help")
	root.SetCompletionCommandGroupID("help")
	root.InitDefaultCompletionCmd() // now, so that a shell that there is none for is refused
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = noVerb, undecided
		completion.Short = "Print what makes a shell complete commands and tenants"
	}
	return root
}

// noVerb names the nearest verb to one that does not exist.
func noVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("no command %q", strings.TrimSpace(cmd.CommandPath() + " " + args[0])[len("hotcut "):])
	cmd.SuggestionsMinimumDistance = 2 // in edits; cobra's own default holds for its own message only
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage(err, cmd.CommandPath()+" "+near[0])
	}
	return usage(err, "hotcut help"+pathOf(cmd))
}

// pathOf is the verb's path without the program's name, for "hotcut help ...".
func pathOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name())
}

// group makes a verb that only has verbs below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: noVerb, RunE: undecided}
	cmd.AddCommand(below...)
	return cmd
}

// undecided is what a verb that only has verbs below it does by itself.
func undecided(cmd *cobra.Command, _ []string) error {
	return usage(errors.New(cmd.CommandPath()+" needs to know what to do"), "hotcut help"+pathOf(cmd))
}

// exact asks for exactly the arguments that the verb's usage line names.
func exact(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usage(fmt.Errorf("%s takes %s, not %d", cmd.CommandPath(), plural(n, "argument"), len(args)), "hotcut help"+pathOf(cmd))
	}
}

// between asks for lo to hi arguments.
func between(lo, hi int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= lo && len(args) <= hi {
			return nil
		}
		return usage(fmt.Errorf("%s takes %d to %s, not %d", cmd.CommandPath(), lo, plural(hi, "argument"), len(args)), "hotcut help"+pathOf(cmd))
	}
}

// atLeast asks for n arguments or more.
func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return usage(fmt.Errorf("%s takes at least %s", cmd.CommandPath(), plural(n, "argument")), "hotcut help"+pathOf(cmd))
	}
}

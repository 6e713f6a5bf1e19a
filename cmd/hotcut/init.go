package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newInitCmd(a *app) *cobra.Command {
	var g globalsFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Start a policy in an empty store",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.eng()
			if err != nil {
				return err
			}
			globals := policy.Globals{Default: "legacy", Halt: policy.HaltNone}
			edit, err := g.edit()
			if err != nil {
				return err
			}
			edit(&globals)
			out, err := e.Init(cmd.Context(), globals, nil, a.by())
			if err != nil {
				return err
			}
			late := a.follow(cmd.Context(), e, out)
			return join(a.showOutcome(out, nil, initWords), late)
		},
	}
	g.on(cmd)
	cmd.Flags().DurationVar(&a.change.wait, "wait", 10*time.Second, "for edges that are up already; 0: do not wait")
	cmd.Flags().StringVar(&a.author.reason, "reason", "", "why, for the record")
	cmd.Flags().StringVar(&a.author.incident, "incident", "", "number of the incident, for the record")
	return cmd
}

func initWords(out *migration.Outcome) string {
	return fmt.Sprintf("epoch %.8s", out.Head.Epoch)
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newFlipCmd(a *app) *cobra.Command {
	var to, share, mode string
	var soak time.Duration
	cmd := a.changing(&cobra.Command{
		Use:   "flip T --to core|legacy|canary|done",
		Short: "Move one tenant",
		Example: `  hotcut flip acme-dental --to canary --share 5
  hotcut flip acme-dental --to core --reason "week of canary without a complaint"`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			goal := migration.FlipTo{Tenant: args[0], Soak: soak, Shared: cmd.Flags().Changed("share")}
			if err := goal.Stage.UnmarshalText([]byte(to)); err != nil || goal.Stage == policy.StageShadow {
				return usage(badStage(to), nextStage(to, args[0]))
			}
			if mode != "now" {
				return usage(fmt.Errorf("--mode %s is not in this build: a flip takes effect now, for new calls", mode))
			}
			if goal.Shared {
				var err error
				if goal.Share, err = policy.ParseShare(share); err != nil {
					return usage(fmt.Errorf("--share: %w", err))
				}
			}
			by := a.by()
			return a.make(cmd.Context(), migration.Flip(goal, by), back(goal.Stage == policy.StageLegacy), by, nil, args[0])
		},
	})
	cmd.Flags().StringVar(&to, "to", "", "core, legacy, canary, or done (instant rollback ends)")
	cmd.Flags().StringVar(&share, "share", "", "with --to canary: percent of the tenant that core serves, in steps of 0.01")
	cmd.Flags().StringVar(&mode, "mode", "now", "now; other modes are not in this build")
	cmd.Flags().DurationVar(&soak, "soak", migration.Soak, "after a move towards core: how long its phones register every two minutes, so that they follow a rollback; 0: not at all")
	completeWords(cmd, "to", "core", "legacy", "canary", "done")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func badStage(to string) error {
	switch to {
	case "":
		return errors.New("--to is missing: core, legacy, canary or done")
	case "shadow":
		return errors.New("--to shadow moves nobody: copies of calls are started and stopped by verbs of their own")
	}
	return fmt.Errorf("--to %q: write core, legacy, canary or done", to)
}

func nextStage(to, tenant string) string {
	if to == "shadow" {
		return "hotcut shadow start " + tenant
	}
	return "hotcut flip " + tenant + " --to core"
}

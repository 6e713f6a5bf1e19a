package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newShadowCmd(a *app) *cobra.Command {
	return group("shadow", "See what core would have done: copy calls to a dark core and compare",
		newShadowStartCmd(a), newShadowStopCmd(a), newShadowReportCmd(a), newShadowDiffCmd(a), newShadowTriageCmd(a), newShadowPurgeCmd(a),
		newShadowReplayCmd(a))
}

func newShadowStartCmd(a *app) *cobra.Command {
	var share string
	var subs bool
	cmd := a.changing(&cobra.Command{
		Use:   "start T [--share PCT] [--subscribe]",
		Short: "Copy a tenant's calls to the dark core; legacy goes on serving every one",
		Example: `  hotcut shadow start acme-dental
  hotcut shadow start acme-dental --share 25`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bp, err := policy.ParseShare(share)
			switch {
			case err != nil:
				return usage(fmt.Errorf("--share: %w", err))
			case bp == 0:
				return usage(fmt.Errorf("--share %s: none of its calls would be copied", share), "hotcut shadow stop "+args[0])
			}
			by := a.by()
			return a.make(cmd.Context(), migration.StartShadow(migration.MirrorTo{Tenant: args[0], Share: bp, Subs: subs}, by), false, by,
				func(*migration.Outcome) string { return policy.FormatShare(bp) + " of its calls are copied" }, args[0])
		},
	})
	cmd.Flags().StringVar(&share, "share", "100", "percent of its calls, in steps of 0.01")
	cmd.Flags().BoolVar(&subs, "subscribe", false, "copy its subscriptions too: lamps, voicemail counts")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

func newShadowStopCmd(a *app) *cobra.Command {
	cmd := a.changing(&cobra.Command{
		Use:   "stop [T...]",
		Short: "Copy nothing more of these tenants, or of anybody: no gate, retried until it holds",
		Example: `  hotcut shadow stop acme-dental
  hotcut shadow stop              # of all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			by := a.by()
			return a.make(cmd.Context(), migration.StopShadow(args, by), true, by,
				func(o *migration.Outcome) string {
					return plural(len(o.Plan.Change.Tenants), "tenant") + " copied no more"
				}, args...)
		},
	})
	cmd.ValidArgsFunction = a.completeTenants
	return cmd
}

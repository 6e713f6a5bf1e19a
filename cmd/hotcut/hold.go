package main

import (
	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
)

func newHoldCmd(a *app) *cobra.Command {
	cmd := a.changing(&cobra.Command{
		Use:   "hold T...",
		Short: "Let nothing move these tenants towards core; it moves nobody and stops no rollback",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := a.by()
			return a.make(cmd.Context(), migration.Hold(args, by), false, by, nil, args...)
		},
	})
	cmd.ValidArgsFunction = a.completeTenants
	return cmd
}

func newReleaseCmd(a *app) *cobra.Command {
	cmd := a.changing(&cobra.Command{
		Use:   "release T...",
		Short: "Take a hold away",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := a.by()
			return a.make(cmd.Context(), migration.Release(args, by), false, by, nil, args...)
		},
	})
	cmd.ValidArgsFunction = a.completeTenants
	return cmd
}

package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
)

func newUndoCmd(a *app) *cobra.Command {
	return a.changing(&cobra.Command{
		Use:   "undo REV",
		Short: "Take back what one change did",
		Long: `Undo gives back the fields that one change altered, of the tenants that it touched, and leaves the rest as it is now.
Whoever comes back to core by it meets the gates.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rev, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usage(fmt.Errorf("%q is no rev", args[0]), "hotcut history")
			}
			e, err := a.eng()
			if err != nil {
				return err
			}
			c, err := e.ChangeAt(cmd.Context(), rev)
			if err != nil {
				return err
			}
			by := a.by()
			return a.make(cmd.Context(), migration.Undo(c, by), false, by, nil, migration.About(c)...)
		},
	})
}

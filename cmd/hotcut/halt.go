package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newHaltCmd(a *app) *cobra.Command {
	var allLegacy, freeze, direct bool
	cmd := a.changing(&cobra.Command{
		Use:   "halt --all-legacy | --freeze",
		Short: "Serve everything on legacy, or let nothing move towards core",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if allLegacy == freeze {
				if err := a.askHalt(&allLegacy, &freeze); err != nil {
					return err
				}
			}
			if direct {
				return a.direct(cmd.Context(), migration.Order{AllLegacy: allLegacy, Freeze: freeze}, haltWords(allLegacy))
			}
			to := policy.HaltFreeze
			if allLegacy {
				to = policy.HaltAllLegacy
			}
			by := a.by()
			err := a.make(cmd.Context(), migration.Halt(to, by), true, by, func(*migration.Outcome) string { return haltWords(allLegacy) })
			return orDirect(err, nil)
		},
	})
	cmd.Flags().BoolVar(&allLegacy, "all-legacy", false, "everything that is not done is served by legacy, for new calls")
	cmd.Flags().BoolVar(&freeze, "freeze", false, "no change towards core")
	cmd.Flags().BoolVar(&direct, "direct", false, "past the store: an order to every edge, by the CLI's list and the last roster")
	return cmd
}

func haltWords(allLegacy bool) string {
	if allLegacy {
		return "new calls -> legacy"
	}
	return "no change towards core"
}

// askHalt: a bare halt asks which; without a terminal it is a usage error.
func (a *app) askHalt(allLegacy, freeze *bool) error {
	which := usage(errors.New("halt which way?"),
		"hotcut halt --all-legacy     # everything that is not done is served by legacy",
		"hotcut halt --freeze         # no change towards core")
	if *allLegacy {
		return usage(errors.New("--all-legacy or --freeze, not both"), "hotcut help halt")
	}
	if !a.asks {
		return which
	}
	answer, err := a.line("Everything to legacy (a), or freeze where it is (f)? ")
	switch {
	case err != nil:
		return err
	case answer == "a":
		*allLegacy = true
	case answer == "f":
		*freeze = true
	default:
		return which
	}
	return nil
}

func newResumeCmd(a *app) *cobra.Command {
	var direct bool
	cmd := a.changing(&cobra.Command{
		Use:   "resume [--direct [T...]]",
		Short: "Lift a halt, or take local orders away from the edges",
		RunE: func(cmd *cobra.Command, args []string) error {
			by := a.by()
			if direct {
				return a.resumeDirect(cmd.Context(), args, by)
			}
			if len(args) > 0 {
				return usage(errors.New("a halt is lifted for all; tenants are named with --direct"), "hotcut resume --direct "+args[0])
			}
			return a.make(cmd.Context(), migration.Resume(by), false, by, nil)
		},
	})
	cmd.Flags().BoolVar(&direct, "direct", false, "take away local orders: of the tenants named, or all of them")
	cmd.ValidArgsFunction = a.completeTenants
	return cmd
}

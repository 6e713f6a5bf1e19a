package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newRollbackCmd(a *app) *cobra.Command {
	var all, direct bool
	var since, drained time.Duration
	cmd := a.changing(&cobra.Command{
		Use:   "rollback T... | --all | --since DUR",
		Short: "Take tenants back to legacy: no gate, no approval, retried until it holds",
		Example: `  hotcut rollback acme-dental --incident INC-881 --yes
  hotcut rollback --since 30m --yes
  hotcut rollback acme-dental --direct --yes     # past the store, on every edge`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("since") && since <= 0 {
				return usage(fmt.Errorf("--since %s: write how far back to go, such as 30m", since), "hotcut rollback --since 30m")
			}
			if err := oneChoice(len(args) > 0, all, since > 0); err != nil {
				return err
			}
			if direct {
				return a.rollbackDirect(cmd.Context(), args, all, since > 0)
			}
			by := a.by()
			goal, of, err := a.rollbackGoal(cmd.Context(), args, all, since, by)
			if err != nil {
				return orDirect(err, args)
			}
			out, err := a.makeFor(cmd.Context(), goal, true, by, func(*migration.Outcome) string { return "new calls -> legacy" }, of...)
			if drained > 0 && out != nil && (err == nil || judge(err).exit == exitLate) {
				return join(err, a.waitDrained(cmd.Context(), tenantsOf(args, out), drained))
			}
			return orDirect(err, args)
		},
	})
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "every tenant that is not done")
	f.DurationVar(&since, "since", 0, "every tenant that was moved towards core in this time")
	f.BoolVar(&direct, "direct", false, "past the store: an order to every edge, by the CLI's list and the last roster")
	f.DurationVar(&drained, "wait-drained", 0, "then wait until no call is left on core, this long (1h when no time is given)")
	f.Lookup("wait-drained").NoOptDefVal = "1h"
	cmd.ValidArgsFunction = a.completeTenants
	return cmd
}

// oneChoice: tenants by name, all, or since; nothing else could be meant.
func oneChoice(named, all, since bool) error {
	n := 0
	for _, b := range []bool{named, all, since} {
		if b {
			n++
		}
	}
	switch n {
	case 1:
		return nil
	case 0:
		return usage(errors.New("rollback of whom? name tenants, or say --all or --since DUR"), "hotcut rollback T", "hotcut rollback --since 30m")
	}
	return usage(errors.New("name tenants, or say --all, or --since, one of them"), "hotcut help rollback")
}

// rollbackGoal is what the flags ask for, and the tenants that it is about; none when it is about everybody.
func (a *app) rollbackGoal(ctx context.Context, ids []string, all bool, since time.Duration, by migration.Author) (migration.Goal, []string, error) {
	switch {
	case all:
		return migration.RollbackAll(by), nil, nil
	case since > 0:
		e, err := a.eng()
		if err != nil {
			return nil, nil, err
		}
		begin := a.now().Add(-since)
		log, whole, err := e.Past(ctx, begin, 0)
		if err != nil {
			return nil, nil, err
		}
		return migration.RollbackSince(since, log, whole, by), migration.MovedToCore(log, begin), nil
	}
	return migration.Rollback(ids, by), ids, nil
}

// orDirect points past a store that does not answer.
func orDirect(err error, ids []string) error {
	if err == nil || !errors.Is(err, policy.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := *judge(err)
	if len(ids) > 0 {
		f.next = []string{"hotcut rollback " + list(ids, len(ids)) + " --direct --yes"}
	} else {
		f.next = []string{"hotcut halt --all-legacy --direct --yes"}
	}
	return &f
}

func (a *app) rollbackDirect(ctx context.Context, ids []string, all, since bool) error {
	if since {
		return usage(errors.New("--since asks the store for the log, --direct goes past it: name the tenants"), "hotcut rollback T --direct")
	}
	o := migration.Order{AllLegacy: all, Tenants: ids}
	return a.direct(ctx, o, "new calls -> legacy")
}

// tenantsOf are those that were named, also if they were on legacy already, or else those that were rolled back.
func tenantsOf(named []string, out *migration.Outcome) []string {
	ids := slices.Clone(named)
	for _, tc := range out.Plan.Change.Tenants {
		ids = append(ids, tc.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// waitDrained waits for the calls that were left on core.
func (a *app) waitDrained(ctx context.Context, ids []string, limit time.Duration) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d := e.AwaitDrained(ctx, ids, func(d migration.Drained) { a.detail("%s", list(a.drains(d.Draining), 3)) })
	if d.Done {
		a.say("drained: no call is left on core")
		return nil
	}
	what := a.drains(d.Draining)
	for _, edge := range d.Silent {
		what = append(what, edge+" did not say")
	}
	return &failure{exit: exitDraining, code: "draining", retryable: true, next: []string{"hotcut draining"},
		err: fmt.Errorf("rolled back, but after %s: %s", limit, list(what, 5))}
}

// directed is what --direct says in JSON.
type directed struct {
	DryRun bool                     `json:"dryRun"`
	Edges  []migration.DirectResult `json:"edges"`
}

// direct gives an order to every edge, past the store.
func (a *app) direct(ctx context.Context, o migration.Order, then string) error {
	o.By = policy.Override{By: actor(), At: a.now().Unix(), Reason: a.author.reason, Incident: a.author.incident}
	e := a.engineOver(nil)
	to, err := e.Reachable()
	if err != nil {
		return err
	}
	if a.change.dryRun {
		return a.showDirect(directed{DryRun: true, Edges: to}, "dry run: nothing was ordered")
	}
	if !a.change.yes {
		if !a.asks {
			return a.unasked(migration.AskYes, "")
		}
		if err := a.askYes(fmt.Sprintf("Order %s past the store?", plural(len(to), "edge"))); err != nil {
			return err
		}
	}
	results, err := e.Direct(ctx, o)
	if err != nil {
		return err
	}
	missing := 0
	for _, r := range results {
		if !r.Done {
			missing++
		}
	}
	line := fmt.Sprintf("ordered on %d/%d edges   %s", len(results)-missing, len(results), then)
	if err := a.showDirect(directed{Edges: results}, line); err != nil {
		return err
	}
	if missing > 0 {
		return &failure{exit: exitLate, code: "late", retryable: true, err: fmt.Errorf("ordered on %d/%d edges", len(results)-missing, len(results)),
			next: []string{a.again("")}}
	}
	return nil
}

func (a *app) showDirect(d directed, line string) error {
	return a.show(result{kind: "Orders", fresh: migration.Freshness{State: policy.Disk}, data: d, table: func(w io.Writer) {
		for _, r := range d.Edges {
			switch {
			case d.DryRun:
				fmt.Fprintf(w, "%s\twould be ordered\n", r.Edge)
			case r.Done:
				fmt.Fprintf(w, "%s\tobeys\n", r.Edge)
			default:
				fmt.Fprintf(w, "%s\t%s\n", r.Edge, r.Err)
			}
		}
		fmt.Fprintln(w, line)
	}})
}

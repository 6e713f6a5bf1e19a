package main

import (
	"context"

	"github.com/hotcut/hotcut/migration"
)

// resumeDirect takes local orders away. Whoever comes back to core by it meets the gates, so the store is asked first.
func (a *app) resumeDirect(ctx context.Context, ids []string, by migration.Author) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	plan, err := e.Plan(ctx, migration.Undirected(ids, by))
	if err != nil {
		return err
	}
	if a.change.dryRun {
		return join(a.showPlan(plan), plan.Refusal())
	}
	if err := plan.Refusal(); err != nil {
		return err
	}
	if err := a.confirm(plan); err != nil {
		return err
	}
	a.change.yes = true // the plan was confirmed: it says more than the number of edges
	return a.direct(ctx, migration.Order{Remove: true, Tenants: ids}, "the policy decides again")
}

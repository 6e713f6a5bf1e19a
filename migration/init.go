package migration

import (
	"context"
	"errors"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// Init starts a lineage in an empty store: globals and, for an import into a new lineage, tenants. Only it mints an
// epoch. Where edges still run a policy that the store lost it refuses: that store wants a resync.
func (e *Engine) Init(ctx context.Context, g policy.Globals, tenants []*policy.Tenant, by Author) (*Outcome, error) {
	at, err := e.Present(ctx)
	if err == nil {
		return nil, &GoalError{Problem: fmt.Sprintf("the store holds a policy already: epoch %.8s, rev %d, %d tenants",
			at.Snapshot.Epoch(), at.Snapshot.Rev(), at.Snapshot.Len()), Fix: "hotcut status"}
	}
	if !errors.Is(err, policy.ErrNoPolicy) {
		return nil, err
	}
	empty := policy.Empty(policy.MintEpoch())
	plan := &Plan{Change: Present{Snapshot: empty}.change(policy.KindInit, by), Moves: []Move{}}
	plan.Change.Globals = &policy.GlobalsChange{After: &g}
	for _, t := range tenants {
		plan.put(t.ID, nil, t)
	}
	if _, err := plan.finish(Present{Snapshot: empty, At: e.Now()}); err != nil {
		return nil, err
	}
	return e.commit(ctx, plan)
}

package migration

import (
	"context"
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// EpochPlan plans what it would do if the edges of another lineage took the store's policy: whom that moves, against
// what each of them serves now. foreign lists those edges.
func (e *Engine) EpochPlan(ctx context.Context, by Author) (*Plan, []Address, error) {
	at, err := e.Present(ctx)
	if err != nil {
		return nil, nil, err
	}
	plan := &Plan{Change: at.change(policy.KindResume, by), Moves: []Move{}}
	var foreign []Address
	for i, ans := range e.Fleet.States(ctx, e.Fleet.Addresses(at.Nodes)) {
		if ans.Err != nil {
			plan.Warnings = append(plan.Warnings, fmt.Sprintf("%s did not answer and is left as it is: %v", ans.Edge, ans.Err))
			continue
		}
		if ans.Value.Epoch == at.Snapshot.Epoch() || ans.Value.Rev == 0 {
			continue
		}
		foreign = append(foreign, e.Fleet.Addresses(at.Nodes)[i])
	}
	for _, a := range foreign {
		s, err := ask(ctx, e.Fleet, a, func(ctx context.Context, e Edge) (*policy.Snapshot, error) { return e.Export(ctx) })
		if err != nil {
			return nil, nil, err
		}
		plan.merge(movesBetween(s, at.Snapshot))
	}
	if len(plan.CoreWard()) > 0 {
		plan.Verdicts = judge(at, plan)
		for _, v := range plan.Verdicts {
			if v.Level == LevelWarn {
				plan.Warnings = append(plan.Warnings, v.String())
			}
		}
	}
	return plan, foreign, nil
}

// movesBetween says whom it moves when one policy takes the place of another.
func movesBetween(a, b *policy.Snapshot) []Move {
	ga, gb := a.Globals(), b.Globals()
	var out []Move
	for _, tc := range Difference(a, b) {
		m := policy.MotionOf(tc.Before, tc.After, ga, gb)
		out = append(out, Move{Tenant: tc.ID, From: Describe(tc.Before), To: Describe(tc.After), Motion: m})
	}
	if ga.Halt != gb.Halt {
		for r := range b.All() {
			old := a.Tenant(r.Tenant.ID)
			if old == nil || !same(old.Tenant, r.Tenant) {
				continue // listed above
			}
			if m := policy.MotionOf(old.Tenant, r.Tenant, ga, gb); m != policy.Still {
				out = append(out, Move{Tenant: r.Tenant.ID, From: halted(old.Tenant, ga), To: halted(r.Tenant, gb), Motion: m})
			}
		}
	}
	return out
}

// merge adds moves that another edge would make. The same tenant may move differently from different policies.
func (p *Plan) merge(moves []Move) {
	at := make(map[string]int, len(p.Moves))
	for i, m := range p.Moves {
		at[m.Tenant] = i
	}
	for _, m := range moves {
		if i, ok := at[m.Tenant]; ok {
			p.Moves[i].Motion |= m.Motion
			continue
		}
		p.Moves = append(p.Moves, m)
	}
}

// AcceptEpoch tells edges to take the policy of another lineage.
func (e *Engine) AcceptEpoch(ctx context.Context, to []Address, epoch string) []DirectResult {
	out := make([]DirectResult, 0, len(to))
	for _, a := range Ask(ctx, e.Fleet, to, func(ctx context.Context, edge Edge) (struct{}, error) {
		return struct{}{}, edge.AcceptEpoch(ctx, epoch)
	}) {
		r := DirectResult{Edge: a.Edge, Done: a.Err == nil}
		if a.Err != nil {
			r.Err = a.Err.Error()
		}
		out = append(out, r)
	}
	return out
}

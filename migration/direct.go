package migration

import (
	"context"

	"github.com/hotcut/hotcut/policy"
)

// Order is what a direct command tells an edge, past the store. Orders only ever serve legacy; Remove takes them away,
// with nothing named all of them.
type Order struct {
	AllLegacy bool
	Freeze    bool
	Tenants   []string
	Remove    bool
	By        policy.Override
}

// DirectResult is what one edge did with an order.
type DirectResult struct {
	Edge string `json:"edge"`
	Done bool   `json:"done"`
	Err  string `json:"error,omitempty"`
}

// Reachable lists the edges that a direct command would go to.
func (e *Engine) Reachable() ([]DirectResult, error) {
	to, err := e.directly()
	out := make([]DirectResult, 0, len(to))
	for _, a := range to {
		out = append(out, DirectResult{Edge: a.Name})
	}
	return out, err
}

// directly is the CLI's own list and the roster that was seen last.
func (e *Engine) directly() ([]Address, error) {
	old, err := e.lastRoster()
	if err != nil {
		e.Say("the last roster can not be read, the CLI's own list is used alone: %v", err)
	}
	to := e.Fleet.Addresses(old.Nodes)
	if len(to) == 0 {
		return nil, &GoalError{Problem: "no edge is known: the CLI's file lists none under edges, and no roster was ever seen",
			Fix: "hotcut help"}
	}
	return to, nil
}

// Direct gives an order to every edge of the CLI's list and of the roster that was seen last. Nothing else has to be
// alive.
func (e *Engine) Direct(ctx context.Context, o Order) ([]DirectResult, error) {
	to, err := e.directly()
	if err != nil {
		return nil, err
	}
	out := make([]DirectResult, 0, len(to))
	for _, a := range Ask(ctx, e.Fleet, to, func(ctx context.Context, edge Edge) (struct{}, error) { return struct{}{}, edge.Order(ctx, o) }) {
		r := DirectResult{Edge: a.Edge, Done: a.Err == nil}
		if a.Err != nil {
			r.Err = a.Err.Error()
		}
		out = append(out, r)
	}
	return out, nil
}

// Undirected plans what taking orders away would do: whoever comes back to core by it meets the gates. Overrides
// themselves are no gate here, since it is they that go.
func Undirected(tenants []string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindResume, by)}
		g := at.Globals()
		freed := freedBy(at, tenants)
		for r := range at.Snapshot.All() {
			t := r.Tenant
			if !freed(t) || !reachesCore(t) || g.Halt == policy.HaltAllLegacy {
				continue
			}
			p.Moves = append(p.Moves, Move{Tenant: t.ID, From: "legacy, local order", To: Describe(t), Motion: policy.TowardsCore})
		}
		if len(p.Moves) > 0 {
			at.Nodes = nil
			p.Verdicts = judge(at, p)
			for _, v := range p.Verdicts {
				if v.Level == LevelWarn {
					p.Warnings = append(p.Warnings, v.String())
				}
			}
		}
		return p, nil
	}
}

// freedBy reports which tenants are on legacy by an order that is to go.
func freedBy(at Present, tenants []string) func(*policy.Tenant) bool {
	named := make(map[string]bool, len(tenants))
	for _, id := range tenants {
		named[id] = true
	}
	all, some := false, make(map[string]bool)
	for _, n := range at.Nodes {
		if n.Overrides == nil {
			continue
		}
		all = all || (n.Overrides.AllLegacy != nil && len(tenants) == 0)
		for id := range n.Overrides.Tenants {
			if len(tenants) == 0 || named[id] {
				some[id] = true
			}
		}
	}
	return func(t *policy.Tenant) bool { return all && t.Stage != policy.StageDone || some[t.ID] }
}

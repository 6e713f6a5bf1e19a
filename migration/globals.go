package migration

import (
	"cmp"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// SetGlobals replaces the default, the gates and the tests. The halt has verbs of its own and stays as it is.
func SetGlobals(edit func(*policy.Globals), by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindTenant, by)}
		now := at.Globals()
		after := copyGlobals(now)
		edit(&after)
		after.Halt = now.Halt
		if names, _, _, err := altered(now, after); err != nil || len(names) == 0 {
			p.Notes = append(p.Notes, "the policy says all of this already")
			return p.finish(at)
		}
		p.Change.Globals = &policy.GlobalsChange{Before: &now, After: &after}
		return p.finish(at)
	}
}

// copyGlobals makes a copy whose map and slice can be edited: the snapshot's own never change.
func copyGlobals(g policy.Globals) policy.Globals {
	gates := make(map[string]policy.Gate, len(g.Gates))
	for name, level := range g.Gates {
		gates[name] = level
	}
	g.Gates = gates
	g.Tests = slices.Clone(g.Tests)
	return g
}

// Replace makes the policy say exactly what another snapshot says, tenants that are missing there included.
func Replace(with *policy.Snapshot, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindImport, by)}
		for _, tc := range Difference(at.Snapshot, with) {
			if tc.Before != nil && tc.After != nil && tc.Before.Salt != tc.After.Salt {
				return nil, &GoalError{Problem: "tenant " + tc.ID + ": the file has another salt: it belongs to another policy; salts decide who is in the canary's share",
					Fix: "hotcut policy import --new, into a store of its own"}
			}
			p.put(tc.ID, tc.Before, tc.After)
		}
		now, after := at.Globals(), with.Globals()
		if names, _, _, err := altered(now, after); err == nil && len(names) > 0 {
			p.Change.Globals = &policy.GlobalsChange{Before: &now, After: &after}
		}
		if p.Empty() {
			p.Notes = append(p.Notes, "the policy says all of this already")
		}
		return p.finish(at)
	}
}

// Difference lists the tenants that two snapshots hold differently, sorted by id.
func Difference(a, b *policy.Snapshot) []policy.TenantChange {
	var out []policy.TenantChange
	for r := range b.All() {
		before := a.Tenant(r.Tenant.ID)
		switch {
		case before == nil:
			out = append(out, policy.TenantChange{ID: r.Tenant.ID, After: r.Tenant})
		case !same(before.Tenant, r.Tenant):
			out = append(out, policy.TenantChange{ID: r.Tenant.ID, Before: before.Tenant, After: r.Tenant})
		}
	}
	for r := range a.All() {
		if b.Tenant(r.Tenant.ID) == nil {
			out = append(out, policy.TenantChange{ID: r.Tenant.ID, Before: r.Tenant})
		}
	}
	slices.SortFunc(out, func(x, y policy.TenantChange) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

// Altered names the JSON fields in which two records differ, sorted; none for a record that comes or goes whole.
func Altered(before, after *policy.Tenant) []string {
	if before == nil || after == nil {
		return []string{}
	}
	names, _, _, err := altered(before, after)
	if err != nil || names == nil {
		return []string{}
	}
	return names
}

// AlteredGlobals names the JSON fields in which two sets of globals differ, sorted.
func AlteredGlobals(before, after policy.Globals) []string {
	names, _, _, err := altered(before, after)
	if err != nil {
		return nil
	}
	return names
}

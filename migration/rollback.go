package migration

import (
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Rollback puts tenants on legacy, whatever they were: no gate, no base. Tenants that nothing of theirs could reach core
// are noted and left alone.
func Rollback(ids []string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindRollback, by)}
		p.Change.Force = true
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			t, err := at.Find(id)
			if err != nil {
				return nil, err
			}
			p.takeBack(at, t)
		}
		return p.finish(at)
	}
}

// RollbackAll puts every tenant on legacy of which anything could be on core. Those that are done stay: legacy no longer
// holds them, and only their name on the command line says that this is known.
func RollbackAll(by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindRollback, by)}
		p.Change.Force = true
		done := 0
		for r := range at.Snapshot.All() {
			if r.Tenant.Stage == policy.StageDone {
				done++
				continue
			}
			if reachesCore(r.Tenant) {
				p.takeBack(at, r.Tenant)
			}
		}
		if done > 0 {
			p.Warnings = append(p.Warnings, doneWords(done))
		}
		if p.Empty() {
			p.Notes = append(p.Notes, "nobody is on core")
		}
		return p.finish(at)
	}
}

func doneWords(n int) string {
	if n == 1 {
		return "1 tenant is done and stays on core; name it to roll it back"
	}
	return fmt.Sprintf("%d tenants are done and stay on core; name them to roll them back", n)
}

// RollbackSince puts the tenants on legacy that a change within d before the present moved towards core. log is what
// the store still has of that time; whole says that it reaches back far enough.
func RollbackSince(d time.Duration, log []policy.Change, whole bool, by Author) Goal {
	return func(at Present) (*Plan, error) {
		since := at.At.Add(-d).UnixMilli()
		p := &Plan{Change: at.change(policy.KindRollback, by)}
		p.Change.Force = true
		if !whole {
			p.Warnings = append(p.Warnings, fmt.Sprintf("the log no longer reaches back %s: tenants moved before it starts are not in this", Ago(d)))
		}
		for _, id := range MovedToCore(log, time.UnixMilli(since)) {
			if t := at.record(id); t != nil {
				p.takeBack(at, t)
			}
		}
		if p.Empty() && len(p.Notes) == 0 {
			p.Notes = append(p.Notes, "no tenant was moved towards core in the last "+Ago(d))
		}
		return p.finish(at)
	}
}

// MovedToCore lists the tenants that a change at or after since moved towards core, sorted.
func MovedToCore(log []policy.Change, since time.Time) []string {
	var ids []string
	for _, c := range log {
		if c.At < since.UnixMilli() {
			continue
		}
		for _, tc := range c.Tenants {
			if advances(tc) {
				ids = append(ids, tc.ID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// advances reports whether a change moved units of a tenant towards core. A number or domain that a tenant on core got in
// passing is not a move of the tenant: the same claims are read into the record before.
func advances(tc policy.TenantChange) bool {
	if tc.After == nil {
		return false
	}
	if tc.Before == nil {
		return reachesCore(tc.After)
	}
	before := *tc.Before
	before.Domains, before.Numbers, before.Trunks = tc.After.Domains, tc.After.Numbers, tc.After.Trunks
	var g policy.Globals
	return coreWard(policy.MotionOf(&before, tc.After, g, g))
}

func (p *Plan) takeBack(at Present, t *policy.Tenant) {
	if !reachesCore(t) {
		note := t.ID + " is on legacy already"
		if words := Describe(t); words != policy.StageLegacy.String() {
			note += " (" + words + ")"
		}
		p.Notes = append(p.Notes, note)
		return
	}
	if t.Stage == policy.StageDone {
		p.Warnings = append(p.Warnings, t.ID+" is done: legacy no longer keeps its registrations")
	}
	after := *t
	after.RolledBack = true
	p.put(t.ID, t, &after)
}

// reachesCore reports whether any unit of the tenant could be served by core once no halt stands.
func reachesCore(t *policy.Tenant) bool {
	if t.RolledBack {
		return false
	}
	back := *t
	back.RolledBack = true
	var g policy.Globals
	return policy.MotionOf(t, &back, g, g) != policy.Still
}

package migration

import (
	"fmt"
	"iter"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Present is what a plan is made from: the policy, what the edges say, and the time. A plan reads nothing else.
type Present struct {
	Snapshot *policy.Snapshot // nil when only some tenants were read: Find and Globals know both
	Nodes    []policy.NodeState
	At       time.Time
	Measured *Preflight // by the edges, for a plan that needs it; nil: nothing was

	light  *policy.Light // some tenants of the policy; nil when all were read
	unread *bool         // with light: set when a tenant is looked for that was not read, so that all have to be
}

// Author says who wants a change and why. Key is the idempotency key of the change: the same key commits once.
type Author struct {
	Actor    string
	Reason   string
	Incident string
	Key      string
}

// Goal turns the present into a plan. It is called again when a rollback meets a conflict, so it must be pure.
type Goal func(Present) (*Plan, error)

// change starts a change of kind based on what was seen.
func (p Present) change(kind policy.Kind, by Author) policy.Change {
	return policy.Change{
		Epoch:    p.head().Epoch,
		Base:     p.head().Rev,
		Kind:     kind,
		Actor:    by.Actor,
		Reason:   by.Reason,
		Incident: by.Incident,
		Key:      by.Key,
	}
}

// Known reports whether there is a policy at all, in whole or in part.
func (p Present) Known() bool { return p.Snapshot != nil || p.light != nil }

// Globals of the policy.
func (p Present) Globals() policy.Globals {
	if p.light != nil {
		return p.light.Globals()
	}
	return p.Snapshot.Globals()
}

func (p Present) head() policy.Head {
	if p.light != nil {
		return p.light.Head()
	}
	return p.Snapshot.Head()
}

// record returns a tenant by id, nil when there is none.
func (p Present) record(id string) *policy.Tenant {
	var r *policy.Record
	if p.light == nil {
		r = p.Snapshot.Tenant(id)
	} else if r = p.light.Tenant(id); r == nil {
		*p.unread = true
	}
	if r == nil {
		return nil
	}
	return r.Tenant
}

// motions says whom a change moves. policy.ErrNeedsWhole when what was read can not tell.
func (p Present) motions(c *policy.Change) (iter.Seq2[string, policy.Motion], error) {
	if p.light != nil {
		return p.light.Motions(c)
	}
	return c.Motions(p.Snapshot), nil
}

// Find finds a record, or says which id was probably meant.
func (p Present) Find(id string) (*policy.Tenant, error) {
	if t := p.record(id); t != nil {
		return t, nil
	}
	return nil, &NoTenantError{Tenant: id, Near: p.nearest(id)}
}

// nearest finds the id with the smallest edit distance, or "" if none is close.
func (p Present) nearest(id string) string {
	if p.Snapshot == nil {
		return ""
	}
	best, at := "", 3
	for r := range p.Snapshot.All() {
		if d := distance(id, r.Tenant.ID, at); d < at {
			best, at = r.Tenant.ID, d
		}
	}
	return best
}

// distance is Levenshtein's, cut off at limit: the result is meaningful only below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Describe says in a few words where a record puts its tenant: "legacy", "canary 10%", "core, rolled back".
func Describe(t *policy.Tenant) string {
	if t == nil {
		return "absent"
	}
	words := t.Stage.String()
	if t.Stage == policy.StageCanary {
		words = fmt.Sprintf("canary %s", policy.FormatShare(t.Share))
	}
	if t.RolledBack {
		words += ", rolled back"
	}
	return words
}

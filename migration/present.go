package migration

import (
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Present is what a plan is made from: the policy, what the edges say, and the time. A plan reads nothing else.
type Present struct {
	Snapshot *policy.Snapshot
	Nodes    []policy.NodeState
	At       time.Time
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
		Epoch:    p.Snapshot.Epoch(),
		Base:     p.Snapshot.Rev(),
		Kind:     kind,
		Actor:    by.Actor,
		Reason:   by.Reason,
		Incident: by.Incident,
		Key:      by.Key,
	}
}

// Find finds a record, or says which id was probably meant.
func (p Present) Find(id string) (*policy.Tenant, error) {
	if r := p.Snapshot.Tenant(id); r != nil {
		return r.Tenant, nil
	}
	return nil, &NoTenantError{Tenant: id, Near: p.nearest(id)}
}

// nearest finds the id with the smallest edit distance, or "" if none is close.
func (p Present) nearest(id string) string {
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

package migration

import (
	"fmt"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// MirrorTo is how much of a tenant is copied to the dark core.
type MirrorTo struct {
	Tenant string
	Share  int  // basis points of its calls, by the hash of their Call-ID; above 0
	Subs   bool // subscriptions too
}

// StartShadow lets the dark core get copies of a tenant's calls. It moves nobody: the stage becomes shadow where it was
// legacy, and stays where core serves a part already. Where core serves all, there is nothing to compare with.
func StartShadow(to MirrorTo, by Author) Goal {
	return func(at Present) (*Plan, error) {
		before, err := at.Find(to.Tenant)
		if err != nil {
			return nil, err
		}
		after := *before
		after.Mirror, after.MirrorSubs = to.Share, to.Subs
		switch {
		case after.Stage == policy.StageLegacy || after.Stage == policy.StageCore && after.RolledBack:
			after.Stage = policy.StageShadow
		case after.Stage >= policy.StageCore:
			return nil, &GoalError{Problem: fmt.Sprintf("%s is at %s: what legacy would have done can not be seen any more", to.Tenant, Describe(before)),
				Fix: fmt.Sprintf("hotcut flip %s --to canary --share 50", to.Tenant)}
		}
		p := &Plan{Change: at.change(policy.KindShadow, by)}
		if same(before, &after) {
			p.Notes = append(p.Notes, fmt.Sprintf("%s of %s is copied to the dark core already", policy.FormatShare(to.Share), to.Tenant))
			return p.finish(at)
		}
		if to.Share < policy.FullShare {
			p.Warnings = append(p.Warnings, "of a part of the calls, what hangs on the state of the platform (busy, hunting, park) can not be compared")
		}
		p.put(to.Tenant, before, &after)
		return p.finish(at)
	}
}

// StopShadow ends the copies of tenants: of those named, or of all that are copied. It moves nobody and is a kill switch:
// no gate stands before it, and whoever changes the policy meanwhile does not stop it.
func StopShadow(ids []string, by Author) Goal {
	return func(at Present) (*Plan, error) {
		p := &Plan{Change: at.change(policy.KindShadow, by), insists: true}
		if len(ids) == 0 {
			for r := range at.Snapshot.All() {
				if Mirrored(r.Tenant) {
					p.stopShadow(r.Tenant)
				}
			}
			if p.Empty() {
				p.Notes = append(p.Notes, "nobody is copied to the dark core")
			}
			return p.finish(at)
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			t, err := at.Find(id)
			if err != nil {
				return nil, err
			}
			p.stopShadow(t)
		}
		return p.finish(at)
	}
}

func (p *Plan) stopShadow(t *policy.Tenant) {
	after := *t
	after.Mirror, after.MirrorSubs = 0, false
	if after.Stage == policy.StageShadow {
		after.Stage = policy.StageLegacy
	}
	if same(t, &after) {
		p.Notes = append(p.Notes, t.ID+" is not copied to the dark core")
		return
	}
	p.put(t.ID, t, &after)
}

// Mirrored reports whether calls of the tenant are copied to the dark core.
func Mirrored(t *policy.Tenant) bool {
	return t.Mirror > 0 && (t.Stage == policy.StageShadow || t.Stage == policy.StageCanary)
}

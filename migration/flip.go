package migration

import (
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// FlipTo is where a flip brings a tenant.
type FlipTo struct {
	Tenant string
	Stage  policy.Stage
	Share  int // basis points; only with canary
	Shared bool
	Soak   time.Duration // how long its phones stay clamped after a move towards core; 0: not at all
}

// Soak is how long a tenant soaks after a move towards core, unless the person who moves it says otherwise.
const Soak = 24 * time.Hour

// Flip brings one tenant to another stage. Towards core it ends a rollback; towards legacy it leaves one standing, so
// that assigned users and rules do not come back to life.
func Flip(to FlipTo, by Author) Goal {
	return func(at Present) (*Plan, error) {
		before, err := at.Find(to.Tenant)
		if err != nil {
			return nil, err
		}
		after := *before
		after.Stage = to.Stage
		if after.Share, err = shareOf(to, before); err != nil {
			return nil, err
		}
		p := &Plan{Change: at.change(policy.KindFlip, by)}
		if to.Stage >= policy.StageCanary {
			after.RolledBack = false
		}
		if same(before, &after) {
			p.Notes = append(p.Notes, fmt.Sprintf("%s is at %s already", to.Tenant, Describe(before)))
			return p.finish(at)
		}
		to.phase(before, &after, at.At)
		p.put(to.Tenant, before, &after)
		if to.Stage < policy.StageCanary && !after.RolledBack && (len(after.Assigned) > 0 || len(after.Rules) > 0) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s keeps %s: whoever they put on core stays there; hotcut rollback %s moves everybody",
				to.Tenant, exceptions(&after), to.Tenant))
		}
		return p.finish(at)
	}
}

// phase: who goes towards core soaks from now on. The way back out of done is not instant anyway. Towards legacy the
// phase stays: those phones have to stay near too.
func (to FlipTo) phase(before, after *policy.Tenant, now time.Time) {
	var g policy.Globals
	switch {
	case after.Stage == policy.StageDone:
		after.Phase = nil
	case !coreWard(policy.MotionOf(before, after, g, g)):
	case to.Soak <= 0:
		after.Phase = nil
	default:
		after.Phase = &policy.Phase{Name: policy.PhaseSoaking, Until: now.Add(to.Soak).Unix()}
	}
}

func shareOf(to FlipTo, before *policy.Tenant) (int, error) {
	switch {
	case to.Stage != policy.StageCanary && to.Shared:
		return 0, &GoalError{Usage: true, Problem: "--share says how much of a canary core serves; it means nothing with --to " + to.Stage.String(),
			Fix: fmt.Sprintf("hotcut flip %s --to canary --share %s", to.Tenant, policy.FormatShare(to.Share))}
	case to.Stage != policy.StageCanary:
		return 0, nil
	case to.Shared:
		return to.Share, nil
	case before.Stage == policy.StageCanary && before.Share > 0:
		return before.Share, nil // a canary that was rolled back goes on where it was
	}
	return 0, &GoalError{Usage: true, Problem: "a canary needs its share: how many percent of the tenant core serves",
		Fix: fmt.Sprintf("hotcut flip %s --to canary --share 5", to.Tenant)}
}

func exceptions(t *policy.Tenant) string {
	switch {
	case len(t.Rules) == 0:
		return count(len(t.Assigned), "assigned user")
	case len(t.Assigned) == 0:
		return count(len(t.Rules), "rule")
	}
	return count(len(t.Assigned), "assigned user") + " and " + count(len(t.Rules), "rule")
}

// count says how many: "1 rule", "2 rules".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

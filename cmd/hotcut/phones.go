package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// Words about phones: how many are registered where, and what a way back would be worth to them.

// phonesWords counts: "41, 40 reachable, 41 on legacy, 39 on core".
func phonesWords(p migration.Phones) string {
	if p.Bindings == 0 {
		return "none registered"
	}
	return fmt.Sprintf("%d, %d reachable, %d on legacy, %d on core", p.Bindings, p.Reachable, p.OnLegacy, p.OnCore)
}

// missingWords names what should be on a platform and is not: "2 on legacy, 1 on core (1 refused)"; "" when nothing is.
func missingWords(p migration.Phones) string {
	var parts []string
	for _, side := range []policy.Platform{policy.Legacy, policy.Core} {
		if n := p.Missing(side); n > 0 {
			parts = append(parts, fmt.Sprintf("%d on %s", n, side))
		}
	}
	s := strings.Join(parts, ", ")
	if p.Failed > 0 {
		s = strings.TrimSpace(s + fmt.Sprintf(" (%d refused)", p.Failed))
	}
	return s
}

// instantWords says until when a rollback reaches the phones of a tenant that core serves at once, and if it does not, why.
func instantWords(p migration.Phones, all migration.FleetPhones, now time.Time) string {
	switch {
	case p.Bindings == 0:
		return "no phone is registered"
	case p.InstantUntil > now.Unix() && p.MissingLegacy > 0:
		return fmt.Sprintf("instant until %s for %d of %d phones", stamp(p.InstantUntil*1000), p.Bindings-p.MissingLegacy, p.Bindings)
	case p.InstantUntil > now.Unix():
		return "instant until " + stamp(p.InstantUntil*1000)
	case !all.Kept(policy.Legacy):
		return "when phones register anew" + within(p.NextRefresh, now) + " (keep: none on legacy's targets)"
	case p.MissingLegacy > 0:
		return fmt.Sprintf("not instant yet: %s missing on legacy", plural(p.MissingLegacy, "phone"))
	}
	return "not instant: nothing is kept on legacy"
}

// within is how long something takes from now, ", within 110 s"; "" when it is not known.
func within(unix int64, now time.Time) string {
	if unix <= now.Unix() {
		return ""
	}
	return ", within " + migration.Ago(time.Unix(unix, 0).Sub(now))
}

// instantOf is the column of tables: when a rollback ceases to be instant.
func instantOf(p migration.Phones, now time.Time) string {
	if p.InstantUntil <= now.Unix() {
		return "-"
	}
	return stamp(p.InstantUntil * 1000)
}

// perSecond is a rate as people read it: "0.03", "0.3", "12".
func perSecond(rate float64) string {
	switch {
	case rate >= 10 || rate == 0:
		return fmt.Sprintf("%.0f", rate)
	case rate >= 0.1:
		return fmt.Sprintf("%.1f", rate)
	}
	return fmt.Sprintf("%.2f", rate)
}

// heardWords says whose rows are not their own: "edge-1 as edge-2 last heard".
func heardWords(all migration.FleetPhones) []string {
	var out []string
	for _, h := range all.Heard {
		out = append(out, fmt.Sprintf("%s as %s last heard", h.Edge, h.By))
	}
	return out
}

// unheard warns of edges that did not say what is registered there, and of what stands in for it.
func unheard(all migration.FleetPhones) []string {
	var out []string
	lost := slices.DeleteFunc(slices.Clone(all.Silent), func(edge string) bool {
		return slices.ContainsFunc(all.Heard, func(h migration.Heard) bool { return h.Edge == edge })
	})
	out = append(out, unanswered(lost)...)
	if h := heardWords(all); len(h) > 0 {
		out = append(out, "not by the edge itself: "+list(h, 5))
	}
	return out
}

// leaves reports whether a rollback would take anybody of the tenant back to legacy.
func leaves(t *policy.Tenant) bool {
	return !t.RolledBack && (t.Stage >= policy.StageCanary || len(t.Assigned)+len(t.Rules) > 0)
}

// phaseWords: "soaking until TIME: phones register every two minutes"; "" when nothing clamps.
func phaseWords(t *policy.Tenant, now time.Time) string {
	const often = "phones register every two minutes"
	switch p := t.Phase; {
	case p != nil && p.Until > now.Unix():
		return fmt.Sprintf("%s until %s: %s", p.Name, stamp(p.Until*1000), often)
	case t.Stage == policy.StageCanary:
		return "canary: " + often
	case p != nil && p.Name == policy.PhaseArmed:
		return "armed until " + stamp(p.Until*1000) + ", which has passed"
	}
	return ""
}

// phonesPlan says what a plan means for phones: whether they are reachable where they go, what the clamp costs, how long
// the hand-over takes and what the lamps do.
func (a *app) phonesPlan(w io.Writer, p *migration.Plan) {
	if p.Measured == nil || len(p.Measured.Phones.Silent) == p.Measured.Phones.Asked {
		return
	}
	all, core := p.Measured.Phones, p.CoreWard()
	ids := core
	for _, tc := range p.Change.Tenants {
		if !slices.Contains(ids, tc.ID) && tc.After != nil {
			ids = append(ids, tc.ID)
		}
	}
	sum := all.Sum(ids...)
	if sum.Bindings == 0 {
		fmt.Fprintln(w, "  phones: none is registered")
		return
	}
	s := fmt.Sprintf("  phones: %d", sum.Bindings)
	if len(core) > 0 {
		s += a.reachableAfter(sum, all)
	}
	if extra := sum.Extra(); a.clampedAfter(p) && extra >= 0.05 {
		s += fmt.Sprintf("   +%s REGISTER/s %s while clamped", perSecond(extra), sidesOf(all))
	}
	fmt.Fprintln(w, s)
	if len(core) == 0 {
		return
	}
	if seconds, ok := handOverOf(all, core); ok {
		d := time.Duration(seconds * float64(time.Second))
		fmt.Fprintf(w, "  hand-over: about %s\n", migration.Ago(max(d, 10*time.Millisecond)))
	}
	fmt.Fprintf(w, "  lamps: %s\n", a.lampsWords(p))
}

func (a *app) reachableAfter(sum migration.Phones, all migration.FleetPhones) string {
	if all.Kept(policy.Core) {
		return fmt.Sprintf(" (%d reachable on core after hand-over)", sum.Reachable)
	}
	return fmt.Sprintf(" (%d reachable on core, the others when they register anew%s)", sum.OnCore, within(sum.NextRefresh, a.now()))
}

// clampedAfter reports whether a tenant of the plan is clamped once it is committed.
func (a *app) clampedAfter(p *migration.Plan) bool {
	return slices.ContainsFunc(p.Change.Tenants, func(tc policy.TenantChange) bool { return migration.Clamped(tc.After, a.now().Unix()) })
}

// sidesOf is where the REGISTERs of clamped phones arrive: where they are kept too, on both platforms.
func sidesOf(all migration.FleetPhones) string {
	if all.Kept(policy.Legacy) || all.Kept(policy.Core) {
		return "on both platforms"
	}
	return "on the platform that serves"
}

// handOverOf is the longest hand-over to core among tenants, in seconds.
func handOverOf(all migration.FleetPhones, ids []string) (longest float64, ok bool) {
	for _, id := range ids {
		if all.Of(id).Bindings == 0 {
			continue
		}
		s, known := all.HandOver(id, policy.Core)
		if !known {
			return 0, false
		}
		longest, ok = max(longest, s), true
	}
	return longest, ok
}

// lampsWords is the promise for busy lamps: subscriptions that were made while the tenant was clamped end soon.
func (a *app) lampsWords(p *migration.Plan) string {
	for _, tc := range p.Change.Tenants {
		if !migration.Clamped(tc.Before, a.now().Unix()) {
			return "at once where the edge holds the subscription, else when the phone subscribes anew (sooner if armed some hours before: hotcut tenant set " + tc.ID + " --armed 4h)"
		}
	}
	return "right within two minutes: subscriptions are short-lived while clamped"
}

// wayBack is what a rollback after this plan is worth to the phones; "" when that is not known.
func (a *app) wayBack(p *migration.Plan) string {
	if p.Measured == nil || p.Measured.Phones.Sum(p.CoreWard()...).Bindings == 0 {
		return ""
	}
	all := p.Measured.Phones
	switch {
	case all.Kept(policy.Legacy):
		return "   instant: phones stay registered on legacy too"
	case p.Measured.HeldUntil > a.now().Unix():
		return "   instant until " + stamp(p.Measured.HeldUntil*1000)
	}
	return "   when phones register anew (keep: none on legacy's targets)"
}

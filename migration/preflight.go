package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/policy"
)

// GateRegistrations is the gate over what the edges find of phones and of the platforms' registrars before a move
// towards core.
const GateRegistrations = "registrations"

// Preflight is what the edges measured for a plan.
type Preflight struct {
	Phones    FleetPhones
	Diagnosis *Diagnosis // nil: the targets were not probed
	HeldUntil int64      // unix seconds: the first end of what legacy holds, where nobody keeps it there; 0: not known
}

// compareCheck is the check whose failure locks phones out: the challenges of both platforms, side by side.
const compareCheck = "compare"

// judgeRegistrations asks whether the phones of tenants that go to core would be reachable there and could log in. A
// challenge that they can not answer stops the move unless the gate is off; the rest stops it only where the gate is
// required.
// Without any measurement, listed says how many edges there are that could have made one.
func judgeRegistrations(g policy.Globals, ids []string, pre *Preflight, listed int) []Verdict {
	gate := g.Gates[GateRegistrations]
	if gate == policy.GateOff {
		return nil
	}
	strict := LevelWarn
	if gate == policy.GateRequire {
		strict = LevelFail
	}
	next := "hotcut doctor"
	if len(ids) == 1 && ids[0] != policy.AllTenants {
		next += " " + ids[0]
	}
	say := func(level Level, tenant, why string) Verdict {
		return Verdict{Gate: GateRegistrations, Tenant: tenant, Level: level, Why: why, Next: next}
	}
	if pre == nil || len(pre.Phones.Silent) == pre.Phones.Asked {
		v := say(strict, "", "not measured: no edge answered")
		if pre != nil {
			listed = pre.Phones.Asked
		}
		if listed == 0 {
			v.Why = "not measured: no edge is listed"
		}
		if strict == LevelFail {
			v.Why += ", and the policy requires it"
		}
		return []Verdict{v}
	}
	var out []Verdict
	if len(pre.Phones.Silent) > 0 {
		out = append(out, say(strict, "", strings.Join(pre.Phones.Silent, ", ")+" did not answer: what is registered there is not measured"))
	}
	if pre.Diagnosis == nil && gate != policy.GateRequire && pre.phoneless(ids) {
		return []Verdict{{Gate: GateRegistrations, Level: LevelPass, Why: "no phone is registered through the edges: nothing to hand over"}}
	}
	out = append(out, judgeDiagnosis(pre.Diagnosis, strict, say)...)
	for _, id := range ids {
		p := pre.Phones.Of(id)
		if p.Bindings > 0 && !pre.Phones.Kept(policy.Core) {
			out = append(out, say(strict, id, fmt.Sprintf("keep is none on a target of core: its %s can be reached there only when they register anew",
				count(p.Bindings, "phone"))))
		}
	}
	if len(out) == 0 {
		return []Verdict{{Gate: GateRegistrations, Level: LevelPass, Why: "both platforms take registrations of these phones"}}
	}
	return out
}

func judgeDiagnosis(d *Diagnosis, strict Level, say func(Level, string, string) Verdict) []Verdict {
	if d == nil {
		return []Verdict{say(strict, "", "the targets were not probed")}
	}
	var out []Verdict
	if len(d.Findings) == 0 {
		return []Verdict{say(strict, "", "no edge could probe its targets")}
	}
	for _, f := range d.Findings {
		level := LevelPass
		switch {
		case f.Level == FoundFail && f.Check == compareCheck:
			level = LevelFail
		case f.Level == FoundFail:
			level = strict
		case f.Level == FoundWarn && f.Check == compareCheck:
			level = LevelWarn
		}
		if level == LevelPass {
			continue
		}
		what := strings.TrimSpace(f.Check + " " + f.Where())
		v := say(level, "", fmt.Sprintf("%s: %s", what, f.Detail))
		if !slices.Contains(out, v) { // edges that found the same may name different ways to mend it
			out = append(out, v)
		}
	}
	return out
}

// phoneless reports whether every edge said that these tenants have no phone registered.
func (pre *Preflight) phoneless(ids []string) bool {
	if pre.Phones.Asked == 0 || len(pre.Phones.Silent) > 0 {
		return false
	}
	if slices.Contains(ids, policy.AllTenants) {
		ids = nil
	}
	return pre.Phones.Sum(ids...).Bindings == 0
}

// preflight asks the edges what plans towards core, and those that clamp, are judged and shown by. nil: nobody needs it.
// The platforms' registrars are probed only where there are phones to hand over, or the gate is required: a trunk's
// platform may not answer a REGISTER at all, and a flip must not wait for it.
func (e *Engine) preflight(ctx context.Context, at Present, p *Plan) *Preflight {
	ids := p.CoreWard()
	if len(ids) == 0 && !p.clamps(at) {
		return nil
	}
	to := e.Fleet.Addresses(at.Nodes)
	one := ""
	if len(p.Change.Tenants) == 1 && len(p.Moves) == 1 {
		one = p.Change.Tenants[0].ID
	}
	pre := new(Preflight)
	pre.Phones = e.Fleet.Phones(ctx, to, one)
	gate := p.globals(at).Gates[GateRegistrations]
	if len(ids) > 0 && gate != policy.GateOff && (gate == policy.GateRequire || !pre.phoneless(ids)) {
		d := e.Fleet.Doctor(ctx, to, Probe{Tenant: one}, nil)
		pre.Diagnosis = &d
	}
	if one != "" && len(ids) > 0 && !pre.Phones.Kept(policy.Legacy) && pre.Phones.Of(one).Bindings > 0 {
		pre.HeldUntil = e.Fleet.heldUntil(ctx, to, one, policy.Legacy)
	}
	return pre
}

// heldUntil is the first end of what a platform holds of a tenant's phones, 0 if an edge did not say.
func (f *Fleet) heldUntil(ctx context.Context, to []Address, tenant string, side policy.Platform) int64 {
	first := int64(0)
	for _, a := range Ask(ctx, f, to, func(ctx context.Context, e Edge) (int64, error) {
		if e.HeldUntil == nil {
			return 0, errNotOffered
		}
		return e.HeldUntil(ctx, tenant, side)
	}) {
		if a.Err != nil {
			return 0
		}
		if a.Value != 0 && (first == 0 || a.Value < first) {
			first = a.Value
		}
	}
	return first
}

// clamps reports whether the plan makes phones register more often.
func (p *Plan) clamps(at Present) bool {
	now := at.At.Unix()
	return slices.ContainsFunc(p.Change.Tenants, func(tc policy.TenantChange) bool {
		return Clamped(tc.After, now) && !Clamped(tc.Before, now)
	})
}

// Clamped reports whether what a tenant's phones are told of their registrations is short-lived at now, in unix seconds.
func Clamped(t *policy.Tenant, now int64) bool {
	return t != nil && (&policy.Record{Tenant: t}).Clamped(now)
}

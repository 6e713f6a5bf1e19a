package shadow

import (
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
)

func (o *Options) redactor(tenant string) *record.Redactor {
	country := ""
	if s := o.Policy(); s != nil {
		country = countryOf(s, tenant)
	}
	return record.NewRedactor(o.Secret, tenant, country).Yielding(o.Yield)
}

// judge is the verdict of two exchanges under the rules, and what is kept of them: both are redacted first, with the mirror's secret.
func (o *Options) judge(live, shadow *record.Exchange) (v *compare.Verdict, liveKept, shadowKept *record.Exchange) {
	var p *record.Profile
	if o.Profile != nil {
		p = o.Profile(live.Tenant)
	}
	r := o.redactor(live.Tenant)
	live, shadow = r.Exchange(live), r.Exchange(shadow)
	rules := o.Rules
	switch {
	case rules != nil:
	case p != nil:
		rules = compare.NewRules(p)
	default:
		rules = compare.Rules
	}
	a, b := record.Of(live, p, r), record.Of(shadow, p, r)
	o.Yield()
	v = compare.Judge(a, b, rules)
	v.Edge, v.Build, v.Rev = o.Edge, shadow.Build, live.Rev
	return v, live, shadow
}

func countryOf(s *policy.Snapshot, tenant string) string {
	if rec := s.Tenant(tenant); rec != nil {
		return rec.Tenant.Country
	}
	return ""
}

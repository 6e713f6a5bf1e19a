package shadow

import (
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
)

// judge is the verdict of two exchanges: their records, redacted with the mirror's secret, under the rules.
func (o *Options) judge(live, shadow *record.Exchange) *compare.Verdict {
	var p *record.Profile
	if o.Profile != nil {
		p = o.Profile(live.Tenant)
	}
	country := ""
	if s := o.Policy(); s != nil {
		country = countryOf(s, live.Tenant)
	}
	r := record.NewRedactor(o.Secret, live.Tenant, country)
	rules := o.Rules
	switch {
	case rules != nil:
	case p != nil:
		rules = compare.NewRules(p)
	default:
		rules = compare.Rules
	}
	v := compare.Judge(record.Of(live, p, r), record.Of(shadow, p, r), rules)
	v.Edge, v.Build, v.Rev = o.Edge, shadow.Build, live.Rev
	return v
}

func countryOf(s *policy.Snapshot, tenant string) string {
	if rec := s.Tenant(tenant); rec != nil {
		return rec.Tenant.Country
	}
	return ""
}

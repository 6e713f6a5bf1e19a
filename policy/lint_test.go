package policy

import (
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	s := snapshot(t,
		tenant("clean", func(t *Tenant) { t.Numbers = []string{"+4420"} }),
		tenant("bare", func(t *Tenant) { t.Domains = nil }),
		tenant("phoneless", func(t *Tenant) { t.Domains, t.Numbers = nil, []string{"+1303555"} }),
		tenant("nested", func(t *Tenant) {
			t.Numbers = []string{"+13035550100-+13035550199"}
			t.Trunks = []Trunk{{Name: "in", Source: "192.0.2.8/32"}}
		}),
		tenant("deep", func(t *Tenant) { t.Numbers = []string{"+13035550150"} }),
		tenant("pbx", func(t *Tenant) {
			t.Stage, t.Mirror, t.Trunks = StageShadow, 100, []Trunk{{Name: "out", Source: "192.0.2.0/24"}}
		}),
		tenant("rules", func(t *Tenant) {
			t.Groups = map[string]string{"zoe": "alone"}
			t.Rules = []Rule{
				{Direction: Outbound, Platform: Core, Expires: 100}, {Direction: Outbound, Called: "+44", Platform: Core},
				{Direction: Outbound, Called: "+4420", Method: "INVITE", Platform: Legacy}, {Users: []string{"a"}, Direction: Outbound, Called: "+44", Platform: Legacy},
			}
		}),
		tenant("empty-canary", func(t *Tenant) {
			t.Stage, t.Country, t.Numbers = StageCanary, "1", []string{"+1212"}
			t.Emergency = &Emergency{Users: []string{"112"}}
		}),
		tenant("armed-late", func(t *Tenant) { t.Phase = &Phase{Name: PhaseArmed, Until: 1000} }),
		tenant("soaked", func(t *Tenant) { t.Phase = &Phase{Name: PhaseSoaking, Until: 1000} }),
		tenant("armed-long", func(t *Tenant) { t.Phase = &Phase{Name: PhaseArmed, Until: 1001 + longPhase} }),
		tenant("armed-core", func(t *Tenant) { t.Stage, t.Phase = StageCore, &Phase{Name: PhaseArmed, Until: 2000} }),
		tenant("soaking-done", func(t *Tenant) {
			t.Stage, t.Phase = StageDone, &Phase{Name: PhaseSoaking, Until: 2000}
			t.Emergency = &Emergency{Platform: Core, Certified: &Certification{By: "x", At: 1, Evidence: "x"}}
		}),
		tenant("back", func(t *Tenant) { t.Stage, t.Share, t.RolledBack = StageCore, 100, true }),
	)
	g := s.Globals()
	g.Tests = []Test{{Tenant: "gone", From: "x@example.org", To: "y@example.net", Expect: "core"}}
	sg := *s
	sg.globals = g
	var got []string
	for _, f := range sg.LintAt(1000) {
		got = append(got, f.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"tenant bare: domains: the tenant has neither domain, number nor trunk",
		"tenant phoneless: domains: the tenant has no domain",
		`tenant nested: numbers[0] "+13035550100-+13035550199": lies inside +1303555 of tenant phoneless`,
		`tenant deep: numbers[0] "+13035550150": lies inside +1303555 of tenant phoneless`,
		`tenant deep: numbers[0] "+13035550150": lies inside +13035550100-+13035550199 of tenant nested`,
		`tenant nested: trunks[0].source "192.0.2.8/32": lies inside a trunk source of tenant pbx`,
		`tenant pbx: trunks[0].egress "out": has no egress`,
		`tenant rules: rules[0].expires "100": has passed`,
		"tenant rules: rules[2]: never matches: rule 2 takes all of it",
		`tenant rules: groups "alone": an affinity group of one`,
		"tenant empty-canary: share: canary with nobody in it",
		"tenant empty-canary: mirror: stage canary with no call mirrored",
		"tenant empty-canary: area: seven-digit calls",
		"tenant empty-canary: users: canary without a users map",
		"tenant empty-canary: emergency.users: no urn:service:sos",
		`tenant back: share "1%": has no effect in stage core`,
		`tenant armed-late: phase.until "1000": has passed: the tenant was armed and not moved`,
		`tenant armed-long: phase.until "605801": is more than a week ahead`,
		`tenant armed-core: phase.name "armed": the tenant is on core already`,
		`tenant soaking-done: phase.name "soaking": its phones register every two minutes`,
		"tenant back: rolled_back: the tenant was taken back",
		"tests[0]: fails: expected tenant gone, got none",
		`tests[0].tenant "gone": names a tenant that does not exist`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no finding %q", want)
		}
	}
	if strings.Contains(all, "tenant clean") || strings.Contains(all, "tenant soaked") || strings.Contains(all, "rules[3]") {
		t.Errorf("what is fine was found fault with")
	}
	if t.Failed() {
		t.Log(all)
	}
}

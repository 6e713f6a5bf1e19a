package policy

import (
	"net/netip"
	"testing"
)

// The path of a call allocates nothing: decide, resolve, every look-up, at every stage and with every kind of input.
func TestNothingAllocates(t *testing.T) {
	s := snapshot(t,
		tenant("acme", func(t *Tenant) {
			t.Stage, t.Share, t.Country, t.Area, t.Outside = StageCanary, 5000, "1", "303", "9"
			t.Numbers = []string{"+1303555", "+13035550100-+13035550199"}
			t.Users = map[string]string{"+13035550101": "bob"}
			t.Groups = map[string]string{"carol": "team"}
			t.Rules = []Rule{{Direction: Outbound, Called: "+44", Users: []string{"bob"}, Platform: Core}}
			t.Trunks = []Trunk{{Name: "pbx", Source: "192.0.2.0/28"}}
		}),
		tenant("beta", func(t *Tenant) { t.Stage, t.Phase = StageCore, &Phase{Name: PhaseSoaking, Until: 2} }))
	over := s.WithOverrides(&Overrides{Tenants: map[string]Override{"beta": {}}})
	src := netip.MustParseAddrPort("192.0.2.3:5060")
	out := netip.MustParseAddrPort("[2001:db8::1]:5060")
	questions := []Question{
		{Method: "INVITE", FromUser: "bob", FromHost: "acme.example", ToUser: "901144207946095", ToHost: "ACME.example", Source: out},
		{Method: "INVITE", FromUser: "c%61rol", FromHost: "acme.example", ToUser: "5550101", ToHost: "", Source: out},
		{Method: "INVITE", FromUser: "x", FromHost: "example.org", ToUser: "+1(303)555-0101", ToHost: "203.0.113.1", Source: out},
		{Method: "INVITE", FromUser: "3035550101", FromHost: "pbx", ToUser: "911", ToHost: "203.0.113.1", Source: src, Transport: "udp"},
		{Method: "INVITE", FromUser: "0015550000", FromHost: "c", ToUser: "9913035550101", Carrier: true, NumberFormat: "strip:2", Source: out},
		{Method: "INVITE", FromUser: "x", ToUser: "3035550101", Carrier: true, NumberFormat: "national:1", Source: out},
		{Method: "INVITE", FromUser: "x", ToUser: "5550101;phone-context=+1303", ToTel: true, Source: out},
		{Method: "REGISTER", FromUser: "bob", FromHost: "beta.example", ToUser: "bob", ToHost: "beta.example", Source: out},
		{Method: "INVITE", FromUser: "x", FromHost: "y", ToUser: "urn:service:sos.police", Source: out},
		{Method: "INVITE", FromUser: "bob", FromHost: "acme.example", ToUser: "carol", ToHost: "acme.example", FromPlatform: Legacy, Source: out},
	}
	var tr Trace
	for _, q := range questions {
		var d Decision
		if n := testing.AllocsPerRun(100, func() {
			d = over.Decide(over.Resolve(&q, &tr))
			d = s.Decide(s.Resolve(&q, &tr))
		}); n != 0 {
			t.Errorf("%s %s@%s -> %s@%s (%s): %v allocations", q.Method, q.FromUser, q.FromHost, q.ToUser, q.ToHost, d.Why(), n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		s.ByNumber("+13035550101")
		s.ByDomain("beta.example")
		s.ByTrunk(src, "tcp")
		s.Tenant("acme").IsEmergency("9911")
		s.Tenant("beta").Clamped(1)
		s.Tenant("beta").Armed(1)
	}); n != 0 {
		t.Errorf("look-ups: %v allocations", n)
	}
}

package policy

import (
	"strings"
	"testing"
)

func TestNormaliseByTenant(t *testing.T) {
	us := tenant("us", func(t *Tenant) { t.Country, t.Area, t.Outside = "1", "303", "9" })
	uk := tenant("uk", func(t *Tenant) { t.Country, t.Area = "44", "20" })
	it := tenant("it", func(t *Tenant) { t.Country = "39" })
	dk := tenant("dk", func(t *Tenant) { t.Country = "45" })
	none := tenant("none")
	s := snapshot(t, us, uk, it, dk, none)
	for _, tc := range []struct{ id, dialled, want string }{
		{"us", "+13035550100", "+13035550100"},
		{"us", "+1-303-555-0100", "+13035550100"},
		{"us", "(303) 555.0100", "+13035550100"},
		{"us", "%2B13035550100", "+13035550100"},
		{"us", "%2b1%33035550100", "+13035550100"},
		{"us", "3035550100", "+13035550100"},
		{"us", "13035550100", "+13035550100"},
		{"us", "5550100", "+13035550100"},
		{"us", "93035550100", "+13035550100"},
		{"us", "913035550100", "+13035550100"},
		{"us", "95550100", "+13035550100"},
		{"us", "9705551234", "+19705551234"}, // an area code that begins like the outside prefix
		{"us", "01144207946095", "+44207946095"},
		{"us", "901144207946095", "+44207946095"},
		{"us", "3035550100;npdi;rn=+13035550000", "+13035550100"},
		{"us", "5550100;phone-context=+44", "+445550100"},
		{"us", "5550100;phone-context=example.com", "+13035550100"},
		{"us", "101", ""},
		{"us", "911", ""},
		{"us", "9911", ""},
		{"us", "*97", ""},
		{"us", "bob", ""},
		{"us", "bob123", ""},
		{"us", "", ""},
		{"us", "+", ""},
		{"us", "++13035550100", ""},
		{"us", "+0303555010", ""},
		{"us", "1303555010", ""},
		{"us", "+1234567890123456", ""},
		{"us", strings.Repeat("5", 200), ""},
		{"us", "%zz5550100", ""},
		{"us", "5550100%", ""},
		{"uk", "02079460958", "+442079460958"},
		{"uk", "79460958", "+442079460958"},
		{"uk", "2079460958", "+442079460958"},
		{"uk", "00442079460958", "+442079460958"},
		{"uk", "442079460958", "+442079460958"},
		{"uk", "0013035550100", "+13035550100"},
		{"uk", "79460", ""}, // five digits are an extension
		{"uk", "00", ""},
		{"it", "0612345678", "+390612345678"}, // Italy keeps the 0
		{"it", "3331234567", "+393331234567"},
		{"dk", "32123456", "+4532123456"},
		{"none", "+13035550100", "+13035550100"},
		{"none", "13035550100", ""},
	} {
		var buf [32]byte
		if got := string(s.Tenant(tc.id).Normalise(buf[:], tc.dialled)); got != tc.want {
			t.Errorf("%s dials %q: %q, want %q", tc.id, tc.dialled, got, tc.want)
		}
	}
}

func TestNormaliseByCarrier(t *testing.T) {
	for _, tc := range []struct{ format, number, want string }{
		{"e164", "+13035550100", "+13035550100"},
		{"", "13035550100", "+13035550100"},
		{"e164", "03035550100", ""},
		{"e164", "bob", ""},
		{"national:44", "02079460958", "+442079460958"},
		{"national:44", "+442079460958", "+442079460958"},
		{"national:1", "3035550100", "+13035550100"},
		{"national:1", "303555010", ""},
		{"strip:2", "9913035550100", "+13035550100"},
		{"strip:2", "99+13035550100", "+13035550100"},
		{"strip:4", "#31#13035550100", "+13035550100"},
		{"strip:2", "99", ""},
	} {
		got, err := Normalise(tc.format, tc.number)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s %q: %q, %v, want %q", tc.format, tc.number, got, err, tc.want)
		}
	}
	for _, bad := range []string{"e165", "national", "national:", "national:+44", "national:0", "national:1234", "strip", "strip:0", "strip:-1", "strip:16", "strip:x"} {
		if err := CheckNumberFormat(bad); err == nil || !strings.Contains(err.Error(), "write e164") {
			t.Errorf("format %q: %v", bad, err)
		}
		if _, err := Normalise(bad, "+13035550100"); err == nil {
			t.Errorf("format %q is taken", bad)
		}
	}
}

func TestEmergency(t *testing.T) {
	s := snapshot(t,
		tenant("us", func(t *Tenant) { t.Country, t.Outside = "1", "9" }),
		tenant("own", func(t *Tenant) {
			t.Country, t.Emergency = "49", &Emergency{Users: []string{"110", "urn:service:sos.police"}}
		}))
	for _, tc := range []struct {
		id, user string
		want     bool
	}{
		{"us", "911", true}, {"us", "9911", true}, {"us", "112", true}, {"us", "9112", true}, {"us", "933", true},
		{"us", "+1911", true}, {"us", "+44911", false}, {"us", "9-1-1", true}, {"us", "%39%31%31", true}, {"us", "911;phone-context=+1", true},
		{"us", "urn:service:sos", true}, {"us", "URN:Service:SOS.fire", true}, {"us", "urn:service:counseling", false},
		{"us", "9119", false}, {"us", "8911", false}, {"us", "99911", false}, {"us", "9999", true}, {"us", "13035550911", false},
		{"us", "", false}, {"us", "bob", false}, {"us", "+911", false}, {"us", strings.Repeat("911", 80), false},
		{"own", "110", true}, {"own", "+49110", true}, {"own", "112", false}, {"own", "urn:service:sos.police", true}, {"own", "urn:service:sos", false},
		{"", "112", true}, {"", "9112", false}, {"", "urn:service:sos", true},
	} {
		if got := s.Tenant(tc.id).IsEmergency(tc.user); got != tc.want {
			t.Errorf("%q dials %q: %t", tc.id, tc.user, got)
		}
	}
}

func TestParseParty(t *testing.T) {
	for s, want := range map[string]struct {
		user, host string
		tel        bool
	}{
		"bob@acme.example":                         {"bob", "acme.example", false},
		"sip:bob@acme.example:5060;transport=tcp":  {"bob", "acme.example", false},
		"SIPS:bob:secret@acme.example?Subject=x":   {"bob", "acme.example", false},
		`"Bob" <sip:bob@[2001:db8::1]:5060>;tag=1`: {"bob", "[2001:db8::1]", false},
		"sip:acme.example":                         {"", "acme.example", false},
		"sip:+1303;phone-context=+1@a.example":     {"+1303;phone-context=+1", "a.example", false},
		"tel:+1-303-555-0100":                      {"+1-303-555-0100", "", true},
		"+13035550100":                             {"+13035550100", "", false},
		"101":                                      {"101", "", false},
		"urn:service:sos.police":                   {"urn:service:sos.police", "", false},
		"a@b@acme.example":                         {"a@b", "acme.example", false},
		"":                                         {"", "", false},
		" bob@acme.example ":                       {"bob", "acme.example", false},
		"sip:[2001:db8::1":                         {"", "[2001", false},
	} {
		user, host, tel := ParseParty(s)
		if user != want.user || host != want.host || tel != want.tel {
			t.Errorf("%q: %q, %q, %t", s, user, host, tel)
		}
	}
}

func TestShares(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "0%": 0, "10": 1000, "12.3": 1230, "12.34%": 1234, "100": 10000, "100.00%": 10000, "0.01": 1, "007": 700} {
		got, err := ParseShare(s)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
		if back, err := ParseShare(FormatShare(got)); err != nil || back != got {
			t.Errorf("%d is written %q and read back as %d, %v", got, FormatShare(got), back, err)
		}
	}
	for _, s := range []string{"", "%", "-1", "+1", "1e2", "12.345", "100.01", "101", "1000000", "1.", ".5", "1,5", "ten", " 5", "5 %", strings.Repeat("9", 100)} {
		if bp, err := ParseShare(s); err == nil || !strings.Contains(err.Error(), "write percent") {
			t.Errorf("%q: %d, %v", s, bp, err)
		}
	}
}

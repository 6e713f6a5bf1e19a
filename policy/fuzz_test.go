package policy

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func FuzzParseTenant(f *testing.F) {
	for _, t := range []*Tenant{tenant("acme"), fleet(11)[10]} {
		b, err := t.Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"id":"a","rules":[{"platform":"core","users":["x"]}],"emergency":{"certified":null},"users":{"\u0061":"b"}}`))
	f.Add([]byte(`[{"a":[[{"b":"\"}"}]]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		one, err := ParseTenant(b)
		if err != nil {
			if !isRefusal(err) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		c, err := one.Canonical()
		if err != nil {
			return // too large, or a rule without a platform's name
		}
		two, err := ParseTenant(c)
		if err != nil {
			t.Fatalf("canonical form is refused: %v\n%s", err, c)
		}
		again, err := two.Canonical()
		if err != nil || !bytes.Equal(again, c) {
			t.Fatalf("canonical form is no fixed point: %v\n%s\n%s", err, c, again)
		}
		// What validation takes can be asked anything.
		if s, err := NewSnapshot(Head{Epoch: testEpoch, Rev: 1}, Globals{}, []*Tenant{one}); err == nil {
			s.LintAt(5)
			var tr Trace
			for _, u := range []string{"bob", "+13035550100", "9911", "a%20b"} {
				q := Question{Method: "INVITE", FromUser: u, ToUser: u, Now: 1}
				if len(one.Domains) > 0 {
					q.FromHost, q.ToHost = one.Domains[0], one.Domains[0]
				}
				d := s.Decide(s.Resolve(&q, &tr))
				if d.Platform == NoPlatform || d.Platform == Core && one.Stage != StageDone && d.Tenant != "" && d.Keep != Legacy {
					t.Fatalf("%+v", d)
				}
			}
		} else if !isRefusal(err) {
			t.Fatalf("%T: %v", err, err)
		}
		MotionOf(one, tenant("acme"), Globals{}, Globals{})
		MotionOf(nil, one, Globals{}, Globals{})
	})
}

func FuzzParseChange(f *testing.F) {
	s := commit(f, Empty(testEpoch), add(tenant("acme")))
	sealed, _, err := tryCommit(s, change(s, "acme", func(t *Tenant) { t.Stage = StageCore }))
	if err != nil {
		f.Fatal(err)
	}
	b, err := sealed.Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"epoch":"` + testEpoch + `","rev":2,"force":true,"kind":"rollback","tenants":[{"id":"acme"}],"globals":{"after":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseChange(b)
		if err != nil {
			if !isRefusal(err) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		root := s.Root()
		for range c.Motions(s) {
		}
		next, err := s.Apply(c)
		if err == nil && (next.Rev() <= s.Rev() || next.Chain() != c.Chain) {
			t.Fatalf("applied %s to %+v", b, next.Head())
		}
		c.Epoch = s.Epoch()
		if sealed, next, err := s.Next(c, testTime); err == nil {
			again, err := s.Apply(sealed)
			if err != nil || again.Root() != next.Root() {
				t.Fatalf("a store commits what an edge refuses: %v\n%s", err, b)
			}
		}
		if s.Root() != root || s.rootHash() != s.root {
			t.Fatal("the snapshot changed")
		}
	})
}

func FuzzDecode(f *testing.F) {
	s := commit(f, Empty(testEpoch), add(tenant("acme"), tenant("beta", func(t *Tenant) { t.Numbers = []string{"+1303"} })))
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := s.Encode(&out); err != nil {
			t.Fatal(err)
		}
		again, err := Decode(&out)
		if err != nil || again.Head() != s.Head() {
			t.Fatalf("what was read can not be written and read: %v", err)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"+13035550100", "9011442079460958", "5550100;phone-context=+1303", "%2B1", "*97", "bob", "0049891234"} {
		f.Add(s, "1", "303", "9", "e164")
		f.Add(s, "44", "20", "", "national:44")
		f.Add(s, "", "", "0", "strip:3")
	}
	f.Fuzz(func(t *testing.T, user, country, area, outside, format string) {
		check := func(got string) {
			if got == "" {
				return
			}
			if _, _, err := parseE164(got); err != nil {
				t.Fatalf("%q is normalised to %q: %v", user, got, err)
			}
			if again := string((&dialPlan{country: country}).append(nil, got)); again != got {
				t.Fatalf("%q is no fixed point: %q", got, again)
			}
		}
		if CheckNumberFormat(format) == nil {
			check(string(AppendNormalised(make([]byte, 0, 16), format, user)))
		}
		one := tenant("acme", func(t *Tenant) { t.Country, t.Area, t.Outside = country, area, outside })
		if r, bad := compile(one, nil); bad == nil {
			check(string(r.Normalise(make([]byte, 0, 16), user)))
			r.IsEmergency(user)
			var buf [maxUnit]byte
			if u := r.unitOf(user, "", &buf); len(u) > maxUnit {
				t.Fatalf("unit of %d bytes", len(u))
			}
		}
	})
}

func FuzzParseShare(f *testing.F) {
	for _, s := range []string{"0", "12.34%", "100", "100.01", "1.", ".1", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		bp, err := ParseShare(s)
		if err != nil {
			return
		}
		if bp < 0 || bp > FullShare {
			t.Fatalf("%q is %d", s, bp)
		}
		if back, err := ParseShare(FormatShare(bp)); err != nil || back != bp {
			t.Fatalf("%d is written %q", bp, FormatShare(bp))
		}
	})
}

func FuzzParseParty(f *testing.F) {
	for _, s := range []string{"sip:bob@acme.example", `"B" <sips:b@[::1]:5>`, "tel:+1;x=y", "urn:service:sos", "a@b@c", "sip:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		user, host, _ := ParseParty(s)
		if len(user)+len(host) > len(s) || strings.ContainsAny(host, ";?@") && !strings.HasPrefix(host, "[") {
			t.Fatalf("%q: user %q, host %q", s, user, host)
		}
	})
}

// The enumerations: every value has one word, every word one value, and nothing else is read.
func TestWords(t *testing.T) {
	type word interface {
		String() string
		MarshalText() ([]byte, error)
	}
	check := func(v word, into interface{ UnmarshalText([]byte) error }, known bool) {
		t.Helper()
		b, err := v.MarshalText()
		if (err == nil) != known {
			t.Errorf("%T %s: %v", v, v, err)
			return
		}
		if known && (string(b) != v.String() || into.UnmarshalText(b) != nil || reflect.ValueOf(into).Elem().Interface() != v) {
			t.Errorf("%T %s does not come back", v, v)
		}
		if err := into.UnmarshalText([]byte("nonsense")); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
			t.Errorf("%T takes nonsense: %v", v, err)
		}
	}
	for i := range uint8(20) {
		check(Platform(i), new(Platform), i <= uint8(Core))
		check(Stage(i), new(Stage), i <= uint8(StageDone))
		check(Direction(i), new(Direction), i <= uint8(Internal))
		check(Reason(i), new(Reason), i <= uint8(ReasonChallenge))
		check(Motion(i), new(Motion), i <= uint8(Both))
	}
	if ReasonNodeOverride.String() != "node_override" || ReasonTargetUnhealthy.String() != "target_unhealthy" || Legacy.Other() != Core || NoPlatform.Other() != NoPlatform {
		t.Error("a word is not the spec's")
	}
}

package proxy

import (
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// strictly sends a request of this leg as a strict router does: the first Route in the Request-URI, the target last.
func (l *leg) strictly(method string) {
	x := *l
	x.remote = strings.Trim(l.routes[0], "<>")
	x.routes = append(append([]string(nil), l.routes[1:]...), "<"+l.remote+">")
	x.send(method, "")
	l.cseq = x.cseq
}

// RFC 3261 section 16.4: our Record-Route value in the Request-URI, the real target in the last Route; from both sides, with one
// Record-Route of ours or two.
func TestStrictRouterBeforeUs(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy), tenant("birch", policy.StageCore)).start()
	carrier := sc.actor("198.51.100.7:5060")
	topo := sc.edge().topo.Load()
	topo.carriers = append(topo.carriers, carrierAt("carrier-a", carrier, -1))
	for _, tc := range []struct {
		name   string
		by, at *actor
		uri    string
		routes int
	}{
		{"phone to platform", sc.phone, sc.legacy[0], "sip:bob@acme.example", 2},
		{"platform to platform", sc.legacy[0], sc.core[0], "sip:eve@birch.example", 1},
		{"platform to carrier", sc.legacy[0], carrier, "sip:+13035550100@198.51.100.7", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := tc.by.invite(strings.ReplaceAll(tc.name, " ", ""), "sip:anna@acme.example", tc.uri, "")
			inv := tc.at.want("INVITE ")
			tc.at.reply(inv, "200 OK", "")
			ok := tc.by.want("SIP/2.0 200")
			a.answered(ok)
			if len(a.routes) != tc.routes {
				t.Fatalf("routes %q", a.routes)
			}
			a.strictly("ACK")
			b := tc.at.calleeOf(inv, ok)
			check := func(m message, target string) {
				t.Helper()
				if line, _, _ := strings.Cut(m.text, " SIP/2.0"); !strings.HasSuffix(line, target) {
					t.Errorf("%q, want the target %q", line, target)
				}
				if r := m.headers("Route"); len(r) != 0 {
					t.Errorf("Routes left: %q", r)
				}
			}
			check(tc.at.want("ACK "), a.remote)
			b.strictly("INFO")
			info := tc.by.want("INFO ")
			check(info, b.remote)
			tc.by.reply(info, "200 OK", "")
			tc.at.want("SIP/2.0 200")
			a.strictly("BYE")
			bye := tc.at.want("BYE ")
			check(bye, a.remote)
			tc.at.reply(bye, "200 OK", "")
			tc.by.want("SIP/2.0 200")
		})
	}
}

// A token that is not of this dialog makes nobody's Request-URI ours.
func TestStrictWithForeignToken(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	a := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	a.talk(sc.legacy[0])
	b := sc.phone.invite("two", "sip:anna@acme.example", "sip:bob@acme.example", "")
	b.talk(sc.legacy[0])
	b.routes[0] = a.routes[0]
	b.strictly("INFO")                                      // the second of the two Routes still has the token of this one
	m := sc.legacy[0].want("INFO " + b.remote + " SIP/2.0") // and so the target is a Route without lr
	if r := m.headers("Route"); len(r) != 1 || r[0] != a.routes[0] {
		t.Errorf("Routes %q", r)
	}
}

// Outside dialogs only a Route that is followed is the next hop.
func TestStrictRouteOfANewCall(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageCore)).start()
	carrier := sc.actor("198.51.100.7:5060")
	topo := sc.edge().topo.Load()
	topo.carriers = append(topo.carriers, carrierAt("carrier-a", carrier, -1))
	sc.legacy[0].invite("named", "sip:anna@acme.example", "sip:+13035550100@elsewhere.example", "Route: <sip:198.51.100.7>\n")
	if r := carrier.want("INVITE sip:198.51.100.7 SIP/2.0").headers("Route"); len(r) != 1 || r[0] != "<sip:+13035550100@elsewhere.example>" {
		t.Errorf("Routes %q", r)
	}
	sc.legacy[0].invite("ignored", "sip:carol@acme.example", "sip:bob@acme.example", "Route: <sip:192.0.2.50>\n")
	sc.core[0].want("INVITE sip:bob@acme.example")
}

// RFC 3261 section 16.6 item 6: the next hop is a strict router.
func TestStrictRouterBehindUs(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	rr := inv.headers("Record-Route")
	strict := inv
	strict.text = strings.Replace(inv.text, "Record-Route: ", "Record-Route: <sip:10.1.0.3:5060;lr>\r\nRecord-Route: <sip:10.1.0.1:5060;x=y>\r\nRecord-Route: ", 1)
	sc.legacy[0].reply(strict, "200 OK", "")
	l.answered(sc.phone.want("SIP/2.0 200"))
	if len(l.routes) != len(rr)+2 {
		t.Fatalf("routes %q", l.routes)
	}
	for _, method := range []string{"ACK", "BYE"} {
		l.send(method, "")
		m := sc.legacy[0].want(method + " sip:10.1.0.1:5060;x=y SIP/2.0")
		if r := m.headers("Route"); len(r) != 2 || r[0] != "<sip:10.1.0.3:5060;lr>" || r[1] != "<"+l.remote+">" {
			t.Errorf("%s: Routes %q", method, r)
		}
	}
}

package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// Every method passes in a dialog, both ways, by the pin alone: the policy has changed its mind in between.
func TestMethodsInDialog(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	a := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	sc.legacy[0].reply(inv, "183 Session Progress", "Require: 100rel\nRSeq: 1\n")
	early := sc.phone.want("SIP/2.0 183")
	sc.flip(policy.StageCore, "acme")
	a.answered(early)
	between := func(x *leg, at *actor, method, extra string, code string) {
		t.Helper()
		x.send(method, extra)
		m := at.want(method + " " + x.remote + " SIP/2.0")
		if r, mf := m.headers("Route"), m.headers("Max-Forwards"); len(r) != 0 || mf[0] != "69" || len(m.headers("Via")) != 2 {
			t.Errorf("%s: Routes %q, Max-Forwards %q in\n%s", method, r, mf, m.text)
		}
		for _, line := range strings.Split(strings.TrimSpace(extra), "\n") {
			if !strings.Contains(m.text, line+"\r\n") {
				t.Errorf("%s: %q is missing", method, line)
			}
		}
		at.reply(m, code, "")
		up := x.a.want("SIP/2.0 " + code)
		if len(up.headers("Via")) != 1 {
			t.Errorf("%s: Vias %q go up", method, up.headers("Via"))
		}
	}
	b := sc.legacy[0].calleeOf(inv, early)
	// Before the answer.
	between(a, sc.legacy[0], "PRACK", "RAck: 1 1 INVITE\n", "200 OK")
	between(a, sc.legacy[0], "UPDATE", "X-Way: forth\n", "200 OK")
	between(b, sc.phone, "UPDATE", "X-Way: back\n", "491 Request Pending")
	sc.legacy[0].reply(inv, "200 OK", "")
	ok := sc.phone.want("SIP/2.0 200")
	a.answered(ok)
	seq := a.cseq
	a.cseq = 1
	a.send("ACK", "")
	a.cseq = seq
	sc.legacy[0].want("ACK ")
	for _, x := range []struct{ method, extra string }{
		{"UPDATE", "X-Way: any\n"},
		{"INFO", "Info-Package: dtmf\n"},
		{"REFER", "Refer-To: <sip:carol@acme.example>\n"},
		{"NOTIFY", "Event: refer\nSubscription-State: active;expires=60\n"},
		{"SUBSCRIBE", "Event: kpml\nExpires: 3600\n"},
		{"MESSAGE", "X-Way: any\n"},
		{"PUBLISH", "Event: presence\n"},
		{"OPTIONS", "Accept: application/sdp\n"},
		{"UNHEARD", "X-Way: any\n"},
	} {
		between(a, sc.legacy[0], x.method, x.extra, "202 Accepted")
		between(b, sc.phone, x.method, x.extra, "202 Accepted")
	}
	b.hangUp(sc.phone)
	sc.core[0].silent()
}

// Outside dialogs: from a phone by the policy, from the serving platform to the phone by its Path. Those that make dialogs are
// record-routed, the others are not.
func TestMethodsOutsideDialogs(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("anna", sc.legacy[0])
	for i, x := range []struct {
		method, extra string
		routed        bool
	}{
		{"SUBSCRIBE", "Event: dialog\nExpires: 600\n", true},
		{"REFER", "Refer-To: <sip:carol@acme.example>\n", true},
		{"NOTIFY", "Event: message-summary\nSubscription-State: active\n", true},
		{"MESSAGE", "X-Way: any\n", false},
		{"PUBLISH", "Event: presence\n", false},
		{"INFO", "X-Way: any\n", false},
		{"UNHEARD", "X-Way: any\n", false},
	} {
		up := &leg{a: sc.phone, edge: sc.x.out, id: fmt.Sprintf("up%d", i), from: "<sip:anna@acme.example>;tag=a", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
		down := &leg{a: sc.legacy[0], edge: sc.x.in, id: fmt.Sprintf("down%d", i), from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:me@192.0.2.99:5060", routes: []string{path}}
		for _, way := range []struct {
			l  *leg
			at *actor
		}{{up, sc.legacy[0]}, {down, sc.phone}} {
			way.l.send(x.method, x.extra)
			m := way.at.want(x.method + " " + way.l.remote + " SIP/2.0")
			if n := len(m.headers("Record-Route")); x.routed && n != 2 || !x.routed && n != 0 {
				t.Errorf("%s to %s: %d Record-Routes", x.method, way.at.addr, n)
			}
			if len(m.headers("Route")) != 0 {
				t.Errorf("%s: Routes %q", x.method, m.headers("Route"))
			}
			way.at.reply(m, "200 OK", "")
			way.l.a.want("SIP/2.0 200")
		}
	}
	// What lives in dialogs only is nobody's outside.
	for i, method := range []string{"BYE", "PRACK", "UPDATE"} {
		x := &leg{a: sc.phone, edge: sc.x.out, id: fmt.Sprintf("no%d", i), from: "<sip:anna@acme.example>;tag=a", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example"}
		x.send(method, "")
		sc.phone.want("SIP/2.0 481")
	}
	sc.core[0].silent()
}

// A phone over IPv6, a platform over IPv4: each side sees the address of its own family, and both reach each other by them.
func TestRecordRouteBetweenFamilies(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy))
	sc.x.out = netip.MustParseAddrPort("[2001:db8::1]:5060")
	phone := sc.actor("[2001:db8::99]:5060")
	sc.start()
	a := phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	rr, via := inv.headers("Record-Route"), inv.headers("Via")
	if len(rr) != 2 || !strings.HasSuffix(rr[0], "@10.9.0.1:5070;lr>") || !strings.HasSuffix(rr[1], "@[2001:db8::1]:5060;lr>") {
		t.Errorf("Record-Route %q", rr)
	}
	if len(via) != 2 || !strings.HasPrefix(via[0], "SIP/2.0/UDP 10.9.0.1:5070;") || !strings.Contains(via[1], "received=2001:db8::99") {
		t.Errorf("Via %q", via)
	}
	sc.legacy[0].reply(inv, "200 OK", "")
	ok := phone.want("SIP/2.0 200")
	a.answered(ok)
	a.send("ACK", "")
	sc.legacy[0].want("ACK ")
	b := sc.legacy[0].calleeOf(inv, ok)
	b.send("INFO", "")
	phone.reply(phone.want("INFO "), "200 OK", "")
	sc.legacy[0].want("SIP/2.0 200")
	a.hangUp(sc.legacy[0])
}

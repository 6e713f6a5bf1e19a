package proxy

import (
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// The first promise: the next call follows the policy, the living one stays to its BYE.
func TestFlipLeavesTheLivingCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy), tenant("birch", policy.StageCore)).start()
	one := w.establish("one", "acme.example", w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	two := w.establish("two", "acme.example", w.core)
	w.hangUp(one, w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.RolledBack = true })
	three := w.establish("three", "acme.example", w.legacy)
	w.hangUp(two, w.core)
	w.hangUp(three, w.legacy)
	w.hangUp(w.establish("four", "birch.example", w.core), w.core)
	w.hangUp(w.establish("five", "nobody.example", w.legacy), w.legacy)
	if n, _ := w.edge.sizes(); n != 0 {
		t.Errorf("%d dialogs left in the index", n)
	}
	recs := w.edge.records.Find("two@phone")
	if len(recs) == 0 || recs[len(recs)-1].Platform != "core" || recs[len(recs)-1].HungUp != "caller" || recs[len(recs)-1].Tenant != "acme" {
		t.Errorf("record of call two: %+v", recs)
	}
}

// A restart in mid-call: the token is all that BYE needs.
func TestRestartInMidCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.establish("one", "acme.example", w.legacy)
	w.stop()
	w.start()
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	if calls := w.edge.liveCalls("acme", 0); len(calls) != 1 || calls[0].Platform != "legacy" || calls[0].Target != "l1" {
		t.Errorf("living calls after the restart: %+v", calls)
	}
	if d := w.edge.drainingCalls(""); len(d) != 1 || d[0].Count != 1 || d[0].Platform != "legacy" {
		t.Errorf("draining after the flip: %+v", d)
	}
	w.hangUp(c, w.legacy)
	if calls := w.edge.liveCalls("", 0); len(calls) != 0 {
		t.Errorf("living calls after BYE: %+v", calls)
	}
}

// A retransmission after a restart goes where the first went, with the same branch, whatever the policy says now.
func TestRetransmissionAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.invite("one", "acme.example", "")
	first := w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	w.stop()
	w.move2("acme", policy.StageCore)
	w.start()
	w.phone.send(w.out, c.request("INVITE", 1, "sip:bob@acme.example", ""))
	second := w.legacy.next("INVITE ")
	if first.text != second.text {
		t.Errorf("the retransmission differs:\n%s\n%s", first.text, second.text)
	}
	w.phone.next("SIP/2.0 100")
	w.legacy.reply(second, "200 OK", "")
	w.phone.want("SIP/2.0 200")
}

// An answer whose transaction died with the edge still finds the caller.
func TestAnswerAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	w.stop()
	w.start()
	w.legacy.reply(inv, "200 OK", "")
	c.answered(w.phone.want("SIP/2.0 200"))
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	w.legacy.want("ACK ")
	w.hangUp(c, w.legacy)
	forged := inv
	forged.text = strings.Replace(inv.text, "branch=z9hG4bKh0", "branch=z9hG4bKh0f", 1)
	w.legacy.reply(forged, "200 OK", "")
	w.hangUp(w.establish("two", "acme.example", w.legacy), w.legacy)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", "Reason: SIP;cause=200\n"))
	w.phone.want("SIP/2.0 200") // at once, though nothing may be forwarded before a 1xx
	w.legacy.reply(inv, "180 Ringing", "")
	w.phone.want("SIP/2.0 180")
	cancel := w.legacy.want("CANCEL ")
	if v, x := inv.headers("Via")[0], cancel.headers("Via"); len(x) != 1 || x[0] != v {
		t.Errorf("Via of CANCEL %q, of INVITE %q", x, v)
	}
	if r := cancel.headers("Reason"); len(r) != 1 {
		t.Errorf("Reason of CANCEL: %q", r)
	}
	w.legacy.reply(cancel, "200 OK", "")
	w.legacy.reply(inv, "487 Request Terminated", "")
	w.legacy.want("ACK ")
	final := w.phone.want("SIP/2.0 487")
	c.to = final.headers("To")[0]
	w.phone.send(w.out, strings.Replace(c.request("ACK", 1, "sip:bob@acme.example", ""), "-1a", "-1", 1))
	w.hangUp(w.establish("two", "acme.example", w.legacy), w.legacy)
	w.legacy.silent()
}

// Nothing that a phone says of itself reaches a platform; what it may say passes byte for byte.
func TestStrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	w.invite("one", "acme.example", "P-Asserted-Identity: <sip:boss@acme.example>\np-asserted-identity : <tel:+1>\nRemote-Party-ID: <sip:x@y>\n"+
		"P-Charge-Info: <sip:z@y>\nX-Hotcut-Pin: 1\nP-Preferred-Identity: <sip:a@b>\nX-Other:  kept   as it is \nIdentity: abc;info=<https://x.example/c>\n")
	inv := w.legacy.want("INVITE ")
	for _, n := range []string{"P-Asserted-Identity", "Remote-Party-ID", "P-Charge-Info", "X-Hotcut-Pin"} {
		if v := inv.headers(n); len(v) != 0 {
			t.Errorf("%s passed: %q", n, v)
		}
	}
	for _, l := range []string{"\r\nP-Preferred-Identity: <sip:a@b>\r\n", "\r\nX-Other:  kept   as it is \r\n", "\r\nIdentity: abc;info=<https://x.example/c>\r\n", "\r\nMax-Forwards: 69\r\n"} {
		if !strings.Contains(inv.text, l) {
			t.Errorf("%q is not in\n%s", l, inv.text)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := &call{w: w, by: w.phone, id: "r", domain: "acme.example", to: "<sip:bob@acme.example>"}
	uri := "sip:bob@acme.example"
	for _, tc := range []struct{ name, text, want string }{
		{"no hops left", strings.Replace(c.request("INVITE", 1, uri, ""), "Max-Forwards: 70", "Max-Forwards: 0", 1), "SIP/2.0 483"},
		{"extension", c.request("INVITE", 2, uri, "Proxy-Require: sec-agree\n"), "SIP/2.0 420"},
		{"foreign route", c.request("INVITE", 3, uri, "Route: <sip:192.0.2.1;lr>\n"), "SIP/2.0 403"},
		{"bad token", c.request("INVITE", 4, uri, "Route: <sip:AUQBAAAA@"+w.out+";lr>\n"), "SIP/2.0 403"},
		{"no dialog", strings.Replace(c.request("BYE", 5, uri, ""), "To: <sip:bob@acme.example>", "To: <sip:bob@acme.example>;tag=x", 1), "SIP/2.0 481"},
		{"options", c.request("OPTIONS", 6, "sip:"+w.out, ""), "SIP/2.0 200"},
	} {
		w.phone.send(w.out, tc.text)
		t.Run(tc.name, func(t *testing.T) { w.phone.want(tc.want) })
	}
	w.legacy.silent()
	w.core.silent()
}

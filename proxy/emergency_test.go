package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/transport"
)

// An emergency call goes from target to target and then to the other platform, also by silence.
func TestEmergencyGoesOn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, first, second string }{
		{"refused", "404 Not Found", "503 Service Unavailable"},
		{"redirected", "302 Moved Temporarily", "488 Not Acceptable Here"},
		{"silent", "", ""},
		{"after ringing", "180 Ringing then 500 Server Internal Error", ""},
		{"declined by nobody in particular", "606 Not Acceptable", "604 Does Not Exist Anywhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := newScene(t, tenant("acme", policy.StageLegacy))
			sc.legacy = append(sc.legacy, sc.actor("10.1.0.2:5060"))
			sc.start()
			to := sc.order("sos")
			began := sc.n.now
			l := sc.phone.invite("sos", "sip:anna@acme.example", "sip:112@acme.example", "")
			answers := func(a *actor, say string) {
				inv := a.want("INVITE ")
				one, rest, ring := strings.Cut(say, " then ")
				if ring {
					a.reply(inv, one, "")
					sc.phone.want("SIP/2.0 180")
					one = rest
				}
				if one != "" {
					a.reply(inv, one, "")
					a.want("ACK ")
				}
			}
			answers(to[0], tc.first)
			answers(to[1], tc.second)
			l.talk(sc.core[0])
			if d := time.Duration(sc.n.now - began); d > 7*time.Second {
				t.Errorf("it took %s", d)
			}
			l.hangUp(sc.core[0])
		})
	}
}

// 401 and 407 are for the phone; busy, cancelled and declined are words of the emergency services.
func TestEmergencyEnds(t *testing.T) {
	for _, status := range []string{"401 Unauthorized", "407 Proxy Authentication Required", "486 Busy Here", "487 Request Terminated", "600 Busy Everywhere", "603 Decline"} {
		sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
		sc.phone.invite("sos", "sip:anna@acme.example", "urn:service:sos", "")
		sc.legacy[0].reply(sc.legacy[0].want("INVITE urn:service:sos SIP/2.0"), status, "")
		sc.phone.want("SIP/2.0 " + status[:3])
		sc.core[0].silent()
	}
}

// A target that has said 100 is not silent; no other call crosses by silence.
func TestSilenceCrossesForEmergenciesOnly(t *testing.T) {
	x := tenant("acme", policy.StageCore)
	x.CrossFailover = true
	sc := newScene(t, x).start()
	sc.phone.invite("plain", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.core[0].want("INVITE ")
	sc.phone.want("SIP/2.0 408")
	sc.phone.invite("sos", "sip:anna@acme.example", "sip:911@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE sip:911"), "100 Trying", "")
	sc.pass(20 * time.Second)
	sc.core[0].got = nil
	sc.core[0].silent()
}

// A refusal before ringing crosses where the tenant opted in, and only to the platform that is kept ready for it.
func TestCrossFailover(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		edit   func(*policy.Tenant)
		say    string // by the platform that serves
		crosse bool
	}{
		{"opted in", func(x *policy.Tenant) { x.Stage = policy.StageCore }, "503 Service Unavailable", true},
		{"in canary, from legacy", func(x *policy.Tenant) { x.Stage = policy.StageCanary }, "500 Server Internal Error", true},
		{"a word of the callee's", func(x *policy.Tenant) { x.Stage = policy.StageCore }, "486 Busy Here", false},
		{"after ringing", func(x *policy.Tenant) { x.Stage = policy.StageCore }, "180 Ringing then 503 Service Unavailable", false},
		{"not opted in", func(x *policy.Tenant) { x.Stage, x.CrossFailover = policy.StageCore, false }, "503 Service Unavailable", false},
		{"before its time", func(x *policy.Tenant) { x.Stage = policy.StageShadow }, "503 Service Unavailable", false},
		{"rolled back", func(x *policy.Tenant) { x.Stage, x.RolledBack = policy.StageCore, true }, "503 Service Unavailable", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := tenant("acme", policy.StageLegacy)
			x.CrossFailover = true
			tc.edit(x)
			sc := newScene(t, x).start()
			serves, other := sc.legacy[0], sc.core[0]
			if x.Stage == policy.StageCore && !x.RolledBack {
				serves, other = other, serves
			}
			l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
			inv := serves.want("INVITE ")
			ring, final, rang := strings.Cut(tc.say, " then ")
			if !rang {
				final = ring
			} else {
				serves.reply(inv, ring, "")
				sc.phone.want("SIP/2.0 180")
			}
			serves.reply(inv, final, "")
			serves.want("ACK ")
			if !tc.crosse {
				sc.phone.want("SIP/2.0 ")
				other.silent()
				return
			}
			l.talk(other)
			var d *dialog
			for i := range sc.edge().shards {
				for _, x := range sc.edge().shards[i].dialogs {
					d = x
				}
			}
			if want := map[*actor]policy.Platform{sc.legacy[0]: policy.Legacy, sc.core[0]: policy.Core}[other]; d == nil || d.platform != want {
				t.Errorf("the index has %+v, want platform %s", d, want)
			}
			l.hangUp(other)
			serves.silent()
		})
	}
}

// Both platforms refuse: it crosses once, and the caller hears of it once.
func TestCrossesOnce(t *testing.T) {
	x := tenant("acme", policy.StageCore)
	x.CrossFailover = true
	sc := newScene(t, x).start()
	sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.core[0].reply(sc.core[0].want("INVITE "), "503 Service Unavailable", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "503 Service Unavailable", "")
	sc.phone.want("SIP/2.0 500")
	sc.core[0].want("ACK ")
	sc.core[0].silent()
}

// What a crossed call carries is the other platform's: credentials of the first stay behind.
func TestCrossedCallLeavesCredentialsBehind(t *testing.T) {
	x := tenant("acme", policy.StageCore)
	sc := newScene(t, x).start()
	l := sc.phone.invite("sos", "sip:anna@acme.example", "sip:112@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "407 Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n1\"\n")
	challenge := sc.phone.want("SIP/2.0 407")
	l.to = challenge.headers("To")[0]
	sc.phone.send(sc.x.out, hopAckOf(l.text("ACK", "")))
	sc.legacy[0].want("ACK ")
	opaque := challenge.headers("Proxy-Authenticate")[0]
	opaque = opaque[strings.Index(opaque, "opaque="):]
	l.to = "<sip:112@acme.example>"
	l.send("INVITE", "Proxy-Authorization: Digest username=\"anna\", realm=\"a\", nonce=\"n1\", uri=\"sip:112@acme.example\", response=\"0\", "+opaque+"\n")
	inv := sc.legacy[0].want("INVITE ")
	if len(inv.headers("Proxy-Authorization")) != 1 {
		t.Errorf("credentials are missing in\n%s", inv.text)
	}
	sc.legacy[0].reply(inv, "500 Server Internal Error", "")
	if inv = sc.core[0].want("INVITE "); len(inv.headers("Proxy-Authorization")) != 0 {
		t.Errorf("core got legacy's credentials:\n%s", inv.text)
	}
}

// Neither an exhausted budget nor a drain nor the tenant's limits stop an emergency call.
func TestEmergencyIsExempt(t *testing.T) {
	t.Parallel()
	x := tenant("acme", policy.StageLegacy)
	x.Limits = policy.Limits{Calls: 1, CallsPerSecond: 1}
	w := newWorld(t, x)
	w.cfg.Limits.SourceRate, w.cfg.Limits.SourceBurst = 1, 3
	w.start()
	for i := 0; ; i++ {
		w.invite(fmt.Sprintf("plain%d", i), "acme.example", "")
		if m := w.phone.until(func(m message) bool { return m.cseq("INVITE") }); strings.HasPrefix(m.text, "SIP/2.0 503") {
			break
		}
	}
	w.edge.Drain(true)
	w.phone.send(w.out, strings.ReplaceAll(w.call("sos").request("INVITE", 1, "sip:112@acme.example", ""), "bob@", "112@"))
	w.legacy.until(func(m message) bool { return strings.HasPrefix(m.text, "INVITE sip:112@") })
}

func (w *world) call(id string) *call {
	return &call{w: w, by: w.phone, id: id, domain: "acme.example", to: "<sip:bob@acme.example>"}
}

// A platform's own emergency leg goes to its trunk: the one that it names, or whose listener it came to; never to the
// platform that serves the tenant.
func TestPlatformsEmergencyLeg(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageCore)).start()
	topo := sc.edge().topo.Load()
	carrier := sc.actor("198.51.100.7:5060")
	topo.carriers = append(topo.carriers, carrierAt("carrier-a", carrier, -1))
	sc.legacy[0].invite("named", "sip:anna@acme.example", "sip:112@198.51.100.7", "")
	carrier.want("INVITE sip:112@198.51.100.7")
	sc.legacy[0].invite("routed", "sip:anna@acme.example", "urn:service:sos", "Route: <sip:198.51.100.7;lr>\n")
	carrier.want("INVITE urn:service:sos")
	sc.legacy[0].invite("lost", "sip:anna@acme.example", "sip:112@acme.example", "")
	sc.legacy[0].want("SIP/2.0 404")
	topo.carriers[0].egress = 1
	sc.legacy[0].invite("told", "sip:anna@acme.example", "sip:112@acme.example", "")
	carrier.want("INVITE sip:112@acme.example")
	sc.core[0].silent()
}

func carrierAt(name string, a *actor, egress int) carrier {
	return carrier{name: name, hash: hash32(name), addr: a.addr, proto: transport.UDP, egress: egress, nets: []sourceNet{{prefix: netip.PrefixFrom(a.addr.Addr(), a.addr.Addr().BitLen())}}}
}

// The record names the targets that were given up, in order, and what they said.
func TestRecordSaysWhoWasTried(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	w := newWorld(t, acme)
	first, second := w.pool("sos")
	w.phone.send(w.out, strings.ReplaceAll(w.call("sos").request("INVITE", 1, "sip:112@acme.example", ""), "bob@", "112@"))
	asked := first.want("INVITE ")
	second.conn.Close()
	first.reply(asked, "404 Not Found", "")
	inv := w.core.want("INVITE ")
	w.core.reply(inv, "486 Busy Here", "")
	w.phone.wantFinal("SIP/2.0 486")
	w.await(func() bool { return len(w.edge.records.Find("sos@phone")) == 1 }, "the record")
	r := w.edge.records.Find("sos@phone")[0]
	if r.Platform != "core" || r.Target != "c1" || r.Reason != "emergency" || r.Code != 486 || !r.Query.Emergency || len(r.Tried) != 2 ||
		r.Tried[0].Code != 404 || r.Tried[1].Cause != "transport" || r.Tried[1].Code != 0 || r.Tried[0].Target == r.Tried[1].Target {
		t.Errorf("record %+v", r)
	}
}

package proxy

import (
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// A call whose platform proxies comes by again: it is listed once, with how often it passes, and an attempt that failed, or a 2xx that is
// repeated, is no pass.
func TestPassesOfACall(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	path := sc.register("bob", sc.legacy[0])
	caller := sc.actor("192.0.2.50:5060")
	l := caller.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	pass := func(cseq int, status string) (fork *leg) {
		fork = &leg{a: sc.legacy[0], edge: sc.x.in, id: "one", from: l.from, to: l.to, remote: "sip:me@192.0.2.99:5060", routes: []string{path}, cseq: cseq}
		fork.send("INVITE", "")
		at := sc.phone.want("INVITE ")
		sc.phone.reply(at, status, "")
		sc.legacy[0].want("SIP/2.0 " + status[:3])
		if status[:3] == "200" {
			sc.phone.reply(at, status, "Subject: again\n")
		}
		return fork
	}
	list := func() []admin.Call { return sc.edge().liveCalls("acme", 10) }
	pass(0, "486 Busy Here")
	if calls := list(); len(calls) != 1 || calls[0].Passes != 0 {
		t.Fatalf("%+v", calls)
	}
	sc.phone.want("ACK ")
	pass(1, "200 OK")
	sc.legacy[0].got = nil
	sc.legacy[0].reply(inv, "200 OK", "")
	caller.want("SIP/2.0 200")
	if calls := list(); len(calls) != 1 || calls[0].Passes != 2 || calls[0].State != admin.Talking || calls[0].From != "anna@acme.example" {
		t.Fatalf("%+v", calls)
	}
}

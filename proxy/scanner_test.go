package proxy

import (
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// A scanner hears nothing, whatever it asks; an emergency call, a call that lives and a phone are answered.
func TestScannersHearNothing(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	sc.edge().topo.Load().scanners = [][]byte{[]byte("friendly-scanner")}
	const agent = "User-Agent: Friendly-Scanner 1.0\n"
	stranger := sc.actor("192.0.2.200:5060")
	ask := func(method string) {
		x := &leg{a: stranger, edge: sc.x.out, id: "scan" + method, from: "<sip:100@acme.example>;tag=s", to: "<sip:100@acme.example>", remote: "sip:100@acme.example"}
		x.send(method, agent)
	}
	for _, method := range []string{"OPTIONS", "REGISTER", "INVITE", "MESSAGE"} {
		before := sc.edge().count.causes.Value(int(causeScanner))
		ask(method)
		stranger.silent()
		sc.legacy[0].silent()
		if n := sc.edge().count.causes.Value(int(causeScanner)); n == before {
			t.Errorf("%s: not counted", method)
		}
	}
	stranger.invite("sos", "sip:anna@acme.example", "urn:service:sos", agent).talk(sc.legacy[0])

	sc.register("anna", sc.legacy[0])
	sc.edge().countSources(sc.n.now / 1e9)
	l := sc.phone.invite("up", "sip:anna@acme.example", "sip:bob@acme.example", agent)
	l.talk(sc.legacy[0])
	l.hangUp(sc.legacy[0])
}

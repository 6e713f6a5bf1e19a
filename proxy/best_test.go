package proxy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

// RFC 3261 section 16.7 item 6.
func TestRank(t *testing.T) {
	order := []int{600, 302, 401, 404, 500, 503}
	if !slices.IsSortedFunc(order, func(a, b int) int { return rank(a) - rank(b) }) {
		t.Errorf("order of %v", order)
	}
	for _, pair := range [][2]int{{603, 699}, {401, 484}, {404, 486}, {500, 504}} {
		if rank(pair[0]) != rank(pair[1]) {
			t.Errorf("%v are not equals", pair)
		}
	}
}

// Each row: what the first target says after it was given up for its silence, what the second says, what goes up.
func TestBestResponse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ first, second, up string }{
		{"404 Not Found", "500 Server Internal Error", "SIP/2.0 404"},
		{"500 Server Internal Error", "404 Not Found", "SIP/2.0 404"},
		{"486 Busy Here", "603 Decline", "SIP/2.0 603"},
		{"603 Decline", "486 Busy Here", "SIP/2.0 603"},
		{"404 Not Found", "480 Temporarily Unavailable", "SIP/2.0 480"}, // of equals the newest
		{"484 Address Incomplete", "404 Not Found", "SIP/2.0 484"},
		{"503 Service Unavailable", "504 Server Time-out", "SIP/2.0 504"},
		{"503 Service Unavailable", "", "SIP/2.0 500"}, // a peer's answer before our own 408
		{"487 Request Terminated", "", "SIP/2.0 487"},
	} {
		t.Run(tc.first+" and "+tc.second, func(t *testing.T) {
			sc := newScene(t, tenant("acme", policy.StageLegacy))
			sc.legacy = append(sc.legacy, sc.actor("10.1.0.2:5060"))
			sc.start()
			to := sc.order("one")
			l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
			inv := to[0].want("INVITE ")
			other := to[1].want("INVITE ") // four seconds later
			to[0].reply(inv, tc.first, "")
			to[0].want("ACK ")
			if tc.second != "" {
				to[1].reply(other, tc.second, "")
				to[1].want("ACK ")
			}
			m := sc.phone.want(tc.up)
			l.to = m.headers("To")[0]
			sc.phone.send(sc.x.out, hopAckOf(l.text("ACK", "")))
			sc.pass(5 * time.Minute)
			if r, b, _, d := sc.x.left(); r+b+d != 0 {
				t.Errorf("left: %d requests, %d branches, %d dialogs", r, b, d)
			}
		})
	}
}

// A 401 or 407 carries the challenges of all targets.
func TestChallengesAreAggregated(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy))
	sc.legacy = append(sc.legacy, sc.actor("10.1.0.2:5060"))
	sc.start()
	to := sc.order("one")
	sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := to[0].want("INVITE ")
	other := to[1].want("INVITE ")
	to[0].reply(inv, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"a\", nonce=\"n1\"\n")
	to[0].want("ACK ")
	to[1].reply(other, "407 Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"b\", nonce=\"n2\"\nProxy-Authenticate: Digest realm=\"c\", nonce=\"n3\"\n")
	m := sc.phone.want("SIP/2.0 407")
	all := append(m.headers("WWW-Authenticate"), m.headers("Proxy-Authenticate")...)
	if len(all) != 3 || !strings.Contains(all[0], "n1") || !strings.Contains(all[1], "n2") || !strings.Contains(all[2], "n3") {
		t.Errorf("challenges %q", all)
	}
	for _, c := range all {
		if !strings.Contains(c, "opaque=") { // each says whose it is
			t.Errorf("challenge without its origin: %q", c)
		}
	}
	var again wire.Message
	if f := again.Scan([]byte(m.text), &sc.edge().limits); f != wire.FaultNone {
		t.Errorf("what went up is not well formed: %v\n%s", f, m.text)
	}
}

// A 503 is one target's own affair, unless every target of every platform is out: then the caller is to go elsewhere.
func Test503WhenTheWholeEdgeIsOut(t *testing.T) {
	for _, out := range []bool{false, true} {
		sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
		if out {
			sc.edge().topo.Load().health.Busy(1, sc.n.now, time.Minute) // core
		}
		sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
		sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "503 Service Unavailable", "Retry-After: 30\n")
		want := map[bool]string{false: "SIP/2.0 500 Server Internal Error\r\n", true: "SIP/2.0 503 Service Unavailable\r\n"}[out]
		if m := sc.phone.want(want); len(m.headers("Retry-After")) != 1 || m.headers("Call-ID")[0] != "one" {
			t.Errorf("out %t:\n%s", out, m.text)
		}
	}
}

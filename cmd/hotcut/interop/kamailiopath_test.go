//go:build interop

package interop

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// register binds the phone at Kamailio through the edge.
func (u *ua) register(edge, aor string) *message {
	u.t.Helper()
	l := &leg{u: u, callID: "reg-" + u.name, local: "<" + aor + ">;tag=r", remote: "<" + aor + ">", target: "sip:acme.example", peer: edge}
	u.send(edge, l.request("REGISTER", "z9hG4bKr"+u.name, 1, "Expires: 300\r\n"))
	return u.expectStatus(200, "REGISTER", l.callID)
}

// A phone registers through the edge; Kamailio keeps our Path and sends calls along it, one from a caller behind
// Kamailio and one from another phone, which passes the edge twice. After a restart of the edge too. Between the edge
// and Kamailio all goes by UDP, or by TCP.
func TestKamailioPath(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) { testPath(t, proto) })
	}
}

func testPath(t *testing.T, proto string) {
	k := startKamailio(t, "legacy", "registrar.cfg")
	r := newRigFor(t, site{legacy: []string{k.addr + ";transport=" + proto}, core: []string{freeAddr(t)}, edges: 1})
	e := r.edges[0]
	phone, other, pstn := newUA(t, "bob"), newUA(t, "alice"), newUA(t, "gateway")

	ok := phone.register(e.outside, bob)
	path := ok.list("Path")
	if len(path) != 1 || hostport(bare(path[0])) != e.inside {
		t.Fatalf("Kamailio answered with Path %q, want one of the edge's inside %s", path, e.inside)
	}
	if want := "<sip:bob@" + phone.addr + ">"; !strings.HasPrefix(ok.get("Contact"), want) {
		t.Errorf("Kamailio bound %q, want %s", ok.get("Contact"), want)
	}

	for _, again := range []string{"", " after a restart"} {
		if again != "" {
			e.kill()
			e.start()
		}
		for _, c := range []struct {
			from  *ua
			proxy string
		}{{pstn, k.addr}, {other, e.outside}} {
			l := c.from.call(c.proxy, alice, bob)
			in := phone.expectRequest("INVITE", l.callID)
			if want := "sip:bob@" + phone.addr; in.uri() != want {
				t.Errorf("%s%s: the phone got a call for %s, want %s", c.from.name, again, in.uri(), want)
			}
			if in.get("Route") != "" {
				t.Errorf("%s%s: the phone got a Route: %s", c.from.name, again, in.get("Route"))
			}
			theirs := phone.took(in, "p")
			phone.answer(in, 180, "Ringing", "p", "")
			c.from.expectStatus(180, "INVITE", l.callID)
			phone.answer(in, 200, "OK", "p", "")
			l.answered(c.from.expectStatus(200, "INVITE", l.callID))
			phone.expectRequest("ACK", l.callID)
			c.from.answerTo("BYE", l.callID)
			theirs.bye() // the phone hangs up
			if got := k.methods(l.callID); got != "INVITE ACK BYE" {
				t.Errorf("%s%s: Kamailio served %q, want INVITE ACK BYE", c.from.name, again, got)
			}
		}
	}
	await(t, 5*time.Second, "no call to be left", func() bool { return e.stateNow().Dialogs == 0 })

	// What Kamailio did not learn from us does not reach the phone: a caller that writes the Path itself is a stranger.
	forged := other.callAlong(e.outside, path[0], alice, "sip:bob@"+phone.addr)
	other.expectStatus(403, "INVITE", forged.callID)
	if n := phone.count(func(m *message) bool { return m.get("Call-ID") == forged.callID }); n != 0 {
		t.Errorf("a flow token from outside reached the phone")
	}
}

// callAlong is call with a preloaded Route.
func (u *ua) callAlong(proxy, route, from, to string) *leg {
	u.t.Helper()
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	l := &leg{u: u, callID: id + "@" + u.name, local: "<" + from + ">;tag=" + id, remote: "<" + to + ">", target: to, cseq: 1, peer: proxy, routes: []string{route}}
	l.branch = "z9hG4bKi" + id
	l.invite = l.request("INVITE", l.branch, l.cseq, "")
	u.send(proxy, l.invite)
	return l
}

// uri is a request's Request-URI.
func (m *message) uri() string { return strings.Fields(m.start + " x x")[1] }

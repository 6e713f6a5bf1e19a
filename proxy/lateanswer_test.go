package proxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// A target that was given up for its silence refuses the call long after it has ended: the caller has had an answer, and
// hears no second one.
func TestLateRefusalOfGivenUpTarget(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy))
	sc.legacy = append(sc.legacy, sc.actor("10.1.0.2:5060"))
	sc.start()
	to := sc.order("one")
	l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	silent := to[0].want("INVITE ")
	inv := to[1].want("INVITE ")
	to[1].reply(inv, "486 Busy Here", "")
	sc.phone.want("SIP/2.0 486")
	sc.phone.send(l.edge, hopAckOf(l.text("ACK", "")))
	to[1].want("ACK ")
	sc.pass(2 * time.Minute)
	sc.phone.got = nil
	to[0].reply(silent, "480 Temporarily Unavailable", "")
	sc.phone.silent()
}

// A call whose target has only said 100 for longer than a transaction lasts survives a restart: its refusal reaches the
// caller, whose ACK reaches the target, and so does a CANCEL.
func TestRestartInLongTrying(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	one := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := sc.legacy[0].want("INVITE ")
	sc.legacy[0].reply(inv, "100 Trying", "")
	two := sc.phone.invite("two", "sip:anna@acme.example", "sip:bob@acme.example", "")
	sc.legacy[0].reply(sc.legacy[0].want("INVITE "), "100 Trying", "")
	sc.pass(45 * time.Second)
	sc.x.kill()
	sc.x.start()
	sc.phone.send(two.edge, hopAckOf(two.text("CANCEL", "")))
	sc.legacy[0].want("CANCEL ")
	sc.phone.want("SIP/2.0 200")
	sc.legacy[0].reply(inv, "486 Busy Here", "")
	one.to = sc.phone.want("SIP/2.0 486").headers("To")[0]
	sc.phone.send(one.edge, hopAckOf(one.text("ACK", "")))
	sc.legacy[0].want("ACK ")
}

// A target that was silent for so long that we answered for it has the call after all: it is cancelled when it rings, and if it
// answers the caller hears of it, also over a connection, whose transaction ends with the ACK.
func TestSilentTargetAnswersAfterOurRefusal(t *testing.T) {
	for _, stream := range []bool{false, true} {
		sc := newScene(t, tenant("acme", policy.StageLegacy))
		sc.x.full = stream
		sc.start()
		if stream {
			l := &leg{a: sc.phone, id: "one", from: "<sip:anna@acme.example>;tag=f", to: "<sip:bob@acme.example>", remote: "sip:bob@acme.example", cseq: 1}
			c := sc.n.dial(sc.phone.addr, sc.x.out)
			c.ends[0].message = func(msg []byte) { sc.phone.got = append(sc.phone.got, message{text: string(msg)}) }
			text := func(method string) []byte {
				return crlf(strings.Replace(l.text(method, ""), "SIP/2.0/UDP", "SIP/2.0/TCP", 1))
			}
			c.write(0, text("INVITE"))
			inv := sc.legacy[0].want("INVITE ")
			l.to = sc.phone.want("SIP/2.0 408").headers("To")[0]
			c.write(0, []byte(hopAckOf(string(text("ACK")))))
			sc.pass(time.Second)
			sc.legacy[0].reply(inv, "200 OK", "")
			sc.phone.want("SIP/2.0 200")
			continue
		}
		sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
		inv := sc.legacy[0].want("INVITE ")
		sc.phone.want("SIP/2.0 408")
		sc.pass(time.Second)
		sc.legacy[0].reply(inv, "180 Ringing", "")
		sc.legacy[0].want("CANCEL ")
		sc.legacy[0].reply(inv, "200 OK", "")
		sc.phone.want("SIP/2.0 200")
	}
}

// The ACK of a refusal of ours goes nowhere, also when it has the Route that its INVITE had to a phone.
func TestAckOfOurRefusal(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	sc.phone.send(sc.x.out, "REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKr\nMax-Forwards: 70\nFrom: <sip:anna@acme.example>;tag=r\n"+
		"To: <sip:anna@acme.example>\nCall-ID: r\nCSeq: 1 REGISTER\nContact: <sip:anna@192.0.2.99:5060>\nExpires: 600\nContent-Length: 0\n\n")
	reg := sc.legacy[0].want("REGISTER ")
	sc.legacy[0].reply(reg, "200 OK", "Expires: 600\n")
	sc.phone.want("SIP/2.0 200")
	sc.edge().draining.Store(true)
	l := sc.legacy[0].invite("one", "sip:bob@acme.example", "sip:anna@192.0.2.99:5060", "Route: "+reg.headers("Path")[0]+"\n")
	l.to = sc.legacy[0].want("SIP/2.0 503").headers("To")[0]
	sc.legacy[0].send(l.edge, hopAckOf(l.text("ACK", "Route: "+reg.headers("Path")[0]+"\n")))
	sc.phone.silent()
}

// While a call waits for its phone's hand-over the caller hears nothing, not even 100: should we die now, it must ask again.
func TestNoTryingWhileParked(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageCore)).start()
	b := &location.Binding{ID: location.ID{1}, Tenant: "acme", AoR: "bob@acme.example", Unit: "bob", To: "sip:bob@acme.example", Contact: "<sip:bob@192.0.2.9:5060>",
		URI: "sip:bob@192.0.2.9:5060", CallID: "r", CSeq: 1, Asked: 600, Told: sc.n.now/1e9 + 600,
		Flow: location.Flow{Edge: "edge-1", Listener: "out", Proto: "udp", Addr: netip.MustParseAddrPort("192.0.2.9:5060")}, Stamp: sc.n.now / 1e3}
	*b.Of(location.Legacy) = location.Hold{Until: sc.n.now/1e9 + 600, Stamp: sc.n.now / 1e3}
	sc.edge().location.Put(b)
	sc.edge().revSince.Store(sc.n.now)
	for i := range sc.edge().topo.Load().targets {
		sc.edge().topo.Load().targets[i].keep = keepTrust
	}
	sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "User-Agent: "+strings.Repeat("x", 500)+"\n")
	sc.pass(2 * time.Second)
	if len(sc.phone.got) != 0 || len(sc.core[0].got) != 0 {
		t.Fatalf("the phone got %d messages, the platform %d", len(sc.phone.got), len(sc.core[0].got))
	}
	sc.core[0].want("INVITE ")
	sc.phone.want("SIP/2.0 100")
}

// The answer to a BYE that went out before a restart ends the call in the index, too.
func TestByeAnsweredAfterRestart(t *testing.T) {
	sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
	l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
	l.talk(sc.legacy[0])
	l.send("BYE", "")
	bye := sc.legacy[0].want("BYE ")
	sc.x.kill()
	sc.x.start()
	if _, _, _, dialogs := sc.x.left(); dialogs != 1 {
		t.Errorf("%d dialogs after the restart", dialogs)
	}
	sc.legacy[0].reply(bye, "200 OK", "")
	sc.phone.want("SIP/2.0 200")
	if _, _, _, dialogs := sc.x.left(); dialogs != 0 {
		t.Errorf("%d dialogs after the BYE's answer", dialogs)
	}
}

// A CANCEL meets the 2xx: the call is up, and stays up. The 487 by which the target ends what it believes cancelled, once or for as
// long as it goes unacknowledged, soon, or when nothing remembers the INVITE any more, is heard by nobody and ends nothing.
func TestRefusalAfterTheAnswer(t *testing.T) {
	for name, restart := range map[string]bool{"": false, "restart": true} {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, tenant("acme", policy.StageLegacy)).start()
			l := sc.phone.invite("one", "sip:anna@acme.example", "sip:bob@acme.example", "")
			inv := sc.legacy[0].want("INVITE ")
			sc.legacy[0].reply(inv, "180 Ringing", "")
			sc.phone.want("SIP/2.0 180")
			l.send("CANCEL", "")
			sc.phone.want("SIP/2.0 200") // of the CANCEL
			cancel := sc.legacy[0].want("CANCEL ")
			sc.legacy[0].reply(inv, "200 OK", "")
			ok := sc.phone.want("SIP/2.0 200")
			l.answered(ok)
			l.send("ACK", "")
			sc.legacy[0].want("ACK ")
			sc.legacy[0].reply(cancel, "200 OK", "")
			callee := sc.legacy[0].calleeOf(inv, ok)
			if restart {
				sc.x.kill()
				sc.x.start()
			}
			for _, after := range []time.Duration{0, 500 * time.Millisecond, time.Second, 30 * time.Second, 2 * time.Minute} {
				sc.pass(after)
				sc.legacy[0].reply(inv, "487 Request Terminated", "")
				sc.phone.silent()
			}
			if _, _, _, dialogs := sc.x.left(); dialogs != 1 {
				t.Fatalf("%d dialogs after the 487", dialogs)
			}
			callee.send("INFO", "")
			sc.phone.reply(sc.phone.want("INFO "), "200 OK", "")
			sc.legacy[0].want("SIP/2.0 200")
			l.hangUp(sc.legacy[0])
			if list := sc.edge().records.Find("one"); !restart && (len(list) == 0 || list[len(list)-1].Code != 200 || list[len(list)-1].HungUp != "caller") {
				t.Errorf("records %+v", list)
			}
		})
	}
}

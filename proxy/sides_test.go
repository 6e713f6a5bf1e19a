package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// beside starts a second edge of the same fleet and waits until each knows the other.
func (w *world) beside() *world {
	w.t.Helper()
	v := *w
	v.cfg.Node = "edge-2"
	v.cfg.State = w.dir + "/state2"
	v.cfg.Admin.Socket = w.dir + "/b.sock"
	v.cfg.Listen = []config.Listen{
		{Name: "out", Side: config.Outside, Transport: config.UDP, Address: home + ":" + freePort(w.t)},
		{Name: "in", Side: config.Inside, Transport: config.UDP, Address: home + ":" + freePort(w.t)},
	}
	v.out, v.in = v.cfg.Listen[0].Address, v.cfg.Listen[1].Address
	v.start()
	w.await(func() bool { _, ok := v.edge.fleet.find(hash32("edge-1")); return ok }, "edge-2 to know edge-1")
	w.await(func() bool { _, ok := w.edge.fleet.find(hash32("edge-2")); return ok }, "edge-1 to know edge-2")
	return &v
}

// A platform calls a phone by way of an edge that does not own its flow: the owner seals the pin, so that both ends find
// each other afterwards by the owner alone.
func TestNewCallToFlowOfAnotherEdge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	v := w.beside()
	c := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.phone.send(w.out, c.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"))
	reg := w.legacy.want("REGISTER ")
	w.legacy.reply(reg, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	path := strings.Replace(reg.headers("Path")[0], w.in, v.in, 1) // a VIP took it to the other edge

	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: []string{path}}
	w.legacy.send(v.in, in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), "P-Asserted-Identity: <tel:+13035550100>\n"))
	inv := w.phone.want("INVITE ")
	if rr := inv.headers("Record-Route"); len(rr) != 2 || !strings.Contains(rr[0], w.out) || !strings.Contains(rr[1], w.in) {
		t.Fatalf("Record-Route %q, want the owner's two sides", rr)
	}
	if len(inv.headers("Via")) != 3 || len(inv.headers("P-Asserted-Identity")) != 1 {
		t.Errorf("headers of\n%s", inv.text)
	}
	w.phone.reply(inv, "200 OK", "")
	in.answered(w.legacy.wantFinal("SIP/2.0 200"))
	w.legacy.send(w.in, in.request("ACK", 1, in.remote, ""))
	ack := w.phone.want("ACK ")
	w.phone.send(w.out, reversed(ack, inv, w.phone.addr(), "INFO", w.legacy.addr()))
	w.legacy.reply(w.legacy.want("INFO "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
	w.legacy.send(w.in, in.request("BYE", 2, in.remote, ""))
	w.phone.reply(w.phone.want("BYE "), "200 OK", "")
	w.legacy.want("SIP/2.0 200")
	if n, _ := w.edge.sizes(); n != 0 {
		t.Errorf("%d dialogs at the owner", n)
	}
}

// What a phone asserts in an answer is no more believed than in a request; what a platform asserts reaches the phone,
// unless privacy was asked for.
func TestAnswersAreStripped(t *testing.T) {
	t.Parallel()
	const said = "P-Asserted-Identity: <sip:boss@acme.example>\nRemote-Party-ID: <sip:x@y>\nX-Hotcut-A: 1\nX-Other: kept\n"
	names := []string{"P-Asserted-Identity", "Remote-Party-ID", "X-Hotcut-A", "X-Other"}
	count := func(m message) (n [4]int) {
		for i, h := range names {
			n[i] = len(m.headers(h))
		}
		return n
	}
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "183 Session Progress", said)
	w.phone.after100()
	if n := count(w.phone.want("SIP/2.0 183")); n != [4]int{1, 1, 0, 1} {
		t.Errorf("from a platform: %v of %v", n, names)
	}
	w.legacy.reply(inv, "200 OK", said+"Privacy: id\n")
	if n := count(w.phone.want("SIP/2.0 200")); n != [4]int{0, 1, 0, 1} {
		t.Errorf("from a platform, private: %v of %v", n, names)
	}

	c := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.phone.send(w.out, c.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"))
	reg := w.legacy.want("REGISTER ")
	w.legacy.reply(reg, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: reg.headers("Path")}
	w.legacy.send(w.in, in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), ""))
	w.phone.reply(w.phone.want("INVITE "), "200 OK", said)
	if n := count(w.legacy.wantFinal("SIP/2.0 200")); n != [4]int{0, 0, 0, 1} {
		t.Errorf("from a phone: %v of %v", n, names)
	}
}

// Once it rang, a refusal is the callee's.
func TestNoFailoverAfterRinging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	first, second := w.pool("one")
	w.invite("one", "acme.example", "")
	inv := first.want("INVITE ")
	first.reply(inv, "180 Ringing", "")
	w.phone.after100()
	w.phone.want("SIP/2.0 180")
	first.reply(inv, "500 Server Internal Error", "")
	first.want("ACK ")
	w.phone.want("SIP/2.0 500")
	second.silent()
}

// The last target may be slower than its fail-over time: there is nobody else to ask.
func TestLastTargetMayBeSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Timers.T1 = 500 * time.Millisecond
	first, second := w.pool("one")
	w.invite("one", "acme.example", "")
	first.want("INVITE ")
	second.want("INVITE ")
	second.again("INVITE ")
	second.reply(second.again("INVITE "), "200 OK", "") // the second repetition comes after 1.5 s, longer than TimerB
	w.phone.wantFinal("SIP/2.0 200")
}

// An unverified address gets a final response three times at most unless it asks again.
func TestFinalIsRepeatedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick().start()
	w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.freed()
	n := 0
	w.await(func() bool {
		for len(w.phone.got) > 0 {
			if m := <-w.phone.got; strings.HasPrefix(m.text, "SIP/2.0 486") {
				n++
			}
		}
		return n >= 3
	}, "three finals")
	if n != 3 {
		t.Errorf("%d finals, want 3", n)
	}
}

// Each carrier's calls, and what belongs to them, reach the platform by the carrier's own listener; and the carrier may
// answer from any of its addresses.
func TestCarrierByItsOwnListener(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Numbers = []string{"+1303555"}
	w := newWorld(t, acme)
	carrier, media := newPeer(t), newPeerAt(t, neighbour("6").String())
	egress := home + ":" + freePort(t)
	w.cfg.Listen = append(w.cfg.Listen, config.Listen{Name: "carrier-a-in", Side: config.Inside, Transport: config.UDP, Address: egress})
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + carrier.addr(), Sources: []string{carrier.addr(), neighbour("6").String()}, Egress: "carrier-a-in"}}
	w.start()
	c := &call{w: w, by: carrier, id: "in", domain: "carrier.example", to: "<sip:+13035550199@x>"}
	carrier.send(w.out, c.request("INVITE", 1, "sip:+13035550199@sip.provider.test", ""))
	inv := w.legacy.want("INVITE ")
	if inv.from.String() != egress {
		t.Errorf("INVITE came from %s, want %s", inv.from, egress)
	}
	w.legacy.reply(inv, "200 OK", "")
	c.answered(carrier.wantFinal("SIP/2.0 200"))
	carrier.send(w.out, c.request("ACK", 1, c.remote, ""))
	if ack := w.legacy.want("ACK "); ack.from.String() != egress {
		t.Errorf("ACK came from %s, want %s", ack.from, egress)
	}
	carrier.send(w.out, c.request("BYE", 2, c.remote, ""))
	bye := w.legacy.want("BYE ")
	if bye.from.String() != egress {
		t.Errorf("BYE came from %s, want %s", bye.from, egress)
	}
	w.legacy.reply(bye, "200 OK", "")
	carrier.want("SIP/2.0 200")

	out := &call{w: w, by: w.legacy, id: "out", domain: "acme.example", to: "<sip:+442079460000@x>"}
	w.legacy.send(w.in, out.request("INVITE", 1, "sip:+442079460000@"+carrier.addr(), ""))
	inv = carrier.want("INVITE ")
	media.send(w.out, answerTo(inv, "200 OK", "", carrier.addr()))
	w.legacy.wantFinal("SIP/2.0 200")
}

// CANCEL against 1xx and final, in every order: one final response upstream, no CANCEL before a 1xx, none after a final.
func TestCancelInEveryOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	for i, order := range []string{"C19", "1C9", "19C", "C9", "9C", "C12", "1C2", "12C", "C2", "2C", "C1CC9", "21C", "C21"} {
		t.Run(order, func(t *testing.T) {
			id := fmt.Sprintf("o%d", i)
			c := w.invite(id, "acme.example", "")
			inv := w.legacy.want("INVITE ")
			finals, rang, cancelled, final := 0, false, false, ""
			for _, x := range order {
				switch x {
				case 'C':
					w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", ""))
					w.phone.until(func(m message) bool { return m.cseq("CANCEL") })
					cancelled = true
				case '1':
					w.legacy.reply(inv, "180 Ringing", "")
					rang = true
					if final == "" {
						w.phone.until(func(m message) bool { return strings.HasPrefix(m.text, "SIP/2.0 180") })
					}
				case '9', '2':
					final = map[rune]string{'9': "487 Request Terminated", '2': "200 OK"}[x]
					if rang && cancelled { // the CANCEL is out before the final comes
						w.legacy.until(func(m message) bool { return strings.HasPrefix(m.text, "CANCEL ") })
					}
					w.legacy.reply(inv, final, "")
					m := w.phone.until(func(m message) bool { return m.cseq("INVITE") && m.text[8] >= '2' })
					finals++
					if !strings.HasPrefix(m.text, "SIP/2.0 "+final) {
						t.Fatalf("wanted %s, got\n%s", final, m.text)
					}
					c.to = m.headers("To")[0]
					if x == '2' {
						c.answered(m)
						w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
					} else {
						w.phone.send(w.out, hopAckOf(c.request("ACK", 1, "sip:bob@acme.example", "")))
					}
					w.legacy.until(func(m message) bool { return strings.HasPrefix(m.text, "ACK ") })
				}
			}
			if final == "200 OK" {
				w.phone.send(w.out, c.request("BYE", 2, c.remote, ""))
				m := w.legacy.until(func(m message) bool {
					if strings.HasPrefix(m.text, "CANCEL ") {
						t.Errorf("CANCEL after the answer:\n%s", m.text)
					}
					return strings.HasPrefix(m.text, "BYE ")
				})
				w.legacy.reply(m, "200 OK", "")
				w.phone.until(func(m message) bool {
					if m.cseq("INVITE") && m.text[8] >= '3' {
						t.Errorf("a second final:\n%s", m.text)
					}
					return m.cseq("BYE")
				})
			}
		})
	}
}

func (m message) cseq(method string) bool {
	return strings.HasPrefix(m.text, "SIP/2.0 ") && strings.HasSuffix(m.headers("CSeq")[0], " "+method)
}

// until takes messages away up to the one that is meant.
func (p *peer) until(meant func(message) bool) message {
	p.t.Helper()
	for {
		m := p.again("something else")
		p.seen[m.text] = true
		if meant(m) {
			return m
		}
	}
}

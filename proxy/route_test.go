package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// A platform reaches a phone by the flow that its Path names, and the dialog comes back to it.
func TestPlatformCallsPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.phone.send(w.out, c.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"))
	reg := w.legacy.want("REGISTER ")
	path := reg.headers("Path")
	if len(path) != 1 || len(reg.headers("Supported")) != 1 || len(reg.headers("Record-Route")) != 0 {
		t.Fatalf("no Path, no Supported: path or a Record-Route in\n%s", reg.text)
	}
	w.legacy.reply(reg, "200 OK", "")
	w.phone.want("SIP/2.0 200")

	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: path}
	w.legacy.send(w.in, in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), "P-Asserted-Identity: <tel:+13035550100>\n"))
	inv := w.phone.want("INVITE sip:anna@" + w.phone.addr())
	w.legacy.want("SIP/2.0 100")
	if len(inv.headers("Route")) != 0 || len(inv.headers("Record-Route")) != 2 || len(inv.headers("P-Asserted-Identity")) != 1 {
		t.Errorf("headers of\n%s", inv.text)
	}
	w.phone.reply(inv, "200 OK", "")
	in.answered(w.legacy.want("SIP/2.0 200"))
	w.legacy.send(w.in, in.request("ACK", 1, in.remote, ""))
	ack := w.phone.want("ACK ")
	// The phone hangs up: To and From are the other way round, the route set is that of the INVITE as it got it.
	bye := fmt.Sprintf("BYE sip:anna@%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKbye\nRoute: %s\nMax-Forwards: 70\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: 9 BYE\nContent-Length: 0\n\n",
		w.legacy.addr(), w.phone.addr(), strings.Join(inv.headers("Record-Route"), ", "), ack.headers("To")[0], ack.headers("From")[0], ack.headers("Call-ID")[0])
	w.phone.send(w.out, bye)
	got := w.legacy.want("BYE ")
	if len(got.headers("Route")) != 0 {
		t.Errorf("our Routes are still there:\n%s", got.text)
	}
	w.legacy.reply(got, "200 OK", "")
	w.phone.want("SIP/2.0 200")

	// A flow token is no way in from outside.
	w.phone.send(w.out, in.request("INVITE", 7, "sip:anna@"+w.phone.addr(), ""))
	w.phone.want("SIP/2.0 403")
}

// What a platform calls goes to the other platform if that one serves it, out by the carrier that it names, or nowhere.
func TestPlatformCallsOut(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageCore)
	acme.Numbers = []string{"+1303555"}
	w := newWorld(t, acme, tenant("birch", policy.StageLegacy))
	carrier := newPeer(t)
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + carrier.addr(), Sources: []string{carrier.addr()}, Trusted: true}}
	w.start()

	c := &call{w: w, by: w.legacy, id: "a", domain: "birch.example", to: "<sip:bob@acme.example>"}
	w.legacy.send(w.in, c.request("INVITE", 1, "sip:bob@acme.example", ""))
	w.core.reply(w.core.want("INVITE sip:bob@acme.example"), "486 Busy Here", "")
	w.core.want("ACK ")
	w.legacy.wantFinal("SIP/2.0 486")

	c = &call{w: w, by: w.legacy, id: "b", domain: "birch.example", to: "<sip:bob@birch.example>"}
	w.legacy.send(w.in, c.request("INVITE", 1, "sip:bob@birch.example", ""))
	w.legacy.want("SIP/2.0 404") // its own tenant comes back to it: it is a loop, and Hotcut chooses no carriers

	c = &call{w: w, by: w.core, id: "c", domain: "acme.example", to: "<sip:+442079460000@x>"}
	w.core.send(w.in, c.request("INVITE", 1, "sip:+442079460000@"+carrier.addr(), ""))
	inv := carrier.want("INVITE ")
	w.core.want("SIP/2.0 100")
	carrier.reply(inv, "200 OK", "")
	c.answered(w.core.want("SIP/2.0 200"))
	w.core.send(w.in, c.request("ACK", 1, c.remote, ""))
	carrier.want("ACK ")

	// The carrier calls a number of acme's: the policy decides, by the called number alone.
	in := &call{w: w, by: carrier, id: "d", domain: "carrier.example", to: "<sip:+13035550199@x>"}
	carrier.send(w.out, in.request("INVITE", 1, "sip:+13035550199@sip.provider.test", "P-Asserted-Identity: <tel:+4420>\nX-Hotcut-A: b\n"))
	got := w.core.want("INVITE ")
	carrier.want("SIP/2.0 100")
	if len(got.headers("P-Asserted-Identity")) != 1 || len(got.headers("X-Hotcut-A")) != 0 {
		t.Errorf("identity headers of a trusted carrier:\n%s", got.text)
	}
	w.core.reply(got, "404 Not Found", "")
	w.core.want("ACK ")
	carrier.want("SIP/2.0 404")
}

// A token is a key to one dialog, for its parties only.
func TestTokenOfAnotherParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.establish("one", "acme.example", w.legacy)
	w.core.send(w.in, strings.Replace(c.request("BYE", 2, c.remote, ""), w.phone.addr(), w.core.addr(), 1))
	w.core.want("SIP/2.0 403")
	other := *c
	other.id = "two" // another Call-ID and tag
	w.phone.send(w.out, other.request("BYE", 2, c.remote, ""))
	w.phone.want("SIP/2.0 403")
	w.legacy.silent()
	w.hangUp(c, w.legacy)
}

// A phone that loses its Route headers is found in the dialog index.
func TestDialogIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.establish("one", "acme.example", w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	c.routes = nil
	w.hangUp(c, w.legacy)
	w.phone.send(w.out, c.request("INFO", 3, c.remote, ""))
	w.phone.want("SIP/2.0 481")
}

func TestLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	// What went in comes back to the same listener with our Via in it, and nothing else changed.
	via := inv.headers("Via")[0]
	back := strings.Replace(c.request("INVITE", 1, "sip:bob@acme.example", ""), "-1\n", "-9\nVia: "+via+"\n", 1)
	w.phone.send(w.out, back)
	w.phone.want("SIP/2.0 482")
}

// Two edges share the keys: a dialog whose flow the other edge owns is handed to it.
func TestFlowOfAnotherEdge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	v := *w
	v.cfg.Node = "edge-2"
	v.cfg.State = w.dir + "/state2"
	v.cfg.Admin.Socket = w.dir + "/b.sock"
	v.cfg.Listen = []config.Listen{
		{Name: "out", Side: config.Outside, Transport: config.UDP, Address: home + ":" + freePort(t)},
		{Name: "in", Side: config.Inside, Transport: config.UDP, Address: home + ":" + freePort(t)},
	}
	v.out, v.in = v.cfg.Listen[0].Address, v.cfg.Listen[1].Address
	v.start()
	w.await(func() bool { _, ok := v.edge.fleet.find(hash32("edge-1")); return ok }, "edge-2 to know edge-1")
	w.await(func() bool { _, ok := w.edge.fleet.find(hash32("edge-2")); return ok }, "edge-1 to know edge-2")

	c := w.establish("one", "acme.example", w.legacy)
	tags := strings.Split(c.to, "tag=")[1]
	// Legacy hangs up by way of edge-2: its route set names edge-1, but a VIP may send it anywhere.
	bye := fmt.Sprintf("BYE sip:anna@%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKbye\nRoute: %s\nMax-Forwards: 70\nFrom: <sip:bob@acme.example>;tag=%s\nTo: <sip:anna@acme.example>;tag=fromone\nCall-ID: one@phone\nCSeq: 9 BYE\nContent-Length: 0\n\n",
		w.phone.addr(), w.legacy.addr(), strings.Replace(c.routes[len(c.routes)-1], w.in, v.in, 1), tags)
	w.legacy.send(v.in, bye)
	got := w.phone.want("BYE ")
	if n := len(got.headers("Via")); n != 3 {
		t.Errorf("%d Vias, want one of each edge and legacy's", n)
	}
	w.phone.reply(got, "200 OK", "")
	w.legacy.want("SIP/2.0 200")
}

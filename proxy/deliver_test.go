package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// bind registers anna's phone on the platform that serves and gives the Path.
func (w *world) bind(on *peer) []string {
	w.t.Helper()
	contact := "Contact: <sip:anna@" + w.phone.addr() + ">"
	m, _ := w.registered(on, 1, contact+"\n", contact+";expires=600\n")
	return m.headers("Path")
}

// ask sends a request of a platform for anna's phone, by her Path.
func (w *world) request(by *peer, path []string, id, method, extra string) *call {
	w.t.Helper()
	c := &call{w: w, by: by, id: id, domain: "acme.example", to: "<sip:anna@acme.example>", routes: path}
	by.send(w.in, c.request(method, 1, "sip:anna@"+w.phone.addr(), extra))
	return c
}

// The Path is constant while the flow is: over refreshes, revs and keys.
func TestPathIsConstant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	path := w.bind(w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Name = "Acme" })
	contact := "Contact: <sip:anna@" + w.phone.addr() + ">"
	m, _ := w.registered(w.legacy, 2, contact+"\n", contact+";expires=600\n")
	if !slices.Equal(path, m.headers("Path")) {
		t.Errorf("Path was %q, is %q", path, m.headers("Path"))
	}
	if !strings.Contains(path[0], w.bindings("acme.example")["anna"].ID.String()+".") {
		t.Errorf("Path %q does not begin with the binding's id", path)
	}
}

// The newest flow counts, not the one that the registrar was told of.
func TestNewestFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	path := w.bind(w.legacy)
	moved := newPeer(t)
	contact := "Contact: <sip:anna@" + w.phone.addr() + ">"
	moved.register(w.out, 2, "acme.example", contact+"\n") // the same Contact, from another port of the NAT
	w.legacy.confirm(w.legacy.want("REGISTER "), contact+";expires=600\n")
	moved.want("SIP/2.0 200")
	w.request(w.legacy, path, "in", "MESSAGE", "")
	moved.reply(moved.want("MESSAGE "), "200 OK", "")
	w.legacy.want("SIP/2.0 200")
	w.phone.silent()

	// It un-registers: nobody is there.
	moved.register(w.out, 3, "acme.example", contact+";expires=0\n")
	w.legacy.confirm(w.legacy.want("REGISTER "), "")
	moved.want("SIP/2.0 200")
	w.request(w.legacy, path, "late", "MESSAGE", "")
	w.legacy.want("SIP/2.0 430")
}

// A call to a phone that the other platform serves goes there first, once, and one branch of it.
func TestIntercept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	path := w.bind(w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })

	// Core has been told of the phone.
	b := w.bindings("acme.example")["anna"].Clone()
	b.Holds[1] = location.Hold{Until: b.Told, Own: true, Stamp: b.Stamp + 1}
	w.edge.location.Put(b)

	// The rev is young: another edge may still think otherwise, so the phone rings.
	c := w.request(w.legacy, path, "young", "INVITE", "")
	w.phone.reply(w.phone.want("INVITE "), "486 Busy Here", "")
	w.phone.want("ACK ")
	w.legacy.wantFinal("SIP/2.0 486")
	w.legacy.send(w.in, hopAckOf(c.request("ACK", 1, "sip:anna@"+w.phone.addr(), "")))

	w.edge.revSince.Store(0)
	w.request(w.legacy, path, "one", "INVITE", "P-Asserted-Identity: <tel:+1>\n")
	inv := w.core.want("INVITE sip:anna@acme.example ")
	if len(inv.headers("Route")) != 0 || len(inv.headers("Record-Route")) != 1 || len(inv.headers("P-Asserted-Identity")) != 1 {
		t.Errorf("core got\n%s", inv.text)
	}
	w.request(w.legacy, path, "fork", "INVITE", "")
	w.legacy.wantFinal("SIP/2.0 480")

	// Core calls the phone, and talks to legacy afterwards: own pin, platform to platform.
	w.request(w.core, path, "core", "INVITE", "")
	w.phone.want("INVITE ")
	w.core.reply(inv, "200 OK", "")
	ok := w.legacy.wantFinal("SIP/2.0 200")
	if len(ok.headers("Record-Route")) != 1 {
		t.Errorf("legacy got\n%s", ok.text)
	}
	w.phone.silentBut("INVITE ")
}

// A call that was turned over and that the serving platform would not have rings the phone after all; so does one to a phone
// that this platform does not know yet.
func TestInterceptFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	path := w.bind(w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	w.edge.revSince.Store(0)
	c := w.request(w.legacy, path, "early", "INVITE", "")
	w.phone.reply(w.phone.want("INVITE sip:anna@"+w.phone.addr()), "486 Busy Here", "")
	w.phone.want("ACK ")
	w.legacy.wantFinal("SIP/2.0 486")
	w.legacy.send(w.in, hopAckOf(c.request("ACK", 1, "sip:x", "")))

	b := w.bindings("acme.example")["anna"].Clone()
	b.Holds[1] = location.Hold{Until: b.Told, Own: true, Stamp: b.Stamp + 1}
	w.edge.location.Put(b)
	c = w.request(w.legacy, path, "late", "INVITE", "")
	w.core.reply(w.core.want("INVITE sip:anna@acme.example "), "407 Proxy Authentication Required", "Proxy-Authenticate: "+coreChallenge+"\n")
	w.core.want("ACK ")
	inv := w.phone.want("INVITE sip:anna@" + w.phone.addr())
	if len(inv.headers("Record-Route")) != 2 || len(inv.headers("Route")) != 0 {
		t.Errorf("the phone got\n%s", inv.text)
	}
	w.phone.reply(inv, "200 OK", "")
	c.answered(w.legacy.wantFinal("SIP/2.0 200"))
	w.legacy.send(w.in, c.request("ACK", 1, c.remote, ""))
	w.phone.want("ACK ")
	w.legacy.send(w.in, c.request("BYE", 2, c.remote, ""))
	w.phone.reply(w.phone.want("BYE "), "200 OK", "")
	w.legacy.want("SIP/2.0 200")
}

// A call that comes while its phone is handed over waits for that, and puts it first.
func TestCallWaitsForHandOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.takesOurs()
	w.start()
	w.bind(w.legacy)
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	own := w.core.want("REGISTER ")
	c := w.invite("a", "acme.example", "")
	c.to = "<sip:anna@acme.example>"
	w.phone.send(w.out, strings.Replace(c.request("INVITE", 9, "sip:anna@acme.example", ""), "-9", "-call", 1))
	w.core.want("INVITE sip:bob@acme.example ") // somebody whom no edge knows goes at once
	w.core.silent()
	w.core.confirm(own, "Contact: "+own.headers("Contact")[0]+";expires=3600\n")
	w.core.want("INVITE sip:anna@acme.example ")
	if n := w.edge.count.set.Snapshot()["hotcut_calls_awaited_total"]; n != 1 {
		t.Errorf("%d calls waited, want 1", n)
	}
}

// What else the platform that does not serve may say to a phone.
func TestPlatformThatDoesNotServe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	path := w.bind(w.legacy)
	for i, c := range []struct{ by, method, extra, core, legacy string }{
		// before and after the flip, as legacy asks: "" is delivered to the phone
		{"OPTIONS", "OPTIONS", "", "200", "200"},
		{"NOTIFY", "NOTIFY", "Event: message-summary\nSubscription-State: active\n", "200", ""},
		{"check-sync", "NOTIFY", "Event: check-sync;reboot=true\n", "200", ""},
		{"MESSAGE", "MESSAGE", "", "", ""},
		{"INFO", "INFO", "", "480", ""},
		{"SUBSCRIBE", "SUBSCRIBE", "Event: dialog\n", "480", ""},
	} {
		for stage, want := range []string{policy.StageLegacy: c.legacy, policy.StageCore: c.core} {
			stage := policy.Stage(stage)
			if stage != policy.StageLegacy && stage != policy.StageCore {
				continue
			}
			w.move("acme", func(x *policy.Tenant) { x.Stage = stage })
			w.request(w.legacy, path, fmt.Sprintf("%s%d%d", c.by, i, stage), c.method, c.extra)
			if want == "" {
				w.phone.reply(w.phone.want(c.method), "200 OK", "")
				want = "200"
			}
			w.legacy.want("SIP/2.0 " + want)
			w.phone.silent()
		}
	}
}

// A phone that this edge does not know may have registered through another one: the common memory is asked, once.
func TestAskForBinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Platforms.Legacy.Targets[0].ReachBack = "contact"
	known := &location.Binding{ID: location.ID{1, 2, 3}, Tenant: "acme", AoR: "anna@acme.example", Unit: "anna", To: "sip:anna@acme.example",
		Contact: "<sip:anna@192.0.2.1>", URI: "sip:anna@192.0.2.1", CallID: "x", Told: 1 << 40, Stamp: 1,
		Flow: location.Flow{Edge: "edge-1", Listener: "out", Proto: "udp", Addr: w.phone.conn.LocalAddr().(interface{ AddrPort() netipAddrPort }).AddrPort()}}
	asked := make(chan location.ID, 10)
	silent := location.ID{8}
	w.ask = func(t *location.Table, id location.ID, done func(*location.Binding)) {
		asked <- id
		if id == silent {
			return
		}
		go func() {
			if id == known.ID {
				t.Learn(known)
			}
			done(nil)
		}()
	}
	w.start()
	call := func(id, user string) *call {
		c := &call{w: w, by: w.legacy, id: id, domain: "acme.example", to: "<sip:anna@acme.example>"}
		w.legacy.send(w.in, c.request("INVITE", 1, "sip:"+user+"@"+w.in, ""))
		return c
	}
	c := call("hit", known.ID.String())
	w.phone.reply(w.phone.want("INVITE sip:anna@192.0.2.1 "), "200 OK", "")
	c.answered(w.legacy.wantFinal("SIP/2.0 200"))
	w.legacy.send(w.in, c.request("ACK", 1, c.remote, ""))
	w.phone.want("ACK ")
	if n, _ := w.edge.sizes(); n != 1 {
		t.Errorf("%d dialogs, want 1", n)
	}
	c = call("miss", location.ID{9}.String())
	w.legacy.wantFinal("SIP/2.0 430")
	w.legacy.send(w.in, hopAckOf(c.request("ACK", 1, "sip:x@"+w.in, "")))
	if len(asked) != 2 {
		t.Errorf("asked %d times, want 2", len(asked))
	}

	// Nobody answers: the wait has an end. A CANCEL meanwhile is obeyed.
	c = call("silence", silent.String())
	w.legacy.send(w.in, c.request("CANCEL", 1, "sip:"+silent.String()+"@"+w.in, ""))
	w.legacy.want("SIP/2.0 200")
	w.legacy.wantFinal("SIP/2.0 487")
}

// After a restart phones over UDP are reachable at once, by what the edge wrote down. What a platform answers to a
// REGISTER that the process before forwarded is not passed on: the phone repeats it, and then it is bound.
func TestBindingsSurviveRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Platforms.Legacy.Targets[0].ReachBack = "contact"
	w.start()
	w.bind(w.legacy)
	id := w.bindings("acme.example")["anna"].ID
	w.phone.register(w.out, 7, "acme.example", "Contact: <sip:two@192.0.2.2>\n")
	half := w.legacy.want("REGISTER ")
	w.stop()
	w.start()
	c := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.legacy.send(w.in, c.request("INVITE", 1, fmt.Sprintf("sip:%s@%s", id, w.in), ""))
	w.phone.reply(w.phone.want("INVITE sip:anna@"+w.phone.addr()), "486 Busy Here", "")
	w.phone.want("ACK ")
	w.legacy.wantFinal("SIP/2.0 486")
	w.legacy.send(w.in, hopAckOf(c.request("ACK", 1, "sip:x", "")))

	answer := "Contact: " + half.headers("Contact")[0] + ";expires=60\n"
	w.legacy.confirm(half, answer)
	w.phone.register(w.out, 7, "acme.example", "Contact: <sip:two@192.0.2.2>\n")
	again := w.legacy.next("REGISTER ") // byte for byte what the process before had sent
	if again.headers("Via")[0] != half.headers("Via")[0] {
		t.Errorf("the repetition is another transaction: Via %q, was %q", again.headers("Via")[0], half.headers("Via")[0])
	}
	w.legacy.confirm(again, answer)
	if ok := w.phone.want("SIP/2.0 200"); !strings.Contains(ok.text, "<sip:two@192.0.2.2>") || w.bindings("acme.example")["two"] == nil {
		t.Errorf("bound %v after\n%s", w.bindings("acme.example"), ok.text)
	}
}

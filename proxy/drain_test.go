package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/config"
)

// A drain refuses what is new from either side, keeps what lives, and at zero ends Run and takes the edge off the roster.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick().start()
	reg := &call{w: w, by: w.phone, id: "reg", domain: "acme.example", to: "<sip:anna@acme.example>"}
	w.phone.send(w.out, reg.request("REGISTER", 1, "sip:acme.example", "Expires: 300\n"))
	m := w.legacy.want("REGISTER ")
	path := m.headers("Path")
	w.legacy.reply(m, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	c := w.establish("up", "acme.example", w.legacy)
	listed := func() bool {
		nodes, err := w.store.Nodes(t.Context())
		return err == nil && len(nodes) == 1
	}
	w.await(listed, "the edge to be listed")

	cl, err := admin.Dial("unix://" + w.cfg.Admin.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Drain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	const agent = "User-Agent: telephone 1.0 (room for Retry-After)\n"
	n := &call{w: w, by: w.phone, id: "new", domain: "acme.example", to: "<sip:bob@acme.example>"}
	for i, text := range []string{n.request("INVITE", 1, "sip:bob@acme.example", agent), n.request("OPTIONS", 2, "sip:"+w.out, agent), n.request("REGISTER", 3, "sip:acme.example", agent)} {
		w.phone.send(w.out, text)
		if m := w.phone.want("SIP/2.0 503"); len(m.headers("Retry-After")) != 1 {
			t.Errorf("%d: no Retry-After in\n%s", i, m.text)
		}
	}
	in := &call{w: w, by: w.legacy, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: path}
	w.legacy.send(w.in, in.request("INVITE", 1, "sip:anna@"+w.phone.addr(), ""))
	w.legacy.want("SIP/2.0 503")
	w.legacy.send(w.in, in.request("NOTIFY", 2, "sip:anna@"+w.phone.addr(), "Event: check-sync\nSubscription-State: terminated\n"))
	w.phone.reply(w.phone.want("NOTIFY "), "200 OK", "")
	w.legacy.want("SIP/2.0 200")
	w.phone.send(w.out, c.request("INFO", 3, c.remote, ""))
	w.legacy.reply(w.legacy.want("INFO "), "200 OK", "")
	w.phone.want("SIP/2.0 200")
	select {
	case <-w.done:
		t.Fatal("Run ended with a call up")
	default:
	}
	w.hangUp(c, w.legacy)
	select {
	case <-w.done:
	case <-time.After(patience):
		t.Fatalf("Run did not end; left: %v", w.edge.leftovers())
	}
	w.await(func() bool { return !listed() }, "the edge to leave the roster")
}

// Orders by the admin socket hold at once, for new calls only; taken back, they are gone.
func TestOverrideBySocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageCore), tenant("birch", policy.StageCore)).start()
	cl, err := admin.Dial("unix://" + w.cfg.Admin.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	up := w.establish("up", "acme.example", w.core)
	order := policy.Override{By: "test", At: time.Now().Unix()}
	if err := cl.Override(t.Context(), admin.OverrideChange{Op: admin.Set, Scope: admin.ScopeTenants, Tenants: []string{"acme"}, Order: order}); err != nil {
		t.Fatal(err)
	}
	w.hangUp(w.establish("one", "acme.example", w.legacy), w.legacy)
	w.hangUp(w.establish("two", "birch.example", w.core), w.core)
	w.hangUp(up, w.core)
	if err := cl.Override(t.Context(), admin.OverrideChange{Op: admin.Set, Scope: admin.ScopeAllLegacy, Order: order}); err != nil {
		t.Fatal(err)
	}
	w.hangUp(w.establish("three", "birch.example", w.legacy), w.legacy)
	if err := cl.Override(t.Context(), admin.OverrideChange{Op: admin.Remove, Scope: admin.ScopeAll}); err != nil {
		t.Fatal(err)
	}
	w.hangUp(w.establish("four", "acme.example", w.core), w.core)
	w.hangUp(w.establish("five", "birch.example", w.core), w.core)
}

// A source that has used up its budget is refused new calls, and can still end the old ones.
func TestSourceLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Limits.SourceRate, w.cfg.Limits.SourceBurst = 1, 5
	w.start()
	up := w.establish("up", "acme.example", w.legacy)
	ringing := w.invite("ringing", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "180 Ringing", "")
	w.phone.after100()
	w.phone.want("SIP/2.0 180")
	feed := w.feed(w.phone)
	for i := range 20 {
		c := &call{w: w, by: w.phone, id: "options", domain: "acme.example", to: "<sip:bob@acme.example>"}
		feed(crlf(c.request("OPTIONS", i+1, "sip:"+w.out, "")))
	}
	w.phone.drain503()
	w.phone.send(w.out, ringing.request("CANCEL", 1, "sip:bob@acme.example", ""))
	w.phone.want("SIP/2.0 200")
	w.legacy.reply(w.legacy.want("CANCEL "), "200 OK", "")
	w.legacy.reply(inv, "487 Request Terminated", "")
	w.legacy.want("ACK ")
	w.phone.acknowledge(ringing, "SIP/2.0 487")
	w.phone.send(w.out, up.request("ACK", 1, up.remote, ""))
	w.legacy.next("ACK ")
	w.hangUp(up, w.legacy)
	if w.edge.count.causes.Value(int(causeSourceLimit)) == 0 {
		t.Error("nothing was counted as source_limit")
	}
}

// drain503 takes answers until one refuses, and all that follow it at once.
func (p *peer) drain503() {
	p.t.Helper()
	for !strings.HasPrefix(p.again("SIP/2.0 503").text, "SIP/2.0 503") {
	}
	for {
		select {
		case <-p.got:
		case <-time.After(100 * time.Millisecond): // all were served when they were fed: they are in the socket
			return
		}
	}
}

// A tenant's concurrent calls are bounded, each end makes room, and other tenants do not notice.
func TestTenantLimit(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Limits.Calls = 1 // an edge's share is half as much again: 1
	w := newWorld(t, acme, tenant("birch", policy.StageLegacy)).quick().start()
	one := w.establish("one", "acme.example", w.legacy)
	w.invite("two", "acme.example", "")
	w.phone.want("SIP/2.0 503")
	w.hangUp(w.establish("three", "birch.example", w.legacy), w.legacy)
	w.hangUp(one, w.legacy)
	c := w.invite("four", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.phone.acknowledge(c, "SIP/2.0 486")
	w.hangUp(w.establish("five", "acme.example", w.legacy), w.legacy)
	w.freed()
	if n := w.edge.tenants.Calls("acme"); n != 0 {
		t.Errorf("%d calls counted", n)
	}
}

// A reload with other targets: living calls keep the parties that their tokens name, new calls go to the new target.
func TestReloadUnderLivingCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	other := newPeer(t)
	up := w.establish("up", "acme.example", w.legacy)
	ringing := w.invite("ringing", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.cfg.Platforms.Legacy.Targets = []config.Target{{Name: "l2", URI: "sip:" + other.addr()}}
	w.cfg.Platforms.Legacy.Sources = []string{w.legacy.addr(), other.addr()}
	w.reload()
	w.legacy.reply(inv, "200 OK", "")
	ringing.answered(w.phone.wantFinal("SIP/2.0 200"))
	w.phone.send(w.out, ringing.request("ACK", 1, ringing.remote, ""))
	w.legacy.want("ACK ")
	w.hangUp(ringing, w.legacy) // its Contact is one of the platform's sources
	w.hangUp(up, w.legacy)
	w.hangUp(w.establish("new", "acme.example", other), other)
}

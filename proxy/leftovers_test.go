package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// quick makes timers a twentieth of what they are.
func (w *world) quick() *world {
	w.cfg.Timers.T1, w.cfg.Timers.T2, w.cfg.Timers.T4 = 25*time.Millisecond, 100*time.Millisecond, 150*time.Millisecond
	w.cfg.Timers.B = 2 * time.Second // a test may be slow to answer
	return w
}

// leftovers are the entries of all tables and wheels.
func (e *Edge) leftovers() (n [5]int) {
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for k, x := range []int{len(s.requests), len(s.branches), len(s.streams), len(s.dialogs), s.wheel.Len()} {
			n[k] += x
		}
		s.mu.Unlock()
	}
	return n
}

// freed waits until nothing is left of any call.
func (w *world) freed() {
	w.t.Helper()
	w.await(func() bool { return w.edge.leftovers() == [5]int{} }, "requests, branches, streams, dialogs and timers to be freed (%v)", w.edge.leftovers)
}

// Everything that a call held is freed 64*T1 after its end, and its tenant's count with it.
func TestEverythingIsFreed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick().start()
	w.hangUp(w.establish("one", "acme.example", w.legacy), w.legacy)

	w.invite("two", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.phone.want("SIP/2.0 486") // never acknowledged

	c := w.invite("three", "acme.example", "")
	inv = w.legacy.want("INVITE ")
	w.legacy.reply(inv, "180 Ringing", "")
	w.phone.want("SIP/2.0 180")
	w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", ""))
	w.phone.want("SIP/2.0 200")
	w.legacy.want("CANCEL ") // never answered, and neither is the INVITE
	w.phone.want("SIP/2.0 487")

	w.invite("four", "acme.example", "") // never answered at all
	w.legacy.want("INVITE ")
	w.freed()
	if n := w.edge.tenants.Calls("acme"); n != 0 {
		t.Errorf("%d calls of acme are still counted", n)
	}
}

// A target that was given up for its silence rings: it is cancelled, and forgotten although it says no more.
func TestGivenUpTargetIsFreed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick()
	first, second := w.pool("one")
	w.invite("one", "acme.example", "")
	inv := first.want("INVITE ")
	second.reply(second.want("INVITE "), "486 Busy Here", "")
	first.drain()
	first.reply(inv, "180 Ringing", "")
	first.want("CANCEL ")
	w.freed()
}

// A duplicate that comes when the server side has forgotten the call and the client side has not is a branch of its
// own right: the end of the old one takes nothing away from it.
func TestDuplicateAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Timers.T1, w.cfg.Timers.T4 = 500*time.Millisecond, 500*time.Millisecond // the server side remembers an ACK for so long
	w.start()
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.phone.acknowledge(c, "SIP/2.0 486")
	w.await(func() bool { n := w.edge.leftovers(); return n[0] == 0 && n[1] == 1 }, "the server transaction to end")
	w.invite("one", "acme.example", "")
	w.legacy.next("INVITE ")
	if n := w.edge.leftovers(); n[1] != 1 {
		t.Errorf("%d branches, want the younger one alone", n[1])
	}
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		if n := s.wheel.Len(); n > 2 {
			t.Errorf("%d timers: one of them is the old branch's", n) // the request's 100, the branch's
		}
		s.mu.Unlock()
	}
	w.legacy.reply(inv, "200 OK", "")
	w.phone.want("SIP/2.0 200")
}

// acknowledge takes a final response other than 2xx.
func (p *peer) acknowledge(c *call, prefix string) {
	p.t.Helper()
	p.after100()
	c.to = p.want(prefix).headers("To")[0]
	p.send(c.w.out, hopAckOf(c.request("ACK", 1, "sip:bob@"+c.domain, "")))
}

// 100,000 repetitions of one INVITE are one transaction, one branch and one call.
func TestRetransmissionsLeaveNoState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.start()
	c := w.invite("one", "acme.example", "")
	w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	before := w.edge.leftovers()
	text := crlf(c.request("INVITE", 1, "sip:bob@acme.example", ""))
	feed := w.feed(w.phone)
	for range 100_000 {
		feed(text)
	}
	if after := w.edge.leftovers(); after != before {
		t.Errorf("entries %v, before them %v", after, before)
	}
	w.legacy.silentBut("INVITE ")
}

// A fault of ours costs the calls of one Call-ID and is counted; the edge lives, and so does every other call.
func TestPanicCostsOneCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).quick().start()
	other := w.establish("other", "acme.example", w.legacy)
	for i, broken := range []string{"response", "timer"} {
		c := w.invite(broken, "acme.example", "")
		inv := w.legacy.want("INVITE ")
		if !w.each(func(s *shard, b *branch) {
			if b.callHash == w.edge.callHash([]byte(c.id+"@phone")) {
				b.req = nil // a fault that no input makes
			}
		}) {
			t.Fatal("no branch")
		}
		if broken == "response" {
			w.legacy.reply(inv, "180 Ringing", "")
		}
		w.await(func() bool { return w.edge.panics.Load() == uint64(i+1) }, "the panic to be counted")
		if n := w.edge.leftovers(); n[3] != 1 {
			t.Errorf("%s: %d dialogs, want that of the other call", broken, n[3])
		}
		if n := w.edge.tenants.Calls("acme"); n != 1 {
			t.Errorf("%s: %d calls of acme counted, want the other one", broken, n)
		}
		w.phone.drain()
		w.legacy.drain()
	}
	w.edge.panics.Store(0) // seen
	w.hangUp(other, w.legacy)
	w.freed()
}

// each visits all branches under their shards' locks.
func (w *world) each(f func(*shard, *branch)) (found bool) {
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		for _, b := range s.branches {
			found = true
			f(s, b)
		}
		s.mu.Unlock()
	}
	return found
}

// The same call once more, through a platform that is a proxy: it is listed and counted once.
func TestSpiralIsOneCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy), tenant("birch", policy.StageCore)).start()
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	// legacy proxies it to a user of birch, whom core serves
	var b string
	for _, v := range inv.headers("Via") {
		b += "Via: " + v + "\n"
	}
	for _, v := range inv.headers("Record-Route") {
		b += "Record-Route: " + v + "\n"
	}
	w.legacy.send(w.in, fmt.Sprintf("INVITE sip:eve@birch.example SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKlegacy\n%sMax-Forwards: 68\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: 1 INVITE\nContact: <sip:anna@%s>\nContent-Length: 0\n\n",
		w.legacy.addr(), b, inv.headers("From")[0], inv.headers("To")[0], inv.headers("Call-ID")[0], w.phone.addr()))
	w.core.want("INVITE sip:eve@birch.example")
	if calls := w.edge.liveCalls("", 0); len(calls) != 1 || calls[0].Tenant != "acme" {
		t.Errorf("calls: %+v", calls)
	}
	if a, b := w.edge.tenants.Calls("acme"), w.edge.tenants.Calls("birch"); a != 1 || b != 0 {
		t.Errorf("%d calls of acme and %d of birch counted, want 1 and 0", a, b)
	}
	_ = c
}

// What a record says of a call is the call's own, not what the next call of the same shard left there.
func TestRecordsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Numbers = []string{"+1303555"}
	w := newWorld(t, acme)
	w.cfg.Carriers = []config.Carrier{{Name: "carrier-a", URI: "sip:" + w.phone.addr(), Sources: []string{w.phone.addr()}}}
	w.start()
	var ids []string
	shard := -1
	for i := 0; len(ids) < 2; i++ { // two calls that meet one shard
		id := fmt.Sprintf("n%d", i)
		if h := int(w.edge.callHash([]byte(id+"@phone")) % shards); shard < 0 || h == shard {
			shard = h
			ids = append(ids, id)
		}
	}
	for i, id := range ids {
		c := &call{w: w, by: w.phone, id: id, domain: "carrier.example", to: "<sip:x@y>"}
		w.phone.send(w.out, c.request("INVITE", 1, fmt.Sprintf("sip:+1303555010%d@sip.provider.test", i), ""))
		w.legacy.want("INVITE ")
	}
	found := map[string]string{}
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		for _, r := range s.requests {
			found[r.record.CallID] = r.record.ToE164 + " " + r.record.Query.Number
		}
		s.mu.Unlock()
	}
	for i, id := range ids {
		n := fmt.Sprintf("+1303555010%d", i)
		if got := found[id+"@phone"]; got != n+" "+n {
			t.Errorf("%s: %q, want %s twice", id, got, n)
		}
	}
}

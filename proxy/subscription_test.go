package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// subscribe runs SUBSCRIBE to its 200 and the first NOTIFY: the phone's side, and the platform's.
func (w *world) subscribe(on *peer, id, extra string) (phone, platform *call) {
	w.t.Helper()
	phone = &call{w: w, by: w.phone, id: id, domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, phone.request("SUBSCRIBE", 1, "sip:bob@acme.example", "Event: dialog\nExpires: 3600\n"+extra))
	sub := on.want("SUBSCRIBE ")
	on.reply(sub, "200 OK", "Expires: 3600\n")
	ok := w.phone.want("SIP/2.0 200")
	phone.answered(ok)
	platform = &call{w: w, by: on, id: id, domain: "acme.example", to: ok.headers("From")[0], routes: sub.headers("Record-Route")}
	w.notify(platform, ok.headers("To")[0], 5, "active;expires=3599")
	w.phone.reply(w.phone.want("NOTIFY "), "200 OK", "")
	on.want("SIP/2.0 200")
	return phone, platform
}

// notify sends a NOTIFY of the platform in a subscription.
func (w *world) notify(c *call, from string, cseq int, state string) {
	w.t.Helper()
	text := c.request("NOTIFY", cseq, "sip:anna@"+w.phone.addr(), "Event: dialog\nSubscription-State: "+state+"\n")
	old := fmt.Sprintf("From: <sip:anna@%s>;tag=from%s", c.domain, c.id)
	c.by.send(w.in, strings.Replace(text, old, "From: "+from, 1))
}

// A subscription follows its tenant: the phone is told at once, its refresh is told in any case, and the old platform is
// told to forget it. A call that lives does not care.
func TestSubscriptionIsEvicted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	living := w.establish("living", "acme.example", w.legacy)
	phone, platform := w.subscribe(w.legacy, "blf", "")
	_, other := w.subscribe(w.legacy, "other", "")
	_ = other
	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	for range 2 {
		end := w.phone.want("NOTIFY sip:anna@" + w.phone.addr())
		if got := end.headers("Subscription-State"); len(got) != 1 || got[0] != "terminated;reason=deactivated" || end.headers("CSeq")[0] != "6 NOTIFY" ||
			end.headers("Event")[0] != "dialog" || !strings.Contains(end.headers("From")[0], "tag=callee") || !strings.Contains(end.headers("To")[0], "tag=from") {
			t.Errorf("the phone got\n%s", end.text)
		}
		w.phone.reply(end, "200 OK", "")
	}
	w.await(func() bool { return w.edge.notices() == 0 }, "the phone's answers")
	w.notify(platform, phone.to, 6, "active;expires=3000")
	w.legacy.want("SIP/2.0 481")

	// Its refresh needs no memory of ours.
	w.phone.send(w.out, phone.request("SUBSCRIBE", 2, phone.remote, "Event: dialog\nExpires: 3600\n"))
	w.phone.want("SIP/2.0 481")
	again := &call{w: w, by: w.phone, id: "blf2", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, again.request("SUBSCRIBE", 1, "sip:bob@acme.example", "Event: dialog\nExpires: 3600\n"))
	w.core.reply(w.core.want("SUBSCRIBE "), "200 OK", "Expires: 3600\n")
	w.phone.want("SIP/2.0 200")

	// The call stays where it is.
	w.hangUp(living, w.legacy)
}

// notices are the NOTIFYs of ours that wait for an answer.
func (e *Edge) notices() (n int) {
	for i := range e.shards {
		e.shards[i].mu.Lock()
		n += len(e.shards[i].notices)
		for _, x := range e.shards[i].subs {
			if x.evicted && x.remote != "" {
				n++
			}
		}
		e.shards[i].mu.Unlock()
	}
	return n
}

// While the tenant is armed no subscription lasts longer than two minutes and a half.
func TestSubscriptionIsClamped(t *testing.T) {
	t.Parallel()
	acme := tenant("acme", policy.StageLegacy)
	acme.Phase = &policy.Phase{Name: policy.PhaseArmed, Until: time.Now().Unix() + 3600}
	w := newWorld(t, acme).start()
	c := &call{w: w, by: w.phone, id: "blf", domain: "acme.example", to: "<sip:bob@acme.example>"}
	w.phone.send(w.out, c.request("SUBSCRIBE", 1, "sip:bob@acme.example", "Event: dialog\nExpires: 3600\n"))
	sub := w.legacy.want("SUBSCRIBE ")
	if sub.headers("Expires")[0] != "3600" {
		t.Errorf("the platform was asked for %s", sub.headers("Expires"))
	}
	w.legacy.reply(sub, "200 OK", "Expires: 3600\n")
	ok := w.phone.want("SIP/2.0 200")
	var told int
	if _, err := fmt.Sscan(ok.headers("Expires")[0], &told); err != nil || told < 90 || told > 150 {
		t.Errorf("told %q", ok.headers("Expires"))
	}
	platform := &call{w: w, by: w.legacy, id: "blf", domain: "acme.example", to: ok.headers("From")[0], routes: sub.headers("Record-Route")}
	w.notify(platform, ok.headers("To")[0], 1, "active;expires=3599;x=1")
	n := w.phone.want("NOTIFY ")
	if _, err := fmt.Sscanf(n.headers("Subscription-State")[0], "active;expires=%d;x=1", &told); err != nil || told < 90 || told > 150 {
		t.Errorf("NOTIFY says %q", n.headers("Subscription-State"))
	}
	w.phone.reply(n, "200 OK", "")
	w.legacy.want("SIP/2.0 200")
}

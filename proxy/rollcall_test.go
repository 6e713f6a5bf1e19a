package proxy

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Phones hear of us between their refreshes, so that their NATs keep the way open; and an address has a budget for each
// phone behind it.
func TestRollCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	w.bind(w.legacy)
	second := newPeer(t)
	second.register(w.out, 1, "acme.example", "Contact: <sip:two@192.0.2.2>\n")
	w.legacy.confirm(w.legacy.want("REGISTER "), "Contact: <sip:two@192.0.2.2>;expires=600\n")
	second.want("SIP/2.0 200")
	second.register(w.out, 2, "acme.example", "Contact: <sip:three@192.0.2.2>\n")
	w.legacy.confirm(w.legacy.want("REGISTER "), "Contact: <sip:three@192.0.2.2>;expires=600\n")
	second.want("SIP/2.0 200")
	second.register(w.out, 3, "acme.example", "Contact: <sip:three@192.0.2.2>;expires=0\n")
	w.legacy.confirm(w.legacy.want("REGISTER "), "")
	second.want("SIP/2.0 200")

	now := time.Now()
	w.edge.countSources(now.Unix())
	if n := w.edge.phonesBehind(w.edge.topo.Load().listeners[0].addr.Addr()); n != 2 {
		t.Errorf("%d phones behind %s, want 2", n, home)
	}
	out := w.edge.transport.NewOut()
	round := w.edge.newRound(now, 10*time.Second)
	if len(round.peers) != 2 || round.lasts < 8*time.Second || round.lasts > 12*time.Second {
		t.Fatalf("a round of %d phones in %v", len(round.peers), round.lasts)
	}
	w.edge.keepAlive(&round, now.Add(round.lasts/2+time.Millisecond), out)
	if round.sent != 1 {
		t.Errorf("%d keepalives at half time, want 1", round.sent)
	}
	w.edge.keepAlive(&round, now.Add(round.lasts), out)
	for _, p := range []*peer{w.phone, second} {
		if m := p.want("\r\n"); m.text != "\r\n\r\n" {
			t.Errorf("got %q", m.text)
		}
	}
}

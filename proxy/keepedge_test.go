package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// Over real sockets: a phone registers on legacy, its tenant is flipped, and core can call it before it has registered
// anew; what was done is told to the operator.
func TestKeepOverSockets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.cfg.Listen = append(w.cfg.Listen, config.Listen{Name: "own", Side: config.Own, Transport: config.UDP, Address: home + ":" + freePort(t)})
	for _, p := range []*config.Platform{&w.cfg.Platforms.Legacy, &w.cfg.Platforms.Core} {
		p.Targets[0].Keep = "trust"
	}
	w.start()
	own := w.edge.Addr("own")
	contact := "Contact: <sip:anna@" + w.phone.addr() + ">\n"
	first, _ := w.registered(w.legacy, 1, contact+"Expires: 600\n", contact+"Expires: 600\n")
	if s := w.edge.registrationSummary("acme"); len(s.Rows) != 1 || s.Rows[0].OnLegacy != 1 || s.Rows[0].MissingCore != 0 || s.Rows[0].InstantUntil != 0 {
		t.Errorf("%+v", s)
	}

	w.move("acme", func(x *policy.Tenant) { x.Stage = policy.StageCore })
	m := w.core.want("REGISTER ")
	if m.from.String() != own || m.headers("Path")[0] != first.headers("Path")[0] || m.headers("Contact")[0] != first.headers("Contact")[0] {
		t.Errorf("the hand-over from %s, not %s:\n%s\nthe phone's own:\n%s", m.from, own, m.text, first.text)
	}
	w.core.confirm(m, strings.TrimSpace(contact)+";expires=900\n")
	w.await(func() bool {
		list := w.edge.registrations("acme", 0)
		return len(list) == 1 && list[0].Core.Own && len(list[0].Missing) == 0
	}, "the hand-over to be known")
	x := w.edge.registrations("acme", 0)[0]
	if x.Serves != "core" || x.Keep != "legacy" || !x.Reachable || x.Core.Target != "c1" || x.Core.Until-time.Now().Unix() < 800 || !strings.HasPrefix(x.Flow, "udp "+w.phone.addr()+" by out") {
		t.Errorf("%+v", x)
	}
	s := w.edge.registrationSummary("")
	if r := s.Rows[0]; r.OnCore != 1 || r.OnLegacy != 1 || r.InstantUntil != x.Legacy.Until || s.KeepModes["core"][0] != "trust" || r.PerSecond <= 0 || r.ClampedPerSecond < r.PerSecond {
		t.Errorf("%+v", s)
	}

	c := &call{w: w, by: w.core, id: "in", domain: "acme.example", to: "<sip:anna@acme.example>", routes: []string{m.headers("Path")[0]}}
	w.core.send(w.in, c.request("INVITE", 1, "sip:anna@"+w.phone.addr(), ""))
	inv := w.phone.want("INVITE ")
	w.phone.reply(inv, "486 Busy Here", "")
	w.core.wantFinal("SIP/2.0 486")
}

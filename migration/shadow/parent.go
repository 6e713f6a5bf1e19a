package shadow

import (
	"slices"

	"github.com/hotcut/hotcut/proxy/wire"
)

// parent is the call that a live far leg belongs to: by Call-ID and From-tag, else by the correlation header, else by who
// calls whom.
func (m *machine) parent(t *tenant, r *wire.Message, caller string, called []string) *call {
	callID, tag := string(r.CallID.Of(r.Raw)), tagOf(r, r.From)
	if c := m.calls[callKey("INVITE", callID, tag)]; c != nil && c.t == t {
		return c
	}
	if c := m.correlated(t, r, 0, func(c *call) string { return c.callID }); c != nil {
		return c
	}
	return m.byParties(t, caller, called, func(c *call) bool { return c.live.final == 0 && !c.live.over })
}

// shadowParent is the call that a far leg of the dark core belongs to.
func (m *machine) shadowParent(tw *twin, r *wire.Message) *call {
	if v, ok := named(r, markHeader); ok {
		if id, ours := m.id.marked(v); ours {
			for c := range m.callsOf(tw.t) {
				if c.id == id {
					return c
				}
			}
		}
	}
	callID, tag := string(r.CallID.Of(r.Raw)), tagOf(r, r.From)
	for c := range m.callsOf(tw.t) {
		if d := c.agent.d; d != nil && d.callID == callID && d.ourTag == tag {
			return c
		}
	}
	t := tw.t
	if t == nil {
		t = m.tenantOf(r)
	}
	if t == nil {
		return nil
	}
	if c := m.correlated(t, r, 1, func(c *call) string {
		if c.agent.d == nil {
			return ""
		}
		return c.agent.d.callID
	}); c != nil {
		return c
	}
	return m.byParties(t, tw.caller, tw.called, func(c *call) bool { return c.agent.final == 0 && !c.agent.over })
}

// callsOf are the calls of a tenant, of all where it is not known.
func (m *machine) callsOf(t *tenant) func(func(*call) bool) {
	return func(yield func(*call) bool) {
		if t != nil {
			for c := range t.calls {
				if !yield(c) {
					return
				}
			}
			return
		}
		for _, c := range m.calls {
			if !yield(c) {
				return
			}
		}
	}
}

// correlated finds a call by the header that a platform (0 live, 1 dark) puts on its far legs. The header is believed while every far leg of
// the tenant has had it.
func (m *machine) correlated(t *tenant, r *wire.Message, side int, id func(*call) string) *call {
	if m.o.Correlation == "" {
		return nil
	}
	v, ok := named(r, m.o.Correlation)
	if !ok {
		t.header.without[side]++
		return nil
	}
	t.header.with[side]++
	if t.header.without[side] > 0 {
		return nil
	}
	for c := range t.calls {
		if c.kind == "INVITE" && id(c) == v {
			return c
		}
	}
	return nil
}

// byParties finds the one call that a far leg fits best: the same called party counts as much as the same caller, since platforms rewrite
// either. A call fits that still rings, or began a moment ago.
func (m *machine) byParties(t *tenant, caller string, called []string, rings func(*call) bool) *call {
	var best *call
	most, ties := 0, 0
	fit := func(c *call) int {
		if c.kind != "INVITE" || c.judged || !rings(c) && m.now-c.began > int64(newest) {
			return 0
		}
		score := 0
		switch {
		case sameParty(c.live.caller, caller):
			score += 2
		case slices.ContainsFunc(c.live.called, func(u string) bool { return sameParty(u, caller) }):
			score++ // forwarded, in the name of who forwards: the caller is lost, and that is what is to be found
		}
		if slices.ContainsFunc(called, func(u string) bool {
			return slices.ContainsFunc(c.live.called, func(v string) bool { return sameParty(u, v) })
		}) {
			score += 2
		}
		if score > 0 && rings(c) {
			score += 4 // any that is under way before any that has just ended
		}
		return score
	}
	for c := range t.calls {
		switch score := fit(c); {
		case score == 0:
		case score > most:
			best, most, ties = c, score, 1
		case score == most:
			ties++
		}
	}
	if ties == 1 {
		return best
	}
	if ties > 1 {
		for c := range t.calls {
			if fit(c) == most {
				c.unpaired = ambiguous
			}
		}
	}
	return nil
}

// tenantOf is the mirrored tenant whose domain or number stands in a request of the dark core.
func (m *machine) tenantOf(r *wire.Message) *tenant {
	if m.snapshot == nil {
		return nil
	}
	for _, uri := range [][]byte{r.From.URI.Of(r.Raw), r.RequestURI.Of(r.Raw), r.To.URI.Of(r.Raw)} {
		u, ok := wire.ParseURI(uri)
		if !ok {
			continue
		}
		if rec := m.snapshot.ByDomain(string(wire.AppendHost(nil, u.Host.Of(uri)))); rec != nil {
			if t := m.tenant(rec.Tenant.ID); t != nil {
				return t
			}
		}
		if user := userOf(uri); len(user) > 6 {
			if rec := m.snapshot.ByNumber(user); rec != nil {
				if t := m.tenant(rec.Tenant.ID); t != nil {
					return t
				}
			}
		}
	}
	return nil
}

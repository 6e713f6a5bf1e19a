package shadow

import (
	"slices"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Far legs find each other in two steps: each side's leg finds its call (its parent), then the legs of a call, or those without one,
// find each other. What fits two is unpaired, and its calls are counted as missing.

const ambiguous = "a far leg fits more than one call"

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

// nearby is how far apart two legs may begin that no common call brings together. The callee's next call is not much further away.
const nearby = time.Second

// How well two far legs fit each other.
const (
	fitCall   = 8 // they belong to the same call
	fitDest   = 4 // they arrive at the same place
	fitCaller = 2 // they name the same caller
	fitNow    = 1 // they began within a moment of each other
)

// fits says how well a leg of the dark core fits a live one; 0: not at all.
func (tw *twin) fits(l *liveLeg) int {
	score := 0
	switch {
	case l.c != nil && l.c.judged, tw.c != nil && l.c != nil && tw.c != l.c:
		return 0
	case tw.c != nil && tw.c == l.c:
		score += fitCall
	}
	if tw.dest == l.dest || sameParty(tw.dest, l.dest) {
		score += fitDest
	}
	if sameParty(tw.caller, l.caller) {
		score += fitCaller
	}
	if d := tw.began - l.began; d < int64(newest) && d > -int64(newest) {
		score += fitNow
	}
	if score&fitCall == 0 && (score&(fitDest|fitNow) != fitDest|fitNow || l.over || tw.began-l.began > int64(nearby) || l.began-tw.began > int64(nearby)) {
		return 0 // without a common call: at the same place, in the same moment; whose it says that it is may be what is wrong
	}
	return score
}

// match pairs what arrives at the same place: within a call in order, else only what fits no other. A leg whose call passes another edge
// and that fits several borrows the first one's callee, so that its call goes on as it should there; the legs themselves count as missing.
func (m *machine) match(t *tenant) {
	for _, tw := range slices.Clone(t.waiting) {
		var best *liveLeg
		most, ties := 0, 0
		for _, l := range t.unpaired {
			switch score := tw.fits(l); {
			case score&fitDest == 0:
			case score > most:
				best, most, ties = l, score, 1
			case score == most && score&fitCall == 0:
				ties++
			}
		}
		if ties == 0 {
			continue
		}
		if ties > 1 || most&fitCall == 0 && m.rivals(t, tw, best, most) {
			if tw.c != nil || best.c != nil || best.over {
				continue
			}
			tw.borrowed = true
		}
		tw.pair(best)
	}
}

// rivals: another twin fits the leg as well.
func (m *machine) rivals(t *tenant, tw *twin, l *liveLeg, score int) bool {
	for _, other := range t.waiting {
		if other != tw && other.fits(l) >= score {
			return true
		}
	}
	return false
}

// settlePairs decides about a leg that has waited long enough: within its call it takes the live leg that is left, also one that arrives elsewhere,
// which is a difference; else it is refused.
func (m *machine) settlePairs(tw *twin) {
	if tw.decided || tw.over {
		return
	}
	var left []*liveLeg
	fitting := 0
	for _, l := range tw.t.unpaired {
		if tw.fits(l) > 0 {
			fitting++
		}
		if tw.c != nil && l.c == tw.c {
			left = append(left, l)
		}
	}
	switch {
	case tw.c == nil && fitting > 1:
		tw.lonely(ambiguous)
	case len(left) > 0:
		tw.pair(left[0])
	default:
		tw.lonely("")
	}
}

// unlist takes a live leg out of those that wait for a partner.
func (m *machine) unlist(l *liveLeg) {
	l.t.unpaired = slices.DeleteFunc(l.t.unpaired, func(x *liveLeg) bool { return x == l })
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

package proxy

import (
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// want is what we have to tell one platform of a binding.
type want struct {
	at     int64 // unix seconds from which on; 0: nothing
	remove bool  // un-REGISTER
	urgent bool  // the platform that serves does not know the phone: no call reaches it until this is done
}

// keepLead is how long before its end a hold is renewed at the latest, in seconds.
const keepLead = 30

// wanted says what platform p has to be told of b by us, and from when on. byPhone: under the phone's Call-ID and CSeq,
// of which each value can be used once. taken: what was registered
// before that stamp was so by way of another edge.
//
// The platform that serves hears of the phone from the phone itself: we speak there only when it does not know the phone
// (hand-over) and until the phone's own refresh. The one that keeps is renewed at half of what it granted. Where the
// phone has un-registered, what the platform that does not serve still holds is taken away, whoever put it there: the
// phone can not do it. Of the platform that serves nothing is ever taken away by us.
func wanted(b *location.Binding, d policy.Decision, p policy.Platform, byPhone bool, taken, now int64) want {
	h := b.Of(location.Platform(p))
	live := h.Until > now
	switch {
	case b.Told == 0 && live && p != d.Platform:
		return want{at: now, remove: true}
	case b.Told <= now: // it un-registered, or is gone without a word: what is held ends by itself
		return want{}
	case p == policy.NoPlatform || p != d.Platform && p != d.Keep:
		return want{}
	case !live:
		return want{at: now, urgent: p == d.Platform}
	case p == d.Platform && !h.Own: // the phone refreshes it
		if h.Until < b.Told {
			return want{at: h.Until, urgent: true}
		}
		return want{}
	case byPhone && b.Stamp <= h.Stamp: // this CSeq was there
		return want{at: h.Until}
	case h.Stamp < taken: // it leads to an edge that the phone has left
		return want{at: now}
	case byPhone: // the next CSeq comes with the phone's next refresh: will it come in time?
		return want{at: max(h.Until-2*(b.Told-b.Stamp/1e6)-keepLead, now)}
	}
	return want{at: h.Until - max(h.Lasts/2, keepLead)}
}

// serves asks the policy who serves a binding's address-of-record, as a REGISTER of its phone would.
func serves(s *policy.Snapshot, b *location.Binding, now int64) (policy.Decision, *policy.Record) {
	_, domain, _ := cutAoR(b.AoR)
	rec := s.ByDomain(domain)
	if rec == nil && b.Tenant != "" {
		rec = s.Tenant(b.Tenant)
	}
	return s.Decide(policy.Query{Method: "REGISTER", Tenant: rec, Unit: b.Unit, Now: now}), rec
}

// cutAoR cuts at the last '@': a user may have one of its own, a domain can not.
func cutAoR(aor string) (user, domain string, ok bool) {
	i := strings.LastIndexByte(aor, '@')
	if i < 0 {
		return aor, "", false
	}
	return aor[:i], aor[i+1:], true
}

// poolOf are the targets of platform p that serve a tenant (nil: an unknown one).
func (t *topology) poolOf(rec *policy.Record, p policy.Platform) []int {
	name := ""
	if rec != nil {
		name = rec.Tenant.Pool.Core
		if p == policy.Legacy {
			name = rec.Tenant.Pool.Legacy
		}
	}
	if name == "" {
		name = t.first[p]
	}
	return t.pools[poolKey{p, name}]
}

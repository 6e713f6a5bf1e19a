package proxy

import (
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// aorURI is the SIP URI of an AoR. Its user is decoded: what may not stand in a URI, a line break above all, is escaped.
func aorURI(aor string) string {
	user, host, ok := cutAoR(aor)
	if !ok {
		return "sip:" + aor
	}
	b := append(make([]byte, 0, len(aor)+8), "sip:"...)
	for i := range len(user) {
		switch c := user[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0:
			b = append(b, c)
		default:
			const digits = "0123456789ABCDEF"
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(append(append(b, '@'), host...))
}

// toAoR: an outsider calls what we told a platform of a phone, our Contact or our Path (it has it from a Refer-To, or from the
// Contact of a 3xx). It means the phone's user: the AoR takes its place, and the policy decides. done: h or the rejection say
// how it goes on.
func (s *shard) toAoR(a *arrival, h *hop) (done bool, rej rejection) {
	uri := a.m.RequestURI.Of(a.m.Raw)
	u, ok := wire.ParseURI(uri)
	user := u.User.Of(uri)
	if !ok || len(user) < location.IDLen || a.m.Is("REGISTER") || !a.topo.reaches(u.Host.Of(uri), u.Port) {
		return false, rejection{}
	}
	id, isID := bindingOf(user)
	var p pin
	isToken := isFlow(user) && s.seal.openFlow(&p, user)
	if isToken {
		id = p.a.id
	}
	if !isID && !isToken {
		return false, rejection{}
	}
	b := s.edge.location.Get(id)
	switch {
	case b != nil:
		a.aor = aorURI(b.AoR)
		h.retarget = a.aor
	case !a.located && s.edge.canAsk():
		h.ask = id
		return true, rejection{}
	case isToken:
		return true, rejection{code: 404, cause: causeNoFlow}
	}
	return false, rejection{} // a user may be named like an id
}

// decideAs is decide for a platform that is known already, by a dialog that the request names: the decision keeps the tenant
// and the rev, and no more.
func (a *arrival) decideAs(d *policy.Decision, p policy.Platform, why policy.Reason) {
	d.Platform, d.Reason, d.Arg, d.Keep, d.Mirror, d.Pool = p, why, 0, policy.NoPlatform, false, a.poolOf(p)
}

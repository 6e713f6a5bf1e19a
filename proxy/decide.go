package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

// decide asks the policy about this request: one pointer load, a map lookup, no allocation.
func (s *shard) decide(a *arrival) policy.Decision {
	m, raw := a.m, a.m.Raw
	q := &a.question
	*q = policy.Question{
		Method:       view(m.Method.Of(raw)),
		Source:       a.from.Addr,
		Transport:    a.from.Proto.String(),
		FromPlatform: a.who.platform,
		Now:          a.now / 1e9,
		Mirror:       uint16(stableHash(m.CallID.Of(raw)) % 10000),
	}
	if a.who.kind == partyCarrier {
		q.Carrier, q.NumberFormat = true, a.topo.carriers[a.who.carrier].format
	}
	uri := m.RequestURI
	if m.Is("REGISTER") {
		uri = m.To.URI // the AoR is in To (RFC 3261 section 10.2)
	}
	to := uri.Of(raw)
	if a.aor != "" {
		to = []byte(a.aor)
	}
	q.ToUser, q.ToHost, q.ToTel = a.party(to, a.user[:0:128], a.fold[:0:128])
	q.FromUser, q.FromHost, _ = a.party(m.From.URI.Of(raw), a.user[128:128], a.fold[128:128])
	a.query = a.policy.Resolve(q, &a.trace)
	a.asked = true
	return a.policy.Decide(a.query)
}

// party splits a URI into a decoded user and a lower-case host; a host of ours counts as none. The buffers are used
// only where the bytes must change.
func (a *arrival) party(uri []byte, user, host []byte) (string, string, bool) {
	u, ok := wire.ParseURI(uri)
	if !ok {
		return "", "", false
	}
	scheme := u.Scheme.Of(uri)
	name := u.User.Of(uri)
	for _, c := range name {
		if c == '%' {
			name = wire.AppendUnescaped(user, name)
			break
		}
	}
	if wire.EqualFold(scheme, "tel") {
		return view(name), "", true
	}
	if wire.EqualFold(scheme, "urn") { // a service, such as urn:service:sos (RFC 5031)
		return view(uri), "", false
	}
	h := u.Host.Of(uri)
	for _, c := range h {
		if c >= 'A' && c <= 'Z' {
			h = append(host, h...)
			lower(h)
			break
		}
	}
	if a.topo.us(h, u.Port) && a.policy.ByDomain(view(h)) == nil {
		return view(name), "", false
	}
	return view(name), view(h), false
}

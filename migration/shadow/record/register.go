package record

import (
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// register reads the final response to a REGISTER. A challenge that was answered is in the record with what came of it.
func (o *reading) register(final *message) *Register {
	out := &Register{Code: final.Status, MinExpires: final.number(wire.HMinExpires)}
	all := final.number(wire.HExpires)
	asked := map[string]bool{}
	for e := range o.near.first.Elems(wire.HContact) {
		asked[string(e.URI.Of(o.near.first.Raw))] = true
	}
	longest, granted, found := 0, 0, false
	for e := range final.Elems(wire.HContact) {
		if e.URI.Empty() {
			continue
		}
		uri := string(e.URI.Of(final.Raw))
		n := all
		if v, ok := wire.Param(e.Params.Of(final.Raw), "expires"); ok {
			n, _ = seconds(v)
		}
		if longest = max(longest, n); asked[uri] {
			granted, found = max(granted, n), true
		}
		out.Contacts = append(out.Contacts, o.r.Address(uri))
	}
	out.Contacts = set(out.Contacts)
	if out.Expires = longest; found {
		out.Expires = granted
	}
	for e := range final.Elems(wire.HServiceRoute) {
		uri := e.URI.Of(final.Raw)
		if u, ok := wire.ParseURI(uri); ok {
			out.ServiceRoute = append(out.ServiceRoute, o.r.host(u.Host.Of(uri)))
		}
	}
	for _, m := range o.near.responsesTo(o.near.initial...) {
		out.Challenges = append(out.Challenges, challengesOf(m)...)
	}
	if len(out.Challenges) > maxElems {
		out.Challenges = out.Challenges[:maxElems]
	}
	return out
}

// challengesOf reads the challenges of a 401 or 407.
func challengesOf(m *message) []Challenge {
	var all []Challenge
	for i, h := range m.Headers {
		if h.ID != wire.HWWWAuthenticate && h.ID != wire.HProxyAuthenticate {
			continue
		}
		c := Challenge{Algorithm: "MD5"} // RFC 7616 section 3.3: if none is named
		_, params, _ := strings.Cut(string(m.Value(i)), " ")
		for name, value := range authParams([]byte(params)) {
			switch {
			case wire.EqualFold(name, "realm"):
				c.Realm = string(value)
			case wire.EqualFold(name, "algorithm"):
				c.Algorithm = strings.ToUpper(string(value))
			case wire.EqualFold(name, "qop"):
				c.Qop = string(value)
			}
		}
		all = append(all, c)
	}
	return all
}

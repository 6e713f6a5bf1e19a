package proxy

import (
	"bytes"

	"github.com/hotcut/hotcut/proxy/wire"
)

// sameURI compares as RFC 3261 section 19.1.4 does, for SIP and SIPS URIs: the user with its case, the host without, the
// port, and the parameters that both have; user, ttl, method, maddr and transport must stand in both or in neither.
func sameURI(a, b []byte) bool {
	u, ok := wire.ParseURI(a)
	v, ok2 := wire.ParseURI(b)
	if !ok || !ok2 || !wire.EqualFold(u.Scheme.Of(a), v.Scheme.Of(b)) {
		return false
	}
	if !bytes.Equal(wire.AppendUnescaped(nil, u.User.Of(a)), wire.AppendUnescaped(nil, v.User.Of(b))) ||
		!bytes.Equal(u.Password.Of(a), v.Password.Of(b)) || !wire.EqualHost(u.Host.Of(a), v.Host.Of(b)) || u.Port != v.Port {
		return false
	}
	return covers(u.Params.Of(a), v.Params.Of(b)) && covers(v.Params.Of(b), u.Params.Of(a))
}

func covers(a, b []byte) bool {
	for name, value := range wire.Params(a) {
		other, found := wire.Param(b, string(name))
		switch {
		case found:
			if !wire.EqualFold(value, other) {
				return false
			}
		case wire.EqualFold(name, "user"), wire.EqualFold(name, "ttl"), wire.EqualFold(name, "method"), wire.EqualFold(name, "maddr"),
			wire.EqualFold(name, "transport"):
			return false
		}
	}
	return true
}

package proxy

import (
	"github.com/hotcut/hotcut/proxy/wire"
)

// A platform that registers at a carrier tells it where to send calls. They must come to us: the carrier gets a Contact of
// ours with the platform's user part, and the platform finds its own in the 2xx.

// spliceTrunkRegister writes our Contact into a platform's REGISTER to a carrier.
func spliceTrunkRegister(sp *wire.Splice, m *wire.Message, outL *listener) {
	for e := range m.Elems(wire.HContact) {
		uri := e.URI.Of(m.Raw)
		u, ok := wire.ParseURI(uri)
		if !ok {
			continue // "*"
		}
		ours := appendTransport(append(append(append([]byte("sip:"), u.User.Of(uri)...), '@'), outL.host...), outL)
		if u.User.Empty() {
			ours = appendTransport(append([]byte("sip:"), outL.host...), outL)
		}
		sp.Replace(e.URI, bracketed(m.Raw, &e, ours))
	}
}

// restoreTrunkContacts puts the platform's own contacts back into what the carrier lists.
func (s *shard) restoreTrunkContacts(sp *wire.Splice, m *wire.Message, r *request) {
	asked := &s.again
	if r.raw == nil || asked.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return
	}
	for e := range m.Elems(wire.HContact) {
		uri := e.URI.Of(m.Raw)
		u, ok := wire.ParseURI(uri)
		if !ok || !r.topo.us(u.Host.Of(uri), u.Port) {
			continue
		}
		for own := range asked.Elems(wire.HContact) {
			mine := own.URI.Of(asked.Raw)
			if v, ok := wire.ParseURI(mine); ok && string(v.User.Of(mine)) == string(u.User.Of(uri)) {
				sp.Replace(e.URI, bracketed(m.Raw, &e, mine))
				break
			}
		}
	}
}

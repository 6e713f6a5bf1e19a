package proxy

import (
	"github.com/hotcut/hotcut/proxy/wire"
)

// Strict routers (RFC 2543) keep the next hop in the Request-URI and the real target in the last Route.
//
//	before us    the Request-URI is our own Record-Route value: loosened, once, before anything else reads the request
//	             (RFC 3261 section 16.4)
//	behind us    the next Route has no lr: the Request-URI goes to the end of the Routes, and the Route takes its place
//	             (section 16.6 item 6)

// shortToken is less than any URI with a token of ours has: shorter Request-URIs are not looked at.
const shortToken = 48

// loose is the scratch of a request that a strict router sent.
type loose struct {
	raw []byte
	m   wire.Message
}

// loosen is the request as a loose router would have sent it: our value on top of the Routes, the last of them as the
// Request-URI. Only a token that opens is ours: nobody else's Request-URI is touched.
func (s *shard) loosen(a *arrival) *wire.Message {
	m := a.m
	first := m.Find(wire.HRoute)
	if first < 0 || m.RequestURI.Len() < shortToken {
		return m
	}
	uri := m.RequestURI.Of(m.Raw)
	u, ok := wire.ParseURI(uri)
	if !ok || u.User.Empty() || !a.topo.us(u.Host.Of(uri), u.Port) || !s.opens(a, u.User.Of(uri)) {
		return m
	}
	var last wire.Elem
	for last = range m.Elems(wire.HRoute) {
	}
	if last.URI.Empty() {
		return m
	}
	sp := &s.splice
	sp.Reset(m)
	sp.Replace(m.RequestURI, last.URI.Of(m.Raw))
	sp.Insert(m.Headers[first].Line.Start, append(append(append(s.scratch[0][:0], "Route: <"...), uri...), ">\r\n"...))
	sp.DeleteElem(last)
	x := &s.loose
	x.raw = sp.AppendTo(x.raw[:0])
	if x.m.Scan(x.raw, &s.edge.limits) != wire.FaultNone { // it has become too long by the brackets
		return m
	}
	a.m = &x.m
	return a.m
}

// opens tells whether a user part is a token of ours for this request.
func (s *shard) opens(a *arrival, user []byte) (ok bool) {
	m, raw := a.m, a.m.Raw
	if isFlow(user) {
		return s.seal.openFlow(&a.token, user)
	}
	_, ok = s.seal.open(&a.token, user, m.CallID.Of(raw), m.From.Tag.Of(raw), m.To.Tag.Of(raw))
	return ok
}

// strictNext rewrites for a next hop that is a strict router. In a dialog the Route below ours is that of the element behind us;
// outside it may be a wish that we do not follow. false: next is a loose router, or not where the request goes.
func (h *hop) strictNext(sp *wire.Splice, m *wire.Message, next *wire.Elem) bool {
	uri := next.URI.Of(m.Raw)
	u, ok := wire.ParseURI(uri)
	if !ok {
		return false
	}
	if _, lr := wire.Param(u.Params.Of(uri), "lr"); lr {
		return false
	}
	if addr, _, ok := uriAddress(uri); !h.inDialog && (!ok || addr != h.peer.Addr) {
		return false
	}
	last := next.Header
	for i := last; i < len(m.Headers); i++ {
		if m.Headers[i].ID == wire.HRoute {
			last = i
		}
	}
	retarget := h.retarget
	if retarget == "" {
		retarget = string(m.RequestURI.Of(m.Raw))
	}
	sp.Replace(m.RequestURI, uri)
	sp.DeleteElem(*next)
	sp.Insert(m.Headers[last].Line.End, []byte("Route: <"+retarget+">\r\n"))
	return true
}

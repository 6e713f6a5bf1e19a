package proxy

import (
	"github.com/hotcut/hotcut/proxy/limit"
	"github.com/hotcut/hotcut/proxy/wire"
)

// allow charges the source of a request. Platforms, carriers, PBX trunks and edges are known by configuration and
// policy and each have the known budget; everybody else has a small bucket by address, as often as phones are registered
// from there. What belongs to a living call (ACK, BYE, CANCEL,
// a token of ours) has a second, small budget of its own, so that a flood of new calls does not cut the old ones off.
func (e *Edge) allow(a *arrival) bool {
	sources, times := e.sources, 1
	if a.who.configured() {
		sources = e.known
	} else {
		times = e.phonesBehind(a.from.Addr.Addr())
	}
	class := limit.New
	if a.m.Is("ACK") || a.m.Is("BYE") || a.m.Is("CANCEL") || a.m.Request && hasOurToken(a) {
		class = limit.Exempt
	}
	return sources.Allow(a.from.Addr.Addr(), a.now, class, times)
}

// hasOurToken: a Route that names us stands on top. Whether its MAC fits is seen later; here it only chooses a budget.
func hasOurToken(a *arrival) bool {
	for r := range a.m.Elems(wire.HRoute) {
		uri := r.URI.Of(a.m.Raw)
		u, ok := wire.ParseURI(uri)
		return ok && !u.User.Empty() && a.topo.us(u.Host.Of(uri), u.Port)
	}
	return false
}

// allowCall charges the tenant's limits: this edge's share of them, and half as much again, since calls are not spread
// evenly over edges.
func (e *Edge) allowCall(a *arrival) bool {
	l := a.trace.Tenant.Tenant.Limits
	n := float64(e.fleet.size())
	share := func(v int) float64 { return float64(v) / n * 1.5 }
	r := limit.Rates{CallsPerSecond: share(l.CallsPerSecond)}
	if l.Calls > 0 {
		r.Calls = max(int(share(l.Calls)), 1)
	}
	ok, _ := e.tenants.Call(a.trace.Tenant.Tenant.ID, r, a.now)
	return ok
}
